# Sales that lie on two servers are trained on and forecast as from one table, and a table that memory cannot hold is read from its newest days on.
source "$(dirname "$0")/../../scripts/common.sh"
source "$(dirname "$0")/common.sh.inc"
read -r far port <<<"$(cluster_start scaling && echo "$PGHOST $PGPORT")"
trap 'cluster_stop scaling' EXIT
rows="SELECT date '2022-01-01' + d AS day, s % 2 AS region, s AS sku, 20 + 5 * s + 3 * (d % 7) + (d * s * 7919) % 5 + 9 * (d % 11 / 10) AS qty, (d % 11 / 10)::int AS promo
      FROM generate_series(0, 199) AS d, generate_series(1, 6) AS s"
(export PGHOST=$far PGPORT=$port PGDATABASE=postgres && psql -Xq -c "CREATE TABLE sales_1 AS SELECT * FROM ($rows) AS r WHERE region = 1" -c "ALTER SYSTEM SET log_statement = 'all'" -c 'SELECT pg_reload_conf()' >/dev/null)
database scaling
query "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$far', port '$port', dbname 'postgres');
       CREATE USER MAPPING FOR postgres SERVER far OPTIONS (user 'postgres');
       CREATE TABLE sales (day date, region int, sku int, qty int, promo int) PARTITION BY LIST (region);
       CREATE TABLE sales_0 PARTITION OF sales FOR VALUES IN (0);
       CREATE FOREIGN TABLE sales_1 PARTITION OF sales FOR VALUES IN (1) SERVER far;
       INSERT INTO sales SELECT * FROM ($rows) AS r WHERE region = 0;
       CREATE TABLE one AS $rows"
train() { # SOURCE
  query "SELECT forecast_fit(model => '$1', source => '$1', target => 'qty', time_column => 'day', series_columns => '{region,sku}', horizon => 7,
         past_covariates => '{promo}', options => '{\"network\": {\"members\": 1, \"epochs\": 2}}')" >/dev/null
}
train sales
train one
forecasts() { query "SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM $1 AS f"; }
same "$(forecasts "forecast('sales')")" "$(forecasts "forecast('one')")" "forecasts over two servers and from one table"
same "$(forecasts "forecast_evaluate('sales')")" "$(forecasts "forecast_evaluate('one')")" "scores over two servers and from one table"

# Of one series only its rows travel.
log=$far/server.log
before=$(wc -l <"$log")
query "SELECT * FROM forecast('sales', series => '{\"region\": 1, \"sku\": 3}')" >/dev/null
same "$(tail -n +"$((before + 1))" "$log" | grep -c 'FROM public.sales_1 WHERE .*sku = 3')" 1 "the condition on the series"
before=$(wc -l <"$log")
query "SELECT * FROM forecast('sales', series => '{\"region\": 0, \"sku\": 2}')" >/dev/null
same "$(tail -n +"$((before + 1))" "$log" | grep -c DECLARE || true)" 0 "reads of a server that holds nothing of the series"

query "CREATE TABLE hours AS SELECT timestamp '2015-01-01' + h * interval '1 hour' AS at, s AS sku, h % 24 + s AS qty FROM generate_series(0, 69999) AS h, generate_series(1, 10) AS s"
said=$(PGOPTIONS='' psql -XAtq 2>&1 <<'SQL'
SET sales_forecast.max_memory = '16MB';
SELECT version FROM forecast_fit(model => 'hours', source => 'hours', target => 'qty', time_column => 'at', series_columns => '{sku}', horizon => 24,
  options => '{"method": "seasonal_naive", "backtest": {"windows": 1}}');
SQL
)
same "$(grep -c '700000 rows are more than sales_forecast.max_memory (now 16 MB) holds: the newest [0-9]* of 2917 days are read' <<<"$said")" 1 "the notice: $said"
same "$(query "SELECT rows BETWEEN 500000 AND 650000 AND data_to = '2022-12-26 15:00' FROM forecast_models WHERE model = 'hours'")" t "rows read"

# What a source aggregates is aggregated by parallel workers.
plans=$(PGOPTIONS='' psql -XAtq 2>&1 <<'SQL'
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0; SET auto_explain.log_nested_statements = on; SET auto_explain.log_level = notice;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT version FROM forecast_fit(model => 'days', source => 'SELECT at::date AS day, sum(qty) AS qty FROM hours GROUP BY 1', target => 'qty', time_column => 'day',
  options => '{"method": "seasonal_naive", "backtest": {"windows": 1}}');
SQL
)
same "$(grep -q 'Workers Planned' <<<"$plans" && echo yes)" yes "parallel workers below a training: $plans"
