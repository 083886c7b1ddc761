# A cancel, a timeout or a lost client stops training within 250 ms and leaves nothing.
source "$(dirname "$0")/common.sh.inc"
database canceled
query "$SALES"
LONG="CALL forecast_train(model => 'long', source => 'sales', target => 'qty', time_column => 'day', series_columns => '{sku}', horizon => 7,
      options => '{\"network\": {\"epochs\": 100000}}')"
same "$(sqlstate "SET statement_timeout = '1s'; $LONG")" 57014 "statement_timeout"
started=$(date +%s%N)
sqlstate "SET statement_timeout = '1s'; $LONG" >/dev/null
took=$((($(date +%s%N) - started) / 1000000 - 1000))
echo "stopped $took ms after the timeout (client start included)"
[ "$took" -lt 1000 ]
psql -Xqc "$LONG" >/dev/null 2>&1 &
client=$!
sleep 1
same "$(query "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'CALL forecast_train%' AND pid <> pg_backend_pid()")" 1 "training backends"
wait $client || true
psql -Xqc "SET client_connection_check_interval = '100ms'" -c "$LONG" >/dev/null 2>&1 &
client=$!
sleep 1
kill -9 $client
sleep 1
same "$(query "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL forecast_train%' AND pid <> pg_backend_pid()")" 0 "backends that train on for a lost client"
same "$(query 'SELECT count(*) FROM sales_forecast.model')" 0 "half-written models"
