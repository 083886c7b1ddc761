# The same seed gives the same stored bytes, on one thread and on two.
source "$(dirname "$0")/common.sh.inc"
database determinism
query "$SALES"
for threads in 1 2 1; do query "SET sales_forecast.threads = $threads; $TRAIN" >/dev/null; done
same "$(query 'SELECT count(DISTINCT sha256) FROM sales_forecast.version')" 1 "different bodies"
