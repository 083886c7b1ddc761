-- Bad input: each statement fails with a documented SQLSTATE, the offending value and a hint; models that were there still answer.
\pset format unaligned
SET client_min_messages = error;
CREATE SCHEMA bad;
SET search_path = bad, public;
CREATE TABLE t AS SELECT date '2022-01-01' + d AS day, s AS sku, 'S' || s AS name, (10 * s + d % 7)::float8 AS qty, (d % 3 = 0) AS promo,
  CASE WHEN d = 5 THEN float8 'NaN' WHEN d = 6 THEN float8 'Infinity' ELSE d END AS odd, NULL::int AS nothing, 7 AS same, d AS moving
  FROM generate_series(0, 119) d, generate_series(1, 3) s;
CREATE TABLE empty (LIKE t);
CREATE FUNCTION fit(target text, options jsonb DEFAULT '{"network": {"members": 1, "epochs": 1}}', source text DEFAULT 't', series text[] DEFAULT '{sku}', horizon int DEFAULT 7,
  time_column text DEFAULT 'day', frequency text DEFAULT 'auto', statics text[] DEFAULT NULL, past text[] DEFAULT NULL, future text[] DEFAULT NULL, features text[] DEFAULT NULL)
  RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text; made text;
BEGIN
  SELECT f.model || ' ' || f.series INTO made FROM forecast_fit('m', $3, $1, $6, $4, $5, $7, $8, $9, $10, $11, $2) f;
  RETURN 'trained ' || made;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
\ir ../ask.psql
\pset tuples_only on
SELECT fit('qty');
-- Sources
SELECT fit('qty', source => 'no_such_table');
SELECT fit('qty', source => 'bad.no_such');
SELECT fit('qty', source => 'empty');
SELECT fit('qty', source => 'DELETE FROM t');
SELECT fit('qty', source => 'SELECT 1; SELECT 2');
SELECT fit('qty', source => 'SELECT * FROM t FOR UPDATE');
SELECT fit('qty', source => 'SELECT * FROM t WHERE');
SELECT fit('qty', source => 'WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone');
SELECT fit('qty', source => '');
SELECT fit('qty', source => NULL);
-- Columns
SELECT fit('qyt');
SELECT fit('name');
SELECT fit('qty', time_column => 'dya');
SELECT fit('qty', time_column => 'sku');
SELECT fit('qty', series => '{skuu}');
SELECT fit('qty', series => '{sku,sku}');
SELECT fit('qty', series => '{qty}');
SELECT fit('qty', past => '{promo}', future => '{promo}');
SELECT fit('qty', statics => '{moving}');
SELECT fit('qty', future => '{nope}');
SELECT fit(NULL);
-- Values
SELECT fit('odd');
SELECT fit('nothing');
SELECT fit('qty', past => '{odd}');
SELECT fit('qty', source => 'SELECT CASE WHEN sku = 1 THEN NULL ELSE day END AS day, sku, qty FROM t');
SELECT fit('qty', source => 'SELECT ''infinity''::date AS day, sku, qty FROM t');
SELECT fit('qty', source => 'SELECT day, sku, qty FROM t WHERE day = ''2022-01-01''');
SELECT fit('qty', source => 'SELECT day, sku, qty FROM t WHERE day < ''2022-01-05''');
SELECT fit('same');
SELECT fit('qty', source => 'SELECT day, sku, 0 AS qty FROM t');
SELECT fit('qty', source => 'SELECT day, sku, qty FROM t UNION ALL SELECT ''9999-12-31'', 1, 5');
SELECT fit('qty', source => 'SELECT day, sku, 1e300 AS qty FROM t');
SELECT fit('qty', source => 'SELECT day, sku, -qty AS qty FROM t');
SELECT fit('qty', source => 'SELECT day, sku, qty FROM t UNION ALL SELECT ''2022-01-01'', 9, 5');
-- Memory and limits
SET sales_forecast.max_memory = 16;
SELECT fit('qty', source => 'SELECT day, sku, qty FROM t UNION ALL SELECT ''7000-12-31'', 1, 5');
-- Of what is read from its newest days on, the least memory that will do.
CREATE TABLE many AS SELECT date '2020-01-01' + d AS day, sku, (d % 7 + sku % 9)::float8 AS qty FROM generate_series(0, 29) d, generate_series(1, 30000) sku;
ANALYZE many;
SELECT fit('qty', '{"method": "network", "layout": "window"}', 'many', horizon => 14);
DROP TABLE many;
RESET sales_forecast.max_memory;
SET sales_forecast.max_series = 2;
SELECT fit('qty');
RESET sales_forecast.max_series;
SET sales_forecast.device = 'cuda';
SELECT fit('qty');
RESET sales_forecast.device;
-- Horizon and frequency
SELECT fit('qty', horizon => 0);
SELECT fit('qty', horizon => -1);
SELECT fit('qty', horizon => 2147483647);
SELECT fit('qty', horizon => 118);
SELECT fit('qty', frequency => 'fortnight');
SELECT fit('qty', frequency => '0 days');
SELECT fit('qty', frequency => '');
-- Options
SELECT fit('qty', '{"sed": 7}');
SELECT fit('qty', '{"network": {"hiden": [8]}}');
SELECT fit('qty', '{"network": {"hidden": [0]}}');
SELECT fit('qty', '{"network": {"hidden": [100000]}}');
SELECT fit('qty', '{"network": {"hidden": "big"}}');
SELECT fit('qty', '{"network": {"activation": "rleu"}}');
SELECT fit('qty', '{"network": {"epochs": 0}}');
SELECT fit('qty', '{"network": {"dropout": 1}}');
SELECT fit('qty', '{"network": {"learning_rate": -1}}');
SELECT fit('qty', '{"network": {"quantiles": [0.9, 0.1]}}');
SELECT fit('qty', '{"network": 5}');
SELECT fit('qty', '{"seed": -1}');
SELECT fit('qty', '{"missing": "drop"}');
SELECT fit('qty', '{"lower_bound": 9, "upper_bound": 1}');
SELECT fit('qty', '{"stockout_column": "nope"}');
SELECT fit('qty', '[]');
SELECT fit('qty', '"fast"');
-- Forecasting
SELECT ask('SELECT * FROM forecast(''nobody'')');
SELECT ask('SELECT * FROM forecast(''mm'')');
SELECT ask('SELECT * FROM forecast(''m'', version => 99)');
SELECT ask('SELECT * FROM forecast(NULL)');
SELECT ask('SELECT * FROM forecast(''m'', 0)');
SELECT ask('SELECT * FROM forecast(''m'', 100000)');
SELECT ask('SELECT * FROM forecast(''m'', level => 1)');
SELECT ask('SELECT * FROM forecast(''m'', level => ''NaN'')');
SELECT ask('SELECT * FROM forecast(''m'', series => ''{"sku": 99}'')');
SELECT ask('SELECT * FROM forecast(''m'', series => ''{"store": 1}'')');
SELECT ask('SELECT * FROM forecast(''m'', series => ''5'')');
SELECT ask('SELECT * FROM forecast(''m'', series => ''{"sku": [1]}'')');
SELECT ask('SELECT * FROM forecast(''m'', as_of => ''2000-01-01'')');
SELECT ask('SELECT forecast(''m'', features => ''{}''::jsonb)');
SELECT ask('SELECT * FROM forecast_evaluate(''m'', by => ''moon'')');
SELECT ask('SELECT * FROM forecast_quantiles(''m'', ''{0.5,1.5}'')');
SELECT ask('SELECT * FROM forecast_quantiles(''m'', ''{NULL}'')');
SELECT ask('SELECT * FROM forecast_quantiles(''m'', NULL)');
SELECT ask('SELECT forecast_deploy(''m'', 99)');
SELECT ask('SELECT forecast_drop(''nobody'')');
SELECT ask('SELECT forecast_grant(''m'', ''no_such_role'')');
SELECT ask('SELECT forecast_import(''\x00'')');
-- Planned covariates
SELECT fit('qty', future => '{promo}');
SELECT ask('SELECT * FROM forecast(''m'')');
SELECT ask('SELECT * FROM forecast(''m'', future => ''nowhere'')');
SELECT ask('SELECT * FROM forecast(''m'', 3, future => ''SELECT day + 120 AS day, sku, promo FROM t WHERE sku < 3'')');
SELECT ask('SELECT * FROM forecast(''m'', 3, future => ''SELECT day + 120 AS day, sku, promo FROM t'')');
-- Regression
SELECT fit('qty', time_column => NULL, series => NULL, horizon => NULL, features => '{sku,promo}');
SELECT ask('SELECT forecast(''m'', features => ''{"sku": 1}''::jsonb)');
SELECT ask('SELECT forecast(''m'', features => ''{"sku": "one", "promo": true}''::jsonb)');
SELECT ask('SELECT forecast(''m'', features => ''{"sku": 1, "promo": null}''::jsonb)');
SELECT ask('SELECT forecast(''m'', t) FROM t LIMIT 5');
SELECT ask('SELECT * FROM forecast(''m'')');
SELECT fit('qty', time_column => NULL, series => NULL, horizon => NULL, source => 'SELECT * FROM t LIMIT 3', features => '{sku}');
SELECT fit('qty', options => '{"backtest": {"windows": 0}}');
SELECT fit('qty', options => '{"backtest": {"window": 2}}');
SELECT fit('qty', options => '{"backtest": 3}');
SELECT fit('qty', options => '{"method": "prophet"}');
-- A source that is gone; the older versions answer as long as theirs is there.
SELECT fit('qty');
DROP TABLE t;
SELECT ask('SELECT * FROM forecast(''m'')');
CREATE TABLE t AS SELECT date '2022-01-01' + d AS day, 1 AS sku, 5 AS qty FROM generate_series(0, 50) d;
SELECT ask('SELECT * FROM forecast(''m'')');
DROP SCHEMA bad CASCADE;
SELECT forecast_drop('m');
