# Two sessions that train the same new name each get a version; what is rolled back is never served.
source "$(dirname "$0")/common.sh.inc"
database concurrency
query "$SALES"
query "$TRAIN" >/dev/null & first=$!
query "$TRAIN" >/dev/null & second=$!
wait $first && wait $second
same "$(query "SELECT string_agg(version::text, ',' ORDER BY version) FROM forecast_models")" 1,2 "versions"
before=$(query "SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM forecast('shop') AS f")
after=$(psql -XAtq -v ON_ERROR_STOP=1 <<SQL | tail -1
BEGIN; ${TRAIN/epochs/patience\": 1, \"epochs}; SELECT count(*) FROM forecast('shop'); ROLLBACK;
SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM forecast('shop') AS f;
SQL
)
same "$after" "$before" "a rolled back version is served"
# A row committed a moment ago counts, and a session that only reads trains nothing.
query "INSERT INTO sales SELECT day + 1, sku, qty FROM sales WHERE day = (SELECT max(day) FROM sales)"
same "$(query "SELECT min(time)::date - (SELECT max(day) FROM sales) FROM forecast('shop')")" 1 "days behind the newest row"
same "$(sqlstate "BEGIN READ ONLY; $TRAIN")" 25006 "training in a read-only transaction"
same "$(query "BEGIN READ ONLY; SELECT count(*) FROM forecast('shop')")" 28 "forecasts in a read-only transaction"
