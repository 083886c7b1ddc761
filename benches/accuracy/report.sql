-- The table of make accuracy: means over the origins that were run, beside seasonal naive, the best published and the aim.
\pset null ''
WITH ran AS (
  SELECT task, scale, who, count(*) AS origins, avg(mase) AS mase, avg(rmsse) AS rmsse, avg(wape) AS wape, avg(smape) AS smape, avg(wql) AS wql,
    avg(bias) AS bias, avg(cov80) AS cov80, avg(cov95) AS cov95, avg(train_seconds) AS seconds, max(peak_mb) AS peak_mb, sum(unforecast) AS unforecast
  FROM bench.result GROUP BY 1, 2, 3
), line AS (
  SELECT * FROM ran
  UNION ALL SELECT task, scale, who, NULL, mase, rmsse, wape, smape, wql, bias, NULL, NULL, NULL, NULL, NULL
  FROM bench.published WHERE (task, scale) IN (SELECT task, scale FROM ran)
)
SELECT task AS set, scale, who, origins, round(mase::numeric, 4) AS mase, round(wql::numeric, 4) AS wql, round(rmsse::numeric, 4) AS rmsse,
  round(wape::numeric, 4) AS wape, round(smape::numeric, 2) AS smape, round(bias::numeric, 4) AS bias, round(cov80::numeric, 3) AS cov80,
  round(cov95::numeric, 3) AS cov95, round(seconds::numeric, 1) AS seconds, peak_mb AS mb, unforecast
FROM line ORDER BY task, scale DESC, CASE who WHEN 'sales_forecast' THEN 1 WHEN 'seasonal naive' THEN 2 WHEN 'aim' THEN 4 ELSE 3 END, who;
