#!/usr/bin/env bash
# How fast and how large forecasts are, against a private server: one line NAME<TAB>OURS<TAB>LIMIT<TAB>UNIT for each.
# SERIES and STEPS size the table of "all series" (30490 and 1941 by default, some 5 GB and 15 minutes to make and train).
source "$(dirname "$0")/../../scripts/common.sh"
SERIES=${SERIES:-30490} STEPS=${STEPS:-1941} SECONDS_EACH=${SECONDS_EACH:-10}
cluster_start serving
work=$(mktemp -d)
chmod 777 "$work"
trap 'rm -rf "$work"' EXIT
run() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
line() { printf '%s\t%s\t%s\t%s\n' "$@"; }

# percentiles NAME SCRIPT [pgbench options]: p50 and p99 of its latencies, in ms.
percentiles() {
  local name=$1 script=$2
  shift 2
  (cd "$work" && rm -f log.* && pgbench -n -f "$script" -T "$SECONDS_EACH" -l --log-prefix="$work/log" "$@" >/dev/null 2>&1)
  cat "$work"/log.* | awk '{print $3 / 1000}' | sort -n >"$work/$name"
  p50=$(awk '{a[NR] = $1} END {print a[int(NR * 0.5) + 1]}' "$work/$name")
  p99=$(awk '{a[NR] = $1} END {print a[int(NR * 0.99) + 1]}' "$work/$name")
}

run <<'SQL' >/dev/null 2>&1
DROP EXTENSION IF EXISTS sales_forecast CASCADE;
DROP TABLE IF EXISTS sales, m5, facts CASCADE;
CREATE EXTENSION sales_forecast;
CREATE TABLE sales (store integer, sku integer, day date, qty double precision);
INSERT INTO sales
  SELECT s % 10, s, date '2020-01-01' + d, round(20 + s % 7 * 5 + 0.01 * d + 8 * sin(d * 2 * pi() / 7 + s) + 3 * random())
  FROM generate_series(1, 200) AS s, generate_series(0, 999) AS d;
CREATE INDEX ON sales (store, sku, day);
CREATE TABLE facts AS SELECT i AS id, random() AS a, random() AS b, random() AS c, random() AS y FROM generate_series(1, 1000000) AS i;
VACUUM ANALYZE;
SET client_min_messages = error;
CALL forecast_train(model => 'shop', source => 'sales', target => 'qty', time_column => 'day', series_columns => '{store,sku}', horizon => 28);
CALL forecast_train(model => 'facts', source => 'SELECT a, b, c, y FROM facts LIMIT 20000', target => 'y', features => '{a,b,c}',
  options => '{"network": {"hidden": [128], "epochs": 2}}');
SQL
cat >"$work/select.sql" <<'SQL'
\set s random(1, 200)
SELECT * FROM sales WHERE store = :s % 10 AND sku = :s;
SQL
cat >"$work/one.sql" <<'SQL'
\set s random(1, 200)
SELECT * FROM forecast('shop', series => format('{"store": %s, "sku": %s}', :s % 10, :s)::jsonb);
SQL
percentiles select "$work/select.sql"
limit=$(awk "BEGIN {print $p50 + 0.3}")
percentiles one "$work/one.sql"
line "one series of 1,000 steps, warm, p50" "$p50" "$limit" ms
line "one series of 1,000 steps, warm, p99" "$p99" 3 ms
percentiles first "$work/one.sql" -C
line "one series, new connection, p50" "$p50" 20 ms

# timed SQL: seconds and the backend's growth of resident memory in MB, in one new connection.
timed() {
  run <<SQL | tail -1
CREATE TEMP TABLE mark AS SELECT clock_timestamp() AS began;
$1
SELECT round(extract(epoch FROM clock_timestamp() - began)::numeric, 2),
  (regexp_match(pg_read_file('/proc/self/status'), 'RssAnon:\s+(\d+)'))[1]::integer / 1024,
  (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::integer / 1024
FROM mark;
SQL
}
rate() { awk "BEGIN {printf \"%.2f\", 1 / $1}"; }
IFS='|' read -r seconds _ _ < <(timed "SELECT sum(forecast('facts', f)) FROM facts AS f;")
line "scoring rows by forecast(model, row), 3-128-1" "$(rate "$seconds")" 1 "million rows/s"
IFS='|' read -r seconds _ _ < <(timed "SELECT sum(forecast) FROM forecast_rows('facts', 'facts');")
line "scoring rows by forecast_rows, 3-128-1" "$(rate "$seconds")" 1 "million rows/s"

run -v series="$SERIES" -v steps="$STEPS" <<'SQL' >/dev/null 2>&1
CREATE UNLOGGED TABLE m5 (item integer, store integer, day date, qty double precision);
INSERT INTO m5
  SELECT s / 10, s % 10, date '2011-01-29' + d, CASE WHEN random() < 0.35 THEN floor(random() * random() * 8 + 1 + sin(d * 2 * pi() / 7)) ELSE 0 END
  FROM generate_series(0, :series - 1) AS s, generate_series(0, :steps - 1) AS d;
CREATE INDEX ON m5 (item, store, day);
VACUUM ANALYZE m5;
SET client_min_messages = error;
SET sales_forecast.max_memory = '8GB';
CALL forecast_train(model => 'm5', source => 'm5', target => 'qty', time_column => 'day', series_columns => '{item,store}', horizon => 28,
  options => '{"backtest": {"windows": 1}}');
SQL
IFS='|' read -r seconds resident peak < <(timed "SELECT count(*), sum(forecast) FROM forecast('m5');")
line "all series: $SERIES x 28 steps from $STEPS each" "$seconds" 10 s
line "all series: memory of the backend at its peak, shared buffers included" "$peak" 1024 MB
