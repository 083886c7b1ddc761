-- Hierarchies: forecasts add up from the series to the total, aggregates come on request, and errors name what is no tree.
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA tree;
SET search_path = tree, public;
SET client_min_messages = warning;
CREATE TABLE sales AS SELECT date '2022-01-01' + d AS day, 'R' || s / 3 AS region, s AS store, 'C' || i % 2 AS category, 'i' || i AS item,
  (10 * s + 5 * i + 3 * (d % 7) + (d * 7919 + s * i * 31) % 11)::int AS qty
  FROM generate_series(0, 139) d, generate_series(1, 4) s, generate_series(1, 3) i WHERE NOT (s = 4 AND i = 3 AND d > 120);
CREATE FUNCTION fit(options jsonb, series text[] DEFAULT '{region,store,item}', statics text[] DEFAULT NULL, source text DEFAULT 'sales', model text DEFAULT 'm')
  RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text; made text;
BEGIN
  SELECT f.model || ' ' || f.series INTO made
  FROM forecast_fit($5, $4, 'qty', 'day', $2, 7, static_covariates => $3, options => '{"network": {"members": 1, "hidden": [16], "epochs": 2}}'::jsonb || $1) f;
  RETURN 'trained ' || made;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
\ir ../ask.psql
-- Rows in which a node is not the sum of the nodes below it that have one column more.
CREATE VIEW wrong AS
  WITH f AS MATERIALIZED (SELECT * FROM forecast('m', 10, aggregates => true)),
  parents AS (SELECT f.*, (SELECT count(*) FROM jsonb_object_keys(series)) AS columns FROM f)
  SELECT p.series, p.time, p.forecast, sum(c.forecast) AS sum FROM parents p JOIN parents c ON c.series @> p.series AND c.columns = p.columns + 1 AND c.time = p.time
  GROUP BY p.series, p.time, p.forecast HAVING abs(sum(c.forecast) - p.forecast) > 1e-4 * abs(p.forecast);
-- MinT over regions and stores.
SELECT fit('{"hierarchy": {"levels": ["region", "store"], "method": "mint"}}');
SELECT count(*), count(DISTINCT series), count(DISTINCT time) FROM forecast('m');
SELECT count(*), count(DISTINCT series), bool_and(lower <= forecast AND forecast <= upper) FROM forecast('m', aggregates => true);
SELECT series FROM forecast('m', 1, aggregates => true);
SELECT * FROM wrong;
SELECT abs(total.forecast / bottom.sum - 1) < 1e-4 FROM (SELECT time, sum(forecast) FROM forecast('m') GROUP BY 1) bottom
  JOIN forecast('m', aggregates => true) total USING (time) WHERE total.series = '{}';
-- What the methods do to the errors of each level is kept, and of the two the better one is taken when none is asked for.
SELECT metrics -> 'hierarchy' ->> 'method', jsonb_path_query_array(metrics, '$.hierarchy.levels[*].level'), jsonb_path_query_array(metrics, '$.hierarchy.levels[1].wape.*.type()')
FROM sales_forecast.version WHERE model = 'm';
SELECT fit('{"hierarchy": ["region", "store"]}', model => 'auto');
SELECT metrics -> 'hierarchy' ->> 'method' = CASE WHEN sum((l -> 'wape' -> 'mint')::float8) < sum((l -> 'wape' -> 'bottom_up')::float8) THEN 'mint' ELSE 'bottom_up' END
FROM sales_forecast.version, jsonb_array_elements(metrics -> 'hierarchy' -> 'levels') l WHERE model = 'auto' GROUP BY metrics;
-- A filter selects aggregates that have these columns, and what lies below.
SELECT series, count(*) FROM forecast('m', 2, '{"region": "R1"}', aggregates => true) GROUP BY 1 ORDER BY 1;
SELECT series, count(*) FROM forecast('m', 2, '[{"store": 1, "item": "i2"}, {"store": 2}]', aggregates => true) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM forecast('m', 2, '{"region": "R1"}');
-- One series is forecast with all others, so it ends with them; item 3 of store 4 has sold nothing for 19 days.
SELECT min(time)::date FROM forecast('m', 2, '{"store": 4, "item": "i3"}');
SELECT count(*) FROM (SELECT round(forecast::numeric, 3) FROM forecast('m') WHERE series @> '{"store": 4}'
  INTERSECT ALL SELECT round(forecast::numeric, 3) FROM forecast('m', series => '{"store": 4}')) same;
-- Quantiles of any node.
SELECT quantile, count(*), count(DISTINCT series) FROM forecast_quantiles('m', '{0.1, 0.9}', 2, aggregates => true) GROUP BY 1 ORDER BY 1;
SELECT bool_and(low.value < high.value) FROM forecast_quantiles('m', '{0.1}', 7, '{"region": "R0"}', aggregates => true) low
  JOIN forecast_quantiles('m', '{0.9}', 7, '{"region": "R0"}', aggregates => true) high USING (series, time);
-- As of a past day, a store that is new adds up too.
INSERT INTO sales SELECT date '2022-05-10' + d, 'R9', 9, 'C0', 'i1', 40 FROM generate_series(0, 9) d;
SELECT * FROM wrong;
SELECT count(DISTINCT series) FROM forecast('m', as_of => '2022-05-01', aggregates => true);
SELECT count(DISTINCT series) FROM forecast('m', aggregates => true);
DELETE FROM sales WHERE store = 9;
-- Bottom-up, no level but the total, and levels that are static covariates.
SELECT fit('{"hierarchy": {"levels": ["region", "store"], "method": "bottom_up"}}');
SELECT * FROM wrong;
SELECT fit('{"hierarchy": []}', '{store,item}');
SELECT series, count(*) FROM forecast('m', 1, aggregates => true) GROUP BY 1 ORDER BY 1 LIMIT 2;
SELECT fit('{"hierarchy": ["region", "category"]}', '{store,item}', '{region,category}');
SELECT series FROM forecast('m', 1, '{"category": "C0"}', aggregates => true);
SELECT abs(a.forecast / b.sum - 1) < 1e-4 FROM forecast('m', 1, '{"region": "R1", "category": "C1"}', aggregates => true) a,
  (SELECT sum(forecast) FROM forecast('m', 1, '{"region": "R1", "category": "C1"}')) b WHERE a.series = '{"region": "R1", "category": "C1"}';
SELECT count(*), count(reason) FROM forecast_series('m');
-- A copy forecasts the same.
SELECT forecast_import(forecast_export('m'), 'copy');
SELECT count(*) FROM (SELECT * FROM forecast('m', aggregates => true) EXCEPT SELECT * FROM forecast('copy', aggregates => true)) other;
-- Errors of training
SELECT fit('{"hierarchy": ["reigon"]}');
SELECT fit('{"hierarchy": ["category"]}');
SELECT fit('{"hierarchy": ["region", "region"]}');
SELECT fit('{"hierarchy": "region"}');
SELECT fit('{"hierarchy": {"levels": ["region"], "method": "top_down"}}');
SELECT fit('{"hierarchy": {"level": ["region"]}}');
SELECT fit('{"hierarchy": ["region"], "series_end": "own"}');
SELECT fit('{"hierarchy": ["region"]}', NULL);
SELECT fit('{"hierarchy": ["region"]}', '{store,item}', '{region}', 'SELECT day, store, item, qty, CASE store WHEN 1 THEN NULL ELSE region END AS region FROM sales');
SELECT fit('{"hierarchy": ["category", "item"]}', '{store,item}', '{category}', 'SELECT day, store, item, qty, CASE store WHEN 1 THEN ''other'' ELSE category END AS category FROM sales');
SELECT fit('{"hierarchy": ["day"]}');
-- Errors of forecasting
SELECT ask($$SELECT * FROM forecast('m', 1, '{"item": "i9"}', aggregates => true)$$);
SELECT ask($$SELECT * FROM forecast('m', 1, '{"itm": "i1"}', aggregates => true)$$);
SELECT fit('{}', model => 'plain');
SELECT ask($$SELECT * FROM forecast('plain', aggregates => true)$$);
SELECT ask($$SELECT * FROM forecast_quantiles('plain', aggregates => true)$$);
SELECT ask($$SELECT * FROM forecast('plain', aggregates => NULL)$$);
SELECT ask($$SELECT * FROM forecast('plain', series => '{"category": "C1"}')$$);
-- What has become no tree since says so.
UPDATE sales SET category = 'C7' WHERE store = 1 AND item = 'i1';
SELECT ask($$SELECT * FROM forecast('m')$$);
UPDATE sales SET category = NULL WHERE store = 1 AND item = 'i1';
SELECT ask($$SELECT * FROM forecast('m')$$);
SELECT forecast_drop('m'), forecast_drop('auto'), forecast_drop('copy'), forecast_drop('plain');
