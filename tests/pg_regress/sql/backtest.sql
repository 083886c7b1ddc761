-- Backtests in training and on demand: windows, steps, gaps, metrics, and what was said beside what happened.
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA backtests;
SET search_path TO backtests, public;
CREATE TABLE t AS SELECT date '2022-01-01' + d AS day, sku, (20 + 5 * (d % 7) + 3 * sku + (d * 37 % 11))::int AS qty
FROM generate_series(0, 159) d, generate_series(1, 3) sku;
CREATE FUNCTION fit(options jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state text; message text; detail text; hint text;
BEGIN
  PERFORM public.forecast_fit('b', 'backtests.t', 'qty', 'day', '{sku}', 7, options => options);
  RETURN 'trained';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
\ir ../ask.psql
\set ECHO queries
SELECT fit('{"backtest": {"windows": 3, "step": 5, "gap": 2, "metric": "wape"}, "network": {"members": 2, "epochs": 2}}');
-- The headline is the metric asked for; every window, step, series and method can be asked for.
SELECT metric FROM forecast_models WHERE model = 'b';
SELECT by, count(*), bool_and(n > 0 AND mae >= 0 AND wape >= 0) FROM (VALUES ('model'), ('window'), ('step'), ('series'), ('method')) g(by),
  forecast_evaluate('b', by => by) GROUP BY by ORDER BY by;
SELECT method, wql IS NOT NULL AS has_quantiles FROM forecast_evaluate('b', by => 'method') ORDER BY method COLLATE "C";
SELECT round(sum(wins)::numeric, 3) AS wins FROM forecast_evaluate('b', by => 'method');
SELECT series, method, error >= 0 AS error, baseline IS NOT NULL AS baseline, baseline_error >= 0 AS baseline_error FROM forecast_series('b') ORDER BY series;
-- On demand: windows x series x horizon rows, each beside what really happened.
SELECT count(*), count(DISTINCT origin), min(origin)::date, max(time)::date, bool_and(lower <= forecast AND forecast <= upper)
FROM forecast_backtest('b', 2, 7);
SELECT bool_and(b.actual = t.qty), max(time - origin) FROM forecast_backtest('b', 2, 7) b JOIN t ON t.day = b.time::date AND t.sku = (b.series->>'sku')::int;
-- The same windows give the same numbers; later rows change nothing before them.
CREATE TABLE before AS SELECT * FROM forecast_backtest('b', 2, 7);
UPDATE t SET qty = qty * 10 WHERE day > (SELECT max(origin)::date FROM before);
SELECT bool_and(a.forecast = b.forecast AND a.lower = b.lower AND a.upper = b.upper) FROM before a
JOIN forecast_backtest('b', 2, 7) b USING (series, origin, "time");
-- Nor with covariates, statics, holidays and demand that is mostly zero, whichever window is the newest that may know.
CREATE TABLE full_t AS SELECT day, sku, 'kind ' || sku % 2 AS kind, (extract(isodow FROM day) = 6 AND sku < 4)::int AS promo,
  (sku * 7 + extract(day FROM day)::int * 3 % 5)::int AS visits,
  CASE WHEN (extract(doy FROM day)::int * 31 + sku * 17) % 10 < 6 THEN 0 ELSE (sku + extract(doy FROM day)::int * 13 % 4) END::int AS qty
FROM generate_series(timestamp '2022-01-01', '2022-06-29', '1 day') g(d), LATERAL (SELECT g.d::date) d(day), generate_series(1, 4) sku;
CREATE FUNCTION moved(after date, kept boolean) RETURNS TABLE (series jsonb, origin timestamptz, "time" timestamptz, forecast float8, lower float8, upper float8)
LANGUAGE plpgsql AS $$
BEGIN
  DROP TABLE IF EXISTS u;
  CREATE TABLE u AS SELECT day, sku, kind, promo, CASE WHEN day > after AND NOT kept THEN visits * 9 ELSE visits END AS visits,
    CASE WHEN day > after AND NOT kept THEN qty * 5 + 1 ELSE qty END AS qty FROM full_t;
  RETURN QUERY SELECT b.series, b.origin, b.time, b.forecast, b.lower, b.upper FROM public.forecast_backtest('c', 3, 14) b WHERE b.origin::date <= after;
END $$;
CREATE TABLE u AS SELECT * FROM full_t;
SELECT count(*) FROM public.forecast_fit('c', 'backtests.u', 'qty', 'day', '{sku}', 14, static_covariates => '{kind}', past_covariates => '{visits}',
  future_covariates => '{promo}', options => '{"holidays": ["DE"], "network": {"members": 2, "epochs": 2}}');
CREATE TABLE origins AS SELECT DISTINCT origin::date AS day FROM public.forecast_backtest('c', 3, 14);
SELECT count(*) AS windows, max(compared) AS rows, bool_and(same) FROM origins o, LATERAL (
  SELECT count(*) AS compared, bool_and((a.forecast, a.lower, a.upper) = (b.forecast, b.lower, b.upper)) AS same
  FROM moved(o.day, true) a JOIN moved(o.day, false) b USING (series, origin, "time")) c;
-- Bad input.
SELECT fit('{"backtest": {"gap": -1}}');
SELECT fit('{"backtest": {"metric": "r2"}}');
SELECT ask('SELECT * FROM forecast_backtest(''b'', 0)');
SELECT ask('SELECT * FROM forecast_backtest(''b'', 2, -3)');
SELECT ask('SELECT * FROM forecast_backtest(''b'', 100, 7)');
SELECT ask('SELECT * FROM forecast_backtest(''b'', level => 1)');
SELECT ask('SELECT * FROM forecast_backtest(''nobody'')');
SELECT ask('SELECT * FROM forecast_backtest(NULL)');
-- Whoever may forecast may not see the rows behind.
CREATE ROLE backtest_reader;
GRANT USAGE ON SCHEMA backtests, public TO backtest_reader;
SELECT forecast_grant('b', 'backtest_reader');
SET ROLE backtest_reader;
SELECT ask('SELECT * FROM forecast(''b'')');
SELECT ask('SELECT * FROM forecast_backtest(''b'')');
RESET ROLE;
-- One method alone, and none but the prior.
SELECT fit('{"method": "ets", "backtest": {"windows": 1}}');
SELECT method FROM forecast_backtest('b', 1) LIMIT 1;
SELECT fit('{"method": "prior", "backtest": {"windows": 0}}');
SELECT count(*) FROM forecast('b');
SELECT count(*) FROM forecast_evaluate('b');
DROP SCHEMA backtests CASCADE;
SELECT forecast_drop('b');
SELECT forecast_drop('c');
DROP OWNED BY backtest_reader;
DROP ROLE backtest_reader;
