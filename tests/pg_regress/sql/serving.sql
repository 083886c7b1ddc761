-- What serving reads: the newest rows by an index, batches of rows, and no more memory than allowed.
\pset format unaligned
SET client_min_messages = warning;
CREATE SCHEMA serving;
SET search_path = serving, public;
CREATE TABLE served AS
  SELECT s AS sku, date '2019-01-01' + d AS day, 20 + s + 5 * (d % 7) + (d * s * 7919) % 5 AS qty
  FROM generate_series(1, 3) AS s, generate_series(0, 1499) AS d
  WHERE s < 3 OR d % 5 <> 2;
CREATE INDEX ON served (sku, day);
CALL forecast_train(model => 'served', source => 'served', target => 'qty', time_column => 'day', series_columns => '{sku}', horizon => 7,
  options => '{"network": {"members": 1, "epochs": 1}}') \g /dev/null

-- As of a day all rows are read, otherwise the newest: the forecasts are the same, also of one series alone.
SELECT count(*) FROM (
  SELECT * FROM forecast('served') EXCEPT SELECT * FROM forecast('served', as_of => '2023-02-08')) AS other;
SELECT count(*) FROM (
  SELECT series, time, round(forecast::numeric, 2) FROM forecast('served', series => '{"sku": 2}')
  EXCEPT SELECT series, time, round(forecast::numeric, 2) FROM forecast('served')) AS other;

-- The planner knows the rows that a call will return.
EXPLAIN SELECT * FROM forecast('served');
EXPLAIN SELECT * FROM forecast('served', horizon => 3, series => '[{"sku": 1}, {"sku": 2}]');
EXPLAIN SELECT * FROM forecast('served', series => '{"sku": 1}');
EXPLAIN SELECT f.* FROM generate_series(1, 2) AS sku, forecast('served', series => jsonb_build_object('sku', sku)) AS f;
EXPLAIN SELECT * FROM forecast_quantiles('served', quantiles => '{0.1,0.9}');
EXPLAIN SELECT * FROM forecast_backtest('served', windows => 2);
EXPLAIN SELECT * FROM forecast_series('served');
EXPLAIN SELECT * FROM forecast('unknown');
PREPARE planned(text, jsonb) AS SELECT * FROM forecast($1, series => $2);
EXPLAIN EXECUTE planned('served', '{"sku": 1}');

-- A column added, and rows added, after the statement was planned.
ALTER TABLE served ADD COLUMN note text;
SELECT count(*), min(time)::date FROM forecast('served', series => '{"sku": 1}');
INSERT INTO served SELECT 1, date '2019-01-01' + d, 30 FROM generate_series(1500, 1509) AS d;
SELECT count(*), min(time)::date FROM forecast('served', series => '{"sku": 1}');
-- A series of which nothing new was seen for years still has its forecast.
DELETE FROM served WHERE sku = 2 AND day > '2019-03-01';
SELECT series, min(time)::date FROM forecast('served') GROUP BY series ORDER BY series;

-- A large table without the index: said once.
CREATE TABLE wide AS SELECT 1 AS sku, date '2020-01-01' + d AS day, d % 7 AS qty, repeat('x', 1800) AS filler FROM generate_series(1, 100) AS d;
CALL forecast_train(model => 'wide', source => 'wide', target => 'qty', time_column => 'day', series_columns => '{sku}', horizon => 7,
  options => '{"method": "naive"}') \g /dev/null
SELECT count(*) FROM forecast('wide', series => '{"sku": 1}');
\c -
SET search_path = serving, public;
INSERT INTO wide SELECT 2 + d % 50, date '2020-01-01' + d / 50, d % 7, repeat('x', 1800) FROM generate_series(1, 20000) AS d;
SELECT count(*) FROM forecast('wide', series => '{"sku": 1}');
SELECT count(*) FROM forecast('wide', series => '{"sku": 1}');
SET client_min_messages = warning;

-- One series of many is read along the index, where the planner would read a small table as a whole.
CREATE TABLE shelf AS SELECT s AS sku, date '2020-01-01' + d AS day, s + d % 7 AS qty FROM generate_series(0, 99) AS d, generate_series(1, 20) AS s;
CREATE INDEX shelf_series ON shelf (sku, day);
ANALYZE shelf;
CALL forecast_train(model => 'shelf', source => 'shelf', target => 'qty', time_column => 'day', series_columns => '{sku}', horizon => 7,
  options => '{"method": "mean"}') \g /dev/null
BEGIN;
SELECT count(*) FROM forecast('shelf', series => '{"sku": 7}');
SELECT pg_stat_get_xact_tuples_fetched('shelf_series'::regclass) > 0 AS along_the_index;
COMMIT;

-- Rows of a regression model, in batches and one by one.
CREATE TABLE facts AS SELECT i AS id, i % 10 AS a, (ARRAY['x', 'y'])[1 + i % 2] AS b, i % 10 + 5 * (i % 2) AS y FROM generate_series(1, 500) AS i;
CALL forecast_train(model => 'facts', source => 'facts', target => 'y', features => '{a,b}',
  options => '{"network": {"epochs": 30}}') \g /dev/null
SELECT count(*), min("row"), max("row"), count(id) FROM forecast_rows('facts', 'facts');
SELECT "row", id FROM forecast_rows('facts', 'SELECT * FROM facts WHERE id > 498 ORDER BY id', id => 'id');
SELECT max(abs(s.forecast - forecast('facts', f))) < 1e-4 AS one_by_one,
  max(abs(s.forecast - forecast('facts', to_jsonb(f)))) < 1e-4 AS by_features
FROM forecast_rows('facts', 'facts', id => 'id') AS s JOIN facts AS f ON f.id = s.id::integer;
SELECT forecast('facts', t) IS NOT NULL FROM (SELECT NULL::integer AS a, NULL::text AS b) AS t;
SELECT count(*) FROM forecast_rows('facts', 'SELECT * FROM facts WHERE false');
SELECT forecast('facts', t) FROM (SELECT 1 AS a) AS t;
SELECT forecast('facts', t) FROM (SELECT 'NaN'::float8 AS a, 'x' AS b) AS t;
SELECT count(*) FROM forecast_rows('facts', 'SELECT 1 AS a');
SELECT count(*) FROM forecast_rows('served', 'facts');
SELECT count(*) FROM forecast_rows('facts', 'DELETE FROM facts');
-- A query is read with the caller's rights.
CREATE ROLE serving_caller;
SELECT forecast_grant('facts', 'serving_caller');
GRANT USAGE ON SCHEMA serving TO serving_caller;
SET ROLE serving_caller;
SELECT count(*) FROM forecast_rows('facts', 'serving.facts');
SELECT count(*) FROM forecast_rows('facts', 'SELECT 1 AS a, ''x'' AS b');
RESET ROLE;

-- Memory.
SET sales_forecast.max_memory = 16;
SELECT count(*) FROM forecast_rows('facts', 'SELECT i AS a, i::text AS b FROM generate_series(1, 1000000) AS i');
RESET sales_forecast.max_memory;
SELECT forecast_drop('served'), forecast_drop('facts'), forecast_drop('wide'), forecast_drop('shelf');
DROP SCHEMA serving CASCADE;
DROP ROLE serving_caller;
