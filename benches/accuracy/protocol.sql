-- What is run and what came of it: tasks, the figures published for them, forecasts, and scores.
CREATE TABLE bench.task (
  task text PRIMARY KEY,         -- also the name of its table, which has a column `back`: steps to the end of the series, 0 is the newest
  key text NOT NULL,             -- column that names a series
  time_column text NOT NULL,
  target text NOT NULL,
  horizon int NOT NULL,
  season int NOT NULL,           -- of the seasonal naive forecast
  scales int[] NOT NULL,         -- seasons whose in-sample difference scales MASE and RMSSE
  origins int NOT NULL,          -- a horizon apart; the newest is a horizon before the end
  statics text[] NOT NULL DEFAULT '{}',
  planned text[] NOT NULL DEFAULT '{}'
);
CREATE TABLE bench.published (task text, scale int, who text, mase float8, rmsse float8, wape float8, smape float8, wql float8, bias float8);
CREATE TABLE bench.point (
  task text, origin int, id text, step int, actual float8, forecast float8 NOT NULL, quantiles float8[] NOT NULL CHECK (cardinality(quantiles) = 11)
);
CREATE TABLE bench.result (
  task text, scale int, origin int, who text,
  mase float8, mase_series float8, rmsse float8, wape float8, smape float8, wql float8, bias float8, cov80 float8, cov95 float8,
  train_seconds float8, forecast_seconds float8, peak_mb int, unforecast bigint
);

-- The queries of one origin, 1 is the newest: what is trained on, what is planned, the history that scales errors, and what is held out.
CREATE FUNCTION bench.origin(task text, origin int, OUT source text, OUT future text, OUT history text, OUT held text) LANGUAGE sql STABLE AS $$
  SELECT format('SELECT %s FROM %I WHERE back >= %s', array_to_string(ARRAY[key, time_column, target] || statics || planned, ', '), t.task, known),
    CASE WHEN planned <> '{}' THEN
      format('SELECT %s FROM %I WHERE back BETWEEN %s AND %s', array_to_string(ARRAY[key, time_column] || planned, ', '), t.task, known - horizon, known - 1) END,
    format('SELECT %I::text AS id, -back AS step, %I::float8 AS y FROM %I WHERE back >= %s', key, target, t.task, known),
    format('SELECT %I::text AS id, %s - back AS step, %I::timestamptz AS time, %I::float8 AS actual FROM %I WHERE back BETWEEN %s AND %s',
      key, known, time_column, target, t.task, known - horizon, known - 1)
  FROM (SELECT *, horizon * origin.origin AS known FROM bench.task) AS t WHERE t.task = origin.task
$$;
