-- One origin of a task as a user would have it: train on the rows up to it, forecast, compare. psql -v task=... -v origin=... -v options={}
\set ON_ERROR_STOP on
\set levels '{0.025,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,0.975}'
SELECT key, time_column, target, horizon, season, scales, statics, planned FROM bench.task WHERE task = :'task' \gset
SELECT source, coalesce(future, '') AS future, history, held FROM bench.origin(:'task', :origin) \gset

SELECT clock_timestamp() AS started \gset
CALL forecast_train(model => :'task', source => :'source', target => :'target', time_column => :'time_column', series_columns => ARRAY[:'key'],
  horizon => :horizon, static_covariates => :'statics', future_covariates => :'planned', options => :'options') \g /dev/null
SELECT clock_timestamp() AS trained \gset
CREATE TEMP TABLE said AS SELECT series->>:'key' AS id, time, forecast FROM forecast(:'task', future => nullif(:'future', ''));
CREATE TEMP TABLE spread AS SELECT series->>:'key' AS id, time, array_agg(value ORDER BY quantile) AS quantiles
FROM forecast_quantiles(:'task', :'levels', future => nullif(:'future', '')) GROUP BY 1, 2;
SELECT clock_timestamp() AS forecasted \gset

-- A held-out step that got no forecast is scored with the seasonal naive one, and counted.
CREATE TEMP TABLE naive AS SELECT * FROM bench.seasonal_naive(:'history', :season, :horizon);
CREATE TEMP TABLE held AS :held;
INSERT INTO bench.point
SELECT :'task', :origin, id, step, actual, coalesce(said.forecast, naive.forecast), coalesce(spread.quantiles, naive.quantiles)
FROM held LEFT JOIN said USING (id, time) LEFT JOIN spread USING (id, time) LEFT JOIN naive USING (id, step);
SELECT count(*) FILTER (WHERE actual IS NOT NULL AND forecast IS NULL) AS unforecast FROM held LEFT JOIN said USING (id, time) \gset

INSERT INTO bench.result
SELECT :'task', scale, :origin, who, s.*, train_seconds, forecast_seconds, peak_mb, unforecast
FROM unnest(:'scales'::int[]) AS scale, (
  SELECT 'sales_forecast', format('SELECT * FROM bench.point WHERE task = %L AND origin = %s', :'task', :origin),
    extract(epoch FROM timestamptz :'trained' - timestamptz :'started'), extract(epoch FROM timestamptz :'forecasted' - timestamptz :'trained'),
    peak_memory_mb, :unforecast
  FROM forecast_models WHERE model = :'task' AND deployed
  UNION ALL SELECT 'seasonal naive', 'SELECT id, actual, forecast, quantiles FROM held JOIN naive USING (id, step)', NULL, NULL, NULL, NULL
) AS f (who, points, train_seconds, forecast_seconds, peak_mb, unforecast), LATERAL bench.score(:'history', points, scale) AS s;
SELECT forecast_drop(:'task') \g /dev/null
