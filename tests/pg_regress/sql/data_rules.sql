-- What the data layer does with real-life tables: every kind of source, key and calendar.
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA rules;
SET search_path = rules, public;
CREATE FUNCTION fit(source text, target text, time_column text, series text[], horizon int, statics text[] DEFAULT NULL, past text[] DEFAULT NULL, options jsonb DEFAULT '{}')
  RETURNS text LANGUAGE sql AS $$
  SELECT f.model || ': ' || f.series || ' series, ' || f.rows || ' rows, baseline ' || f.baseline
  FROM forecast_fit('r', $1, $2, $3, $4, $5, 'auto', $6, $7, NULL, NULL, '{"network": {"members": 1, "epochs": 1}}'::jsonb || $8) AS f $$;
CREATE TYPE size AS ENUM ('small', 'large');
CREATE TABLE base AS SELECT date '2020-01-01' + d AS day, s AS store, chr(64 + k) AS sku, (k = 1) AS own, (enum_range(NULL::size))[k] AS size,
  (5 * s + k + d % 7)::numeric AS qty, (d % 4)::int AS visits FROM generate_series(0, 99) d, generate_series(1, 2) s, generate_series(1, 2) k;
-- Duplicates are summed, a missing day is a zero, the newest row is never invented.
INSERT INTO base SELECT * FROM base WHERE day = '2020-01-05';
DELETE FROM base WHERE day = '2020-01-10' AND store = 1;
SELECT fit('base', 'qty', 'day', '{store,sku}', 7);
SELECT fit('base', 'qty', 'day', NULL, 7);
SELECT fit('base', 'qty', 'day', '{store,sku,own}', 7, '{size}');
SELECT fit('base', 'qty', 'day', '{sku}', NULL, '{size,own}', NULL, '{"encoding": "one_hot"}');
SELECT fit('base', 'qty', 'day', '{store,sku}', 7, NULL, '{visits}');
-- Views, materialised views, partitioned tables, queries.
CREATE VIEW seen AS SELECT * FROM base;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM base;
CREATE TABLE parted (LIKE base) PARTITION BY LIST (store);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted SELECT * FROM base;
SELECT fit('seen', 'qty', 'day', '{store,sku}', 7);
SELECT fit('kept', 'qty', 'day', '{store,sku}', 7);
SELECT fit('parted', 'qty', 'day', '{store,sku}', 7);
SELECT fit('WITH w AS (SELECT * FROM base) SELECT day, sku, sum(qty) AS qty FROM w GROUP BY 1, 2', 'qty', 'day', '{sku}', 7);
-- Calendars: months by their ends, weeks, hours of a timestamptz, quarters.
SELECT fit('SELECT (date ''2010-01-31'' + make_interval(months => m))::date AS day, m % 12 AS qty FROM generate_series(0, 71) m', 'qty', 'day', NULL, NULL);
SELECT array_agg(time::date) FROM forecast('r', 3);
SELECT fit('SELECT date ''2010-01-05'' + 7 * w AS day, w % 52 AS qty FROM generate_series(0, 199) w', 'qty', 'day', NULL, NULL);
SELECT array_agg(time::date) FROM forecast('r', 2);
SET timezone = 'Europe/Berlin';
SELECT fit('SELECT h AS at, extract(hour FROM h) AS qty FROM generate_series(timestamptz ''2021-03-01'', ''2021-03-28'', ''1 hour'') h', 'qty', 'at', NULL, 24);
SELECT array_agg(time) FROM forecast('r', 4);
SELECT fit('SELECT d AS at, extract(isodow FROM d) AS qty FROM generate_series(timestamptz ''2021-01-01'', ''2021-03-27'', ''1 day'') d', 'qty', 'at', NULL, 3);
SELECT array_agg(time) FROM forecast('r', 3);
RESET timezone;
SELECT fit('SELECT (date ''1990-01-01'' + make_interval(months => 3 * q))::date AS day, q % 4 AS qty FROM generate_series(0, 60) q', 'qty', 'day', NULL, NULL);
-- Exactly series x horizon rows, ordered; beyond the trained horizon too; rows committed a moment ago count.
SELECT fit('base', 'qty', 'day', '{store,sku}', 7);
SELECT count(*), count(DISTINCT series), min(time)::date, max(time)::date FROM forecast('r');
SELECT count(*), max(time)::date FROM forecast('r', 20);
SELECT bool_and(lower <= forecast AND forecast <= upper) FROM forecast('r', 20, level => 0.95);
SELECT count(*), min(time)::date FROM forecast('r', series => '{"store": 2}', as_of => '2020-03-01');
INSERT INTO base SELECT day + 1, store, sku, own, size, qty, visits FROM base WHERE day = '2020-04-09';
SELECT min(time)::date FROM forecast('r');
-- A level must not change the point, a wider level never narrows.
SELECT bool_and(a.forecast = b.forecast AND a.lower >= b.lower AND a.upper <= b.upper)
FROM forecast('r', level => 0.5) a JOIN forecast('r', level => 0.9) b USING (series, time);
-- What came after as_of changes nothing.
CREATE TEMP TABLE before AS SELECT * FROM forecast('r', as_of => '2020-03-15');
UPDATE base SET qty = qty * 100 WHERE day > '2020-03-15';
SELECT count(*) FROM (SELECT * FROM forecast('r', as_of => '2020-03-15') EXCEPT SELECT * FROM before) AS changed;
-- A short and a constant series are served by a baseline, and say so.
INSERT INTO base VALUES ('2020-04-10', 3, 'A', true, 'small', 4, 0);
SELECT fit('base', 'qty', 'day', '{store,sku}', 7);
SELECT series, method FROM forecast_series('r') WHERE method <> 'network';
SELECT count(*) FROM forecast('r');
-- Of a day that is not over by the clock nothing counts unless it is asked for: forecasts begin with it, of all series and of one that has sold nothing today.
CREATE TABLE live AS SELECT current_date - 59 + d AS day, s AS store, chr(64 + k) AS sku, CASE d WHEN 59 THEN 1 ELSE 10 * s END AS qty
  FROM generate_series(0, 59) AS d, generate_series(1, 2) AS s, generate_series(1, 2) AS k WHERE d < 59 OR s = 1;
SELECT fit('live', 'qty', 'day', '{store,sku}', 7, options => '{"method": "naive"}');
SELECT series, min(time)::date - current_date, min(forecast) FROM forecast('r') GROUP BY series ORDER BY series;
SELECT series, min(time)::date - current_date, min(forecast) FROM forecast('r', series => '{"store": 1, "sku": "A"}') GROUP BY series;
SELECT series, min(time)::date - current_date, min(forecast) FROM forecast('r', series => '{"store": 2, "sku": "A"}') GROUP BY series;
SELECT series, min(time)::date - current_date, min(forecast) FROM forecast('r', series => '{"store": 1, "sku": "A"}', as_of => now()) GROUP BY series;
-- Nothing was sold yesterday: a product sold now and then goes on to the same day alone as among others.
CREATE TABLE closed AS SELECT current_date - 59 + d AS day, sku, 5 AS qty FROM generate_series(0, 59) AS d, unnest('{A,B}'::text[]) AS sku
  WHERE sku = 'A' AND d % 3 = 0 AND d < 57 OR sku = 'B' AND d <> 58;
SELECT fit('closed', 'qty', 'day', '{sku}', 7, options => '{"method": "naive"}');
SELECT series, min(time)::date - current_date FROM forecast('r') GROUP BY series ORDER BY series;
SELECT series, min(time)::date - current_date FROM forecast('r', series => '{"sku": "A"}') GROUP BY series;
-- A newest day that seems not to be over is told.
SELECT fit('SELECT day, store, sku, CASE day WHEN ''2020-03-14'' THEN 0.2 ELSE 1 END * qty AS qty FROM base WHERE store < 3 AND day <= ''2020-03-14''', 'qty', 'day', '{store,sku}', 7);
-- Options.
SELECT fit('base', 'qty', 'day', '{store,sku}', 7, options => '{"aggregate": "mean", "missing": "interpolate", "outliers": "clip", "lower_bound": 3, "upper_bound": 9, "scaling": "robust", "layout": "step", "series_end": "common"}');
SELECT min(lower) >= 3, max(upper) <= 9 FROM forecast('r', series => '[{"store": 1}, {"store": 2}]');
SELECT fit('base', 'qty', 'day', '{store,sku}', 7, options => '{"network": {"hidden": [8, 8], "activation": "silu", "layer_norm": true, "dropout": 0.1, "loss": "huber", "optimizer": "sgd", "schedule": "linear", "patience": 2, "epochs": 5, "input_size": 14, "batch_size": 64}}');
SELECT count(*) FROM forecast('r') WHERE lower > forecast OR upper < forecast;
-- Quantiles in long form never cross, agree with forecast, and any share may be asked for.
SELECT fit('base', 'qty', 'day', '{store,sku}', 7, options => '{"backtest": {"windows": 3, "step": 5}}');
SELECT "window", n, mase IS NOT NULL AS scored, coverage_80 BETWEEN 0 AND 1 AS covered, wql > 0 AS wql FROM forecast_evaluate('r', by => 'window');
SELECT (SELECT sum(n) FROM forecast_evaluate('r', by => 'window')) = (SELECT n FROM forecast_evaluate('r')) AS windows_make_the_whole;
SELECT count(*), count(*) FILTER (WHERE value < before) AS crossed
FROM (SELECT value, lag(value) OVER (PARTITION BY series, time ORDER BY quantile) AS before FROM forecast_quantiles('r', '{0.01,0.1,0.5,0.9,0.99}')) AS q;
SELECT count(*) AS other_bounds FROM forecast('r', level => 0.6) AS f JOIN forecast_quantiles('r', '{0.2,0.8}') AS q USING (series, time)
WHERE quantile = 0.2 AND value < lower - 1e-6 OR quantile = 0.8 AND value > upper + 1e-6;
-- More windows than the history bears: those that fit are scored.
SELECT fit('base', 'qty', 'day', '{store,sku}', 7, options => '{"backtest": {"windows": 50}}');
SELECT count(*) BETWEEN 1 AND 49 AS some FROM forecast_evaluate('r', by => 'window');
-- hidden: [] is linear regression: y = 3 a - 2 b + 0.5 c + 1 to four digits.
CREATE TABLE line AS SELECT a, b, c, 3 * a - 2 * b + 0.5 * c + 1 AS y FROM (SELECT sin(i) AS a, cos(3 * i) AS b, sin(7 * i + 1) AS c FROM generate_series(1, 400) i) x;
SELECT value < 1e-8 FROM forecast_fit('line', 'line', 'y', options => '{"network": {"hidden": [], "epochs": 500, "learning_rate": 0.05}}');
SELECT round(forecast('line', features => '{"a": 1, "b": 0, "c": 0}'::jsonb)::numeric, 3), round(forecast('line', features => '{"a": 0, "b": 1, "c": 0}'::jsonb)::numeric, 3);
SELECT forecast_drop('r') > 0, forecast_drop('line');
DROP SCHEMA rules CASCADE;
