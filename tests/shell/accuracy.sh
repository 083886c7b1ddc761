# Untouched defaults stay ahead of seasonal naive on small real sets, by the protocol of make accuracy.
source "$(dirname "$0")/common.sh.inc"
database accuracy
export PGTZ=UTC
bench() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
cd "$(dirname "$0")/../../examples"
bench -f load.sql
cd ../benches/accuracy
bench -f metrics.sql -f protocol.sql
bench <<'SQL'
CREATE TEMP TABLE product_sales (product_id integer, day date, units integer);
\copy product_sales FROM PROGRAM 'gzip -dc ../../examples/data/product_sales.csv.gz' (FORMAT csv, HEADER)
-- A day without a row is a day without a sale.
CREATE TEMP TABLE days AS
SELECT day::date, date '2017-12-02' - day::date AS back FROM generate_series(date '2017-01-01', '2017-12-02', '1 day') AS day;
CREATE TABLE categories AS SELECT category, day, back, coalesce(units, 0) AS units, coalesce(discount, 0) AS discount
FROM (SELECT DISTINCT category FROM sales) AS c CROSS JOIN days LEFT JOIN sales USING (category, day);
CREATE TABLE products AS SELECT product_id, day, back, coalesce(units, 0) AS units
FROM (SELECT DISTINCT product_id FROM product_sales) AS p CROSS JOIN days LEFT JOIN product_sales USING (product_id, day);
CREATE VIEW discounted AS TABLE categories;
INSERT INTO bench.task (task, key, time_column, target, horizon, season, scales, origins, planned) VALUES
  ('categories', 'category', 'day', 'units', 28, 7, '{7}', 1, '{}'),
  ('discounted', 'category', 'day', 'units', 28, 7, '{7}', 1, '{discount}'),
  ('products', 'product_id', 'day', 'units', 28, 7, '{7}', 3, '{}');
SQL
# Of products three origins: the bias of a single one is mostly that of the weeks behind it (-0.061, -0.007 and -0.007).
for run in "categories 1" "discounted 1" "products 1" "products 2" "products 3"; do
  bench -v task="${run% *}" -v origin="${run#* }" -v options='{}' -f origin.sql
done

# The least skill that passes, and what seed 0 gave (seeds 1 and 2 within 0.003 of it, bias within 0.006). A network that learns nothing falls below in all three sets,
# forecasts a day late in the first two (0.20 and 0.18 by MASE), the median in place of the mean in the last (bias -0.80).
fallen=$(bench <<'SQL'
WITH skill AS (
  SELECT task, 1 - avg(ours.mase) / avg(naive.mase) AS mase, 1 - avg(ours.rmsse) / avg(naive.rmsse) AS rmsse, 1 - avg(ours.wql) / avg(naive.wql) AS wql, abs(avg(ours.bias)) AS bias
  FROM bench.result AS ours JOIN bench.result AS naive USING (task, origin) WHERE ours.who = 'sales_forecast' AND naive.who = 'seasonal naive' GROUP BY task
), least (task, mase, rmsse, wql, bias) AS (
  VALUES
    ('categories', 0.23, 0.20, 0.295, 0.05),  -- 0.252, 0.218, 0.316, 0.007
    ('discounted', 0.24, 0.21, 0.315, 0.10),  -- 0.268, 0.236, 0.338, 0.023
    ('products',   0.14, 0.26, 0.440, 0.05)   -- 0.148, 0.272, 0.458, 0.025
)
SELECT format('%s: skill by MASE %s, RMSSE %s, WQL %s, bias %s', task, s.mase, s.rmsse, s.wql, s.bias)
FROM skill AS s JOIN least AS l USING (task)
WHERE NOT coalesce(s.mase >= l.mase AND s.rmsse >= l.rmsse AND s.wql >= l.wql AND s.bias <= l.bias, false)
UNION ALL SELECT task || ' has no result' FROM least WHERE task NOT IN (SELECT task FROM skill)
SQL
)
same "$fallen" "" "sets below their threshold"
