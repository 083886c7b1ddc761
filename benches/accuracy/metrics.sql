-- The error measures of the field in SQL. A history is a query of (id, step, y), points one of (id, actual, forecast, quantiles); id is
-- text, values are float8, those of steps not known are NULL and not scored, quantiles stand at 0.025, 0.1, 0.2 ... 0.9, 0.975.
CREATE SCHEMA bench;

-- Mean absolute and mean squared difference of each series from a season before; from the step before where no season fits.
CREATE FUNCTION bench.scale(history text, season int) RETURNS TABLE (id text, absolute float8, squared float8) LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY EXECUTE format($sql$
    SELECT id, coalesce(avg(abs(y - before)), avg(abs(y - previous))), coalesce(avg((y - before) ^ 2), avg((y - previous) ^ 2))
    FROM (SELECT id, y, lag(y, $1) OVER past AS before, lag(y) OVER past AS previous
          FROM (%s) AS history WINDOW past AS (PARTITION BY id ORDER BY step)) AS lagged
    GROUP BY id
  $sql$, history) USING season;
END $$;

-- Each value of the last season again, a missing one as the last known before it; normal quantiles that widen with each season ahead.
CREATE FUNCTION bench.seasonal_naive(history text, season int, horizon int)
RETURNS TABLE (id text, step int, forecast float8, quantiles float8[]) LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY EXECUTE format($sql$
    WITH known AS (
      SELECT id, y, count(y) OVER (PARTITION BY id ORDER BY step) AS known, row_number() OVER (PARTITION BY id ORDER BY step DESC) AS back
      FROM (%s) AS history
    ), filled AS (SELECT id, back, max(y) OVER (PARTITION BY id, known) AS y FROM known)
    SELECT newest.id, ahead, coalesce(seen.y, newest.y), (
      SELECT array_agg(coalesce(seen.y, newest.y) + z * sqrt(squared * (1 + (ahead - 1) / $1)) ORDER BY z)
      FROM unnest('{-1.959964,-1.281552,-0.841621,-0.524401,-0.253347,0,0.253347,0.524401,0.841621,1.281552,1.959964}'::float8[]) AS z)
    FROM bench.scale($2, $1) AS scale
    JOIN filled AS newest ON newest.id = scale.id CROSS JOIN generate_series(1, $3) AS ahead
    LEFT JOIN filled AS seen ON seen.id = newest.id AND seen.back = $1 - (ahead - 1) %% $1
    WHERE newest.back = 1
  $sql$, history) USING season, history, horizon;
END $$;

-- MASE and WQL over all points; mase_series, RMSSE and sMAPE (percent) over series. Series without a scale count in no scaled measure.
CREATE FUNCTION bench.score(history text, points text, season int, OUT mase float8, OUT mase_series float8, OUT rmsse float8, OUT wape float8,
  OUT smape float8, OUT wql float8, OUT bias float8, OUT cov80 float8, OUT cov95 float8) LANGUAGE plpgsql STABLE AS $$
BEGIN
  EXECUTE format($sql$
    WITH point AS (
      SELECT id, actual, forecast, quantiles, forecast - actual AS error, nullif(absolute, 0) AS absolute, nullif(squared, 0) AS squared,
        (SELECT avg(2 * abs((actual - value) * ((actual <= value)::int - tenth / 10.0)))
         FROM unnest(quantiles[2:10]) WITH ORDINALITY AS decile (value, tenth)) AS loss
      FROM (%s) AS points JOIN bench.scale($1, $2) USING (id)
    ), series AS (
      SELECT avg(abs(error) / absolute) AS mase, sqrt(avg(error ^ 2 / squared)) AS rmsse,
        avg(2 * abs(error) / nullif(abs(actual) + abs(forecast), 0)) AS smape
      FROM point GROUP BY id
    )
    SELECT avg(abs(error) / absolute), (SELECT avg(mase) FROM series), (SELECT avg(rmsse) FROM series), sum(abs(error)) / sum(abs(actual)),
      (SELECT 100 * avg(smape) FROM series), avg(loss) / avg(abs(actual)), sum(error) / sum(abs(actual)),
      avg((actual BETWEEN quantiles[2] AND quantiles[10])::int), avg((actual BETWEEN quantiles[1] AND quantiles[11])::int)
    FROM point
  $sql$, points) INTO mase, mase_series, rmsse, wape, smape, wql, bias, cov80, cov95 USING history, season;
END $$;
