-- Planned prices: their effects by product, and a column that says nothing is left out by name.
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA priced;
SET search_path = priced, public;
SET client_min_messages = warning;
-- Every sixth week is cheaper; sales of even products grow by the cut, of odd ones by its third power.
CREATE TABLE plan AS SELECT date '2022-01-03' + 7 * w AS week, p AS product, w < 60 AS is_past,
  (3 + p) * CASE WHEN (w + p) % 6 = 0 THEN 0.6 + (w * 37 + p * 11) % 30 / 100.0 ELSE 1 END AS price, 100 + w / 10.0 AS costs
  FROM generate_series(0, 67) w, generate_series(1, 12) p;
CREATE TABLE sales AS SELECT week, product, price, costs,
  round(100 * ((3 + product) / price) ^ CASE product % 2 WHEN 0 THEN 1 ELSE 3 END * (0.9 + hashint4(product * 1000 + (week - date '2022-01-03')) % 1000 / 10000.0)) AS units
  FROM plan WHERE is_past;
CREATE FUNCTION half(product int) RETURNS numeric LANGUAGE sql AS $$
  WITH told AS (SELECT price, f.forecast FROM (VALUES (1.0), (0.5)) AS v(price), LATERAL forecast('p', 1, jsonb_build_object('product', $1),
    future => format('SELECT date ''2023-02-27'' AS week, %s AS product, %s AS price, 106.0 AS costs', $1, (3 + $1) * v.price)) f)
  SELECT round((max(forecast) FILTER (WHERE price = 0.5) / max(forecast) FILTER (WHERE price = 1.0))::numeric, 1) FROM told $$;
SET client_min_messages = notice;
SELECT f.model FROM forecast_fit('p', 'sales', 'units', 'week', '{product}', horizon => 8, future_covariates => '{price, costs}') f;
SET client_min_messages = warning;
-- Half of the price sells about twice as much of even products, eight times as much of odd ones.
SELECT product, half(product) BETWEEN 1.5 AND 2.7, half(product) BETWEEN 5 AND 11 FROM generate_series(1, 4) product;
-- A price of nothing counts as half of the least that was ever asked.
SELECT count(*), bool_and(forecast < 1e6) FROM forecast('p', 1, '{"product": 1}', future => 'SELECT date ''2023-02-27'' AS week, 1 AS product, 0 AS price, 106 AS costs');
-- One that is not known is asked for.
SELECT count(*) FROM forecast('p', 1, '{"product": 1}', future => 'SELECT date ''2023-02-27'' AS week, 1 AS product, NULL::float8 AS price, 106 AS costs');
SELECT count(*) FROM forecast('p', 1, '{"product": 1}', future => 'SELECT date ''2023-02-27'' AS week, 1 AS product, ''NaN''::float8 AS price, 106 AS costs');
SELECT forecast_drop('p');
DROP SCHEMA priced CASCADE;
