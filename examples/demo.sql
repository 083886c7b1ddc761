-- Trains on the sales until 2 December 2017 and shows the forecast of the next four weeks beside what happened.
\set ON_ERROR_STOP on
\set QUIET on
\x on
CALL forecast_train(
  model          => 'shop',
  source         => 'sales_until_december',
  target         => 'units',
  time_column    => 'day',
  series_columns => '{category}',
  horizon        => 28);
\x off
\pset footer off
\echo
\echo 'Units of soft drinks a day: forecast (#), its 80 % interval (-) and what really happened (o)'
SELECT f.time::date AS day, round(f.forecast) AS forecast, s.units AS actual,
       overlay(overlay(
         repeat(' ', (f.lower / w.unit)::int) || repeat('-', ((f.upper - f.lower) / w.unit)::int + 1) || repeat(' ', 60)
         PLACING '#' FROM (f.forecast / w.unit)::int + 1)
         PLACING 'o' FROM (coalesce(s.units, 0) / w.unit)::int + 1)::char(60) AS chart
FROM forecast('shop', series => '{"category": "SOFT DRINKS"}') AS f
LEFT JOIN sales AS s ON s.day = f.time::date AND s.category = 'SOFT DRINKS',
LATERAL (SELECT 600 / 55.0 AS unit) AS w
ORDER BY 1;
\echo 'All categories, on days that the model has not seen: share of units forecast wrong (WAPE)'
WITH compared AS (
  SELECT f.forecast, coalesce(s.units, 0) AS units, coalesce(b.units, 0) AS week_before
  FROM forecast('shop') AS f
  LEFT JOIN sales AS s ON s.day = f.time::date AND s.category = f.series->>'category'
  LEFT JOIN sales AS b ON b.category = f.series->>'category'
    AND b.day = f.time::date - 7 * ceil((f.time::date - date '2017-12-02') / 7.0)::int)
SELECT round((sum(abs(forecast - units)) / sum(units))::numeric, 3) AS forecast,
       round((sum(abs(week_before - units))::float8 / sum(units))::numeric, 3) AS seasonal_naive
FROM compared;
