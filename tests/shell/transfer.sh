# An exported model forecasts the same in another database; a damaged one is refused.
source "$(dirname "$0")/common.sh.inc"
database exporting
query "$SALES" && query "$TRAIN" >/dev/null
before=$(query "SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM forecast('shop') AS f")
hex=$(query "SELECT encode(forecast_export('shop'), 'hex')")
database importing
query "$SALES"
printf "SELECT forecast_import(decode('%s', 'hex'), 'other')\n" "$hex" | psql -XAtq -v ON_ERROR_STOP=1 >/dev/null
same "$(query "SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM forecast('other') AS f")" "$before" "imported"
state=$(printf "SELECT forecast_import(decode('%s', 'hex'), 'bad')\n" "${hex%????}0000" | psql -XAtq -v VERBOSITY=sqlstate 2>&1)
same "$state" "ERROR:  22P03" "a damaged export"
query "UPDATE sales_forecast.version SET body = body || '\\x00'::bytea"
same "$(sqlstate "SELECT * FROM forecast('other')")" XX001 "a corrupted row"
