-- Install script of sales_forecast 0.1.0: state tables in the schema sales_forecast, functions in the extension's schema.

\echo Use "CREATE EXTENSION sales_forecast" to load this file. \quit

-- Names and operators below must not resolve to anything that others have put into the target schema.
SET LOCAL search_path TO pg_catalog, pg_temp;

-- State: written by the extension's functions only, read by people through forecast_models.

CREATE SCHEMA sales_forecast;
COMMENT ON SCHEMA sales_forecast IS 'State of the extension sales_forecast: trained models and who may use them.';
REVOKE ALL ON SCHEMA sales_forecast FROM PUBLIC;

CREATE TABLE sales_forecast.model (
  name text NOT NULL,
  owner regrole NOT NULL,
  deployed integer NOT NULL,
  created timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT model_pkey PRIMARY KEY (name),
  CONSTRAINT model_name_check CHECK (char_length(name) BETWEEN 1 AND 63),
  CONSTRAINT model_deployed_check CHECK (deployed > 0)
);
COMMENT ON TABLE sales_forecast.model IS 'Named models: who owns them and which version answers forecast().';
COMMENT ON COLUMN sales_forecast.model.name IS 'Name, as given to forecast_train.';
COMMENT ON COLUMN sales_forecast.model.owner IS 'Role that trained it first; forecasts read the source with its rights.';
COMMENT ON COLUMN sales_forecast.model.deployed IS 'Version that answers when a call names none.';
COMMENT ON COLUMN sales_forecast.model.created IS 'When the name was first trained or imported.';

CREATE TABLE sales_forecast.version (
  model text NOT NULL,
  version integer NOT NULL,
  created timestamptz NOT NULL DEFAULT now(),
  extension_version text NOT NULL,
  format integer NOT NULL,
  kind text NOT NULL,
  source text NOT NULL,
  target text NOT NULL,
  time_column text,
  series_columns text[] NOT NULL DEFAULT '{}',
  horizon integer,
  frequency text,
  series bigint NOT NULL,
  rows bigint NOT NULL,
  data_from timestamptz,
  data_to timestamptz,
  epochs integer NOT NULL,
  seconds double precision NOT NULL,
  device text NOT NULL,
  peak_memory_mb integer,
  metric text NOT NULL,
  value double precision,
  baseline text NOT NULL,
  baseline_value double precision,
  skill double precision,
  metrics jsonb NOT NULL,
  config jsonb NOT NULL,
  row_security_active boolean NOT NULL,
  body bytea NOT NULL,
  sha256 bytea NOT NULL,
  CONSTRAINT version_pkey PRIMARY KEY (model, version),
  CONSTRAINT version_model_fkey FOREIGN KEY (model) REFERENCES sales_forecast.model (name) ON DELETE CASCADE,
  CONSTRAINT version_version_check CHECK (version > 0),
  CONSTRAINT version_extension_version_check CHECK (char_length(extension_version) BETWEEN 1 AND 63),
  CONSTRAINT version_format_check CHECK (format > 0),
  CONSTRAINT version_kind_check CHECK (kind IN ('series', 'regression')),
  CONSTRAINT version_source_check CHECK (char_length(source) BETWEEN 1 AND 1048576),
  CONSTRAINT version_target_check CHECK (char_length(target) BETWEEN 1 AND 63),
  CONSTRAINT version_time_column_check CHECK (char_length(time_column) BETWEEN 1 AND 63),
  CONSTRAINT version_series_columns_check CHECK (cardinality(series_columns) <= 1600),
  CONSTRAINT version_horizon_check CHECK (horizon > 0),
  CONSTRAINT version_series_model_check
    CHECK (kind <> 'series' OR (time_column IS NOT NULL AND horizon IS NOT NULL AND frequency IS NOT NULL)),
  CONSTRAINT version_frequency_check CHECK (char_length(frequency) BETWEEN 1 AND 63),
  CONSTRAINT version_series_check CHECK (series >= 0),
  CONSTRAINT version_rows_check CHECK (rows >= 0),
  CONSTRAINT version_data_check CHECK (data_from <= data_to),
  CONSTRAINT version_epochs_check CHECK (epochs >= 0),
  CONSTRAINT version_seconds_check CHECK (seconds >= 0 AND seconds < 'Infinity'),
  CONSTRAINT version_device_check CHECK (char_length(device) BETWEEN 1 AND 255),
  CONSTRAINT version_peak_memory_mb_check CHECK (peak_memory_mb >= 0),
  CONSTRAINT version_metric_check CHECK (char_length(metric) BETWEEN 1 AND 63),
  CONSTRAINT version_value_check CHECK (value > '-Infinity' AND value < 'Infinity'),
  CONSTRAINT version_baseline_check CHECK (char_length(baseline) BETWEEN 1 AND 63),
  CONSTRAINT version_baseline_value_check CHECK (baseline_value > '-Infinity' AND baseline_value < 'Infinity'),
  CONSTRAINT version_skill_check CHECK (skill > '-Infinity' AND skill < 'Infinity'),
  CONSTRAINT version_metrics_check CHECK (jsonb_typeof(metrics) = 'object'),
  CONSTRAINT version_config_check CHECK (jsonb_typeof(config) = 'object'),
  CONSTRAINT version_body_check CHECK (octet_length(body) BETWEEN 1 AND 67108864),
  CONSTRAINT version_sha256_check CHECK (octet_length(sha256) = 32)
);
-- Weights don't compress; without the attempt they are stored and read faster.
ALTER TABLE sales_forecast.version ALTER COLUMN body SET STORAGE EXTERNAL;
COMMENT ON TABLE sales_forecast.version IS 'Trained versions of models, one row each: what was trained, how well, and the weights.';
COMMENT ON COLUMN sales_forecast.version.model IS 'Name of the model.';
COMMENT ON COLUMN sales_forecast.version.version IS 'Number within the model, counted from 1.';
COMMENT ON COLUMN sales_forecast.version.created IS 'When it was trained.';
COMMENT ON COLUMN sales_forecast.version.extension_version IS 'Version of sales_forecast that trained it.';
COMMENT ON COLUMN sales_forecast.version.format IS 'Number of the format of body.';
COMMENT ON COLUMN sales_forecast.version.kind IS 'series: forecasts over time; regression: one value per row.';
COMMENT ON COLUMN sales_forecast.version.source IS 'Table, view or query it was trained on and forecasts from.';
COMMENT ON COLUMN sales_forecast.version.target IS 'Column that is forecast.';
COMMENT ON COLUMN sales_forecast.version.time_column IS 'Column with the time of each row; NULL for regression.';
COMMENT ON COLUMN sales_forecast.version.series_columns IS 'Columns that name a series.';
COMMENT ON COLUMN sales_forecast.version.horizon IS 'Steps ahead it was trained for; NULL for regression.';
COMMENT ON COLUMN sales_forecast.version.frequency IS 'Length of one step; NULL for regression.';
COMMENT ON COLUMN sales_forecast.version.series IS 'Number of series it was trained on.';
COMMENT ON COLUMN sales_forecast.version.rows IS 'Number of source rows it was trained on.';
COMMENT ON COLUMN sales_forecast.version.data_from IS 'Time of the first row it was trained on.';
COMMENT ON COLUMN sales_forecast.version.data_to IS 'Time of the last row it was trained on.';
COMMENT ON COLUMN sales_forecast.version.epochs IS 'Passes over the data until it was good.';
COMMENT ON COLUMN sales_forecast.version.seconds IS 'Duration of the training in seconds.';
COMMENT ON COLUMN sales_forecast.version.device IS 'Processor that trained it.';
COMMENT ON COLUMN sales_forecast.version.peak_memory_mb IS 'Most memory the training took, in MB.';
COMMENT ON COLUMN sales_forecast.version.metric IS 'Error measure of value and baseline_value, on data held out of training.';
COMMENT ON COLUMN sales_forecast.version.value IS 'Error of the model.';
COMMENT ON COLUMN sales_forecast.version.baseline IS 'Simple method it was compared with.';
COMMENT ON COLUMN sales_forecast.version.baseline_value IS 'Error of the baseline on the same data.';
COMMENT ON COLUMN sales_forecast.version.skill IS '1 - value / baseline_value: above 0 the model is better than the baseline.';
COMMENT ON COLUMN sales_forecast.version.metrics IS 'All error measures of the model and its baselines, and the seconds of every stage of the training.';
COMMENT ON COLUMN sales_forecast.version.config IS 'Everything the training was told, defaults filled in.';
COMMENT ON COLUMN sales_forecast.version.row_security_active IS 'Whether row-level security hid rows of the source from the training.';
COMMENT ON COLUMN sales_forecast.version.body IS 'Weights, scaling and dictionaries as a safetensors file.';
COMMENT ON COLUMN sales_forecast.version.sha256 IS 'SHA-256 of body, checked when it is read.';

CREATE TABLE sales_forecast.privilege (
  model text NOT NULL,
  role regrole NOT NULL,
  CONSTRAINT privilege_pkey PRIMARY KEY (model, role),
  CONSTRAINT privilege_model_fkey FOREIGN KEY (model) REFERENCES sales_forecast.model (name) ON DELETE CASCADE
);
COMMENT ON TABLE sales_forecast.privilege IS 'Roles other than the owner that may use a model.';
COMMENT ON COLUMN sales_forecast.privilege.model IS 'Name of the model.';
COMMENT ON COLUMN sales_forecast.privilege.role IS 'Role that may call forecast with it; - is PUBLIC.';

REVOKE ALL ON sales_forecast.model, sales_forecast.version, sales_forecast.privilege FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('sales_forecast.model', '');
SELECT pg_catalog.pg_extension_config_dump('sales_forecast.version', '');
-- A grant to a role that was dropped would be restored as a bare number, which another role may have by then.
SELECT pg_catalog.pg_extension_config_dump('sales_forecast.privilege',
  $$WHERE role::pg_catalog.oid OPERATOR(pg_catalog.=) 0 OR role::pg_catalog.oid IN (SELECT oid FROM pg_catalog.pg_roles)$$);

-- Rows that functions return. Composite types, because an output column may not share its name with an argument.

CREATE TYPE sales_forecast.forecast_row AS (
  series jsonb,
  "time" timestamptz,
  forecast double precision,
  lower double precision,
  upper double precision
);
COMMENT ON TYPE sales_forecast.forecast_row IS 'One row of forecast(): a series, a step ahead, and the interval around its forecast.';
COMMENT ON COLUMN sales_forecast.forecast_row.series IS 'Series columns and their values, for example {"store": 1, "sku": "A"}; columns of an aggregate''s level, {} for the total.';
COMMENT ON COLUMN sales_forecast.forecast_row."time" IS 'Start of the step.';
COMMENT ON COLUMN sales_forecast.forecast_row.forecast IS 'Expected value.';
COMMENT ON COLUMN sales_forecast.forecast_row.lower IS 'Lower end of the interval that holds the value with the probability level.';
COMMENT ON COLUMN sales_forecast.forecast_row.upper IS 'Upper end of that interval.';

CREATE TYPE sales_forecast.quantile_row AS (
  series jsonb,
  "time" timestamptz,
  quantile double precision,
  value double precision
);
COMMENT ON TYPE sales_forecast.quantile_row IS 'One row of forecast_quantiles(): a series, a step ahead, and a value it stays below with a probability.';
COMMENT ON COLUMN sales_forecast.quantile_row.series IS 'Series columns and their values, for example {"store": 1, "sku": "A"}; columns of an aggregate''s level, {} for the total.';
COMMENT ON COLUMN sales_forecast.quantile_row."time" IS 'Start of the step.';
COMMENT ON COLUMN sales_forecast.quantile_row.quantile IS 'Probability of a value below, between 0 and 1.';
COMMENT ON COLUMN sales_forecast.quantile_row.value IS 'The quantile itself, in units of the target.';

CREATE TYPE sales_forecast.scored_row AS (
  "row" bigint,
  id text,
  forecast double precision
);
COMMENT ON TYPE sales_forecast.scored_row IS 'One row of forecast_rows(): a row of the source and its prediction.';
COMMENT ON COLUMN sales_forecast.scored_row."row" IS 'Number of the row in the order in which the source gives them, from 1.';
COMMENT ON COLUMN sales_forecast.scored_row.id IS 'Value of the column that id names, as text; NULL if it names none.';
COMMENT ON COLUMN sales_forecast.scored_row.forecast IS 'Expected value of the target.';

-- Models people may see.

CREATE VIEW @extschema@.forecast_models WITH (security_barrier = true) AS
SELECT
  m.name AS model,
  v.version,
  v.version OPERATOR(pg_catalog.=) m.deployed AS deployed,
  v.kind,
  pg_catalog.pg_get_userbyid(m.owner) AS owner,
  v.source,
  v.target,
  v.horizon,
  v.frequency,
  v.series,
  v.rows,
  v.data_from,
  v.data_to,
  v.metric,
  v.value,
  v.baseline,
  v.baseline_value,
  v.skill,
  v.epochs,
  v.seconds,
  v.device,
  v.peak_memory_mb,
  v.created,
  pg_catalog.now() OPERATOR(pg_catalog.-) v.created AS age
FROM sales_forecast.model AS m
JOIN sales_forecast.version AS v ON v.model OPERATOR(pg_catalog.=) m.name
WHERE pg_catalog.pg_has_role(m.owner::pg_catalog.oid, 'USAGE')
  OR EXISTS (
    SELECT FROM sales_forecast.privilege AS p
    WHERE p.model OPERATOR(pg_catalog.=) m.name
      AND (p.role::pg_catalog.oid OPERATOR(pg_catalog.=) 0::pg_catalog.oid OR pg_catalog.pg_has_role(p.role::pg_catalog.oid, 'USAGE'))
  );
COMMENT ON VIEW @extschema@.forecast_models IS 'Models you may use, one row a version, with the error of each against a simple baseline.';
COMMENT ON COLUMN @extschema@.forecast_models.model IS 'Name of the model.';
COMMENT ON COLUMN @extschema@.forecast_models.version IS 'Number within the model, counted from 1.';
COMMENT ON COLUMN @extschema@.forecast_models.deployed IS 'Whether forecast() uses this version when a call names none.';
COMMENT ON COLUMN @extschema@.forecast_models.kind IS 'series: forecasts over time; regression: one value per row.';
COMMENT ON COLUMN @extschema@.forecast_models.owner IS 'Role that may replace, deploy, grant, export and drop the model.';
COMMENT ON COLUMN @extschema@.forecast_models.source IS 'Table, view or query it was trained on and forecasts from.';
COMMENT ON COLUMN @extschema@.forecast_models.target IS 'Column that is forecast.';
COMMENT ON COLUMN @extschema@.forecast_models.horizon IS 'Steps ahead it was trained for; NULL for regression.';
COMMENT ON COLUMN @extschema@.forecast_models.frequency IS 'Length of one step; NULL for regression.';
COMMENT ON COLUMN @extschema@.forecast_models.series IS 'Number of series it was trained on.';
COMMENT ON COLUMN @extschema@.forecast_models.rows IS 'Number of source rows it was trained on.';
COMMENT ON COLUMN @extschema@.forecast_models.data_from IS 'Time of the first row it was trained on.';
COMMENT ON COLUMN @extschema@.forecast_models.data_to IS 'Time of the last row it was trained on.';
COMMENT ON COLUMN @extschema@.forecast_models.metric IS 'Error measure of value and baseline_value, on data held out of training.';
COMMENT ON COLUMN @extschema@.forecast_models.value IS 'Error of the model.';
COMMENT ON COLUMN @extschema@.forecast_models.baseline IS 'Simple method it was compared with.';
COMMENT ON COLUMN @extschema@.forecast_models.baseline_value IS 'Error of the baseline on the same data.';
COMMENT ON COLUMN @extschema@.forecast_models.skill IS '1 - value / baseline_value: above 0 the model is better than the baseline.';
COMMENT ON COLUMN @extschema@.forecast_models.epochs IS 'Passes over the data until it was good.';
COMMENT ON COLUMN @extschema@.forecast_models.seconds IS 'Duration of the training in seconds.';
COMMENT ON COLUMN @extschema@.forecast_models.device IS 'Processor that trained it.';
COMMENT ON COLUMN @extschema@.forecast_models.peak_memory_mb IS 'Most memory the training took, in MB.';
COMMENT ON COLUMN @extschema@.forecast_models.created IS 'When it was trained.';
COMMENT ON COLUMN @extschema@.forecast_models.age IS 'Time since it was trained.';
GRANT SELECT ON @extschema@.forecast_models TO PUBLIC;

-- Keeping models. Rights are checked inside, against the current user, on every call.

CREATE FUNCTION @extschema@.forecast_deploy(model text, version integer)
RETURNS integer VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'forecast_deploy_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_deploy(text, integer)
IS 'Makes a version the one that answers forecast(); returns the version that answered before.';

CREATE FUNCTION @extschema@.forecast_drop(model text, version integer DEFAULT NULL)
RETURNS integer VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'forecast_drop_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_drop(text, integer)
IS 'Drops a model, or one version of it, and returns how many versions are gone; the newest one left answers if need be.';

CREATE FUNCTION @extschema@.forecast_grant(model text, role text)
RETURNS void VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'forecast_grant_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_grant(text, text)
IS 'Lets a role, or everyone with ''public'', forecast with a model; it needs no right on the source.';

CREATE FUNCTION @extschema@.forecast_revoke(model text, role text)
RETURNS void VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'forecast_revoke_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_revoke(text, text)
IS 'Takes back what forecast_grant gave to a role, or to ''public''.';

CREATE FUNCTION @extschema@.forecast_export(model text, version integer DEFAULT NULL)
RETURNS bytea STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'forecast_export_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_export(text, integer)
IS 'Returns one version of a model as bytes for forecast_import in another database; for its owner only.';

CREATE FUNCTION @extschema@.forecast_import(data bytea, model text DEFAULT NULL, source text DEFAULT NULL)
RETURNS integer VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'forecast_import_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_import(bytea, text, text)
IS 'Stores what forecast_export returned as a version of a model of yours and returns its number.';

-- Training and forecasting.

CREATE FUNCTION @extschema@.forecast_fit(
  INOUT model text,
  source text,
  target text,
  time_column text DEFAULT NULL,
  series_columns text[] DEFAULT NULL,
  horizon integer DEFAULT NULL,
  frequency text DEFAULT 'auto',
  static_covariates text[] DEFAULT NULL,
  past_covariates text[] DEFAULT NULL,
  future_covariates text[] DEFAULT NULL,
  features text[] DEFAULT NULL,
  options jsonb DEFAULT NULL,
  OUT version integer,
  OUT series bigint,
  OUT rows bigint,
  OUT epochs integer,
  OUT seconds double precision,
  OUT metric text,
  OUT value double precision,
  OUT baseline text,
  OUT baseline_value double precision,
  OUT skill double precision
)
RETURNS SETOF record VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1
AS 'MODULE_PATHNAME', 'forecast_fit_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_fit(
  text, text, text, text, text[], integer, text, text[], text[], text[], text[], jsonb)
IS 'Trains a model on a table, view or query and returns one row with its error; the same as CALL forecast_train.';

CREATE PROCEDURE @extschema@.forecast_train(
  INOUT model text,
  source text,
  target text,
  time_column text DEFAULT NULL,
  series_columns text[] DEFAULT NULL,
  horizon integer DEFAULT NULL,
  frequency text DEFAULT 'auto',
  static_covariates text[] DEFAULT NULL,
  past_covariates text[] DEFAULT NULL,
  future_covariates text[] DEFAULT NULL,
  features text[] DEFAULT NULL,
  options jsonb DEFAULT NULL,
  INOUT version integer DEFAULT NULL,
  INOUT series bigint DEFAULT NULL,
  INOUT rows bigint DEFAULT NULL,
  INOUT epochs integer DEFAULT NULL,
  INOUT seconds double precision DEFAULT NULL,
  INOUT metric text DEFAULT NULL,
  INOUT value double precision DEFAULT NULL,
  INOUT baseline text DEFAULT NULL,
  INOUT baseline_value double precision DEFAULT NULL,
  INOUT skill double precision DEFAULT NULL
)
LANGUAGE sql
BEGIN ATOMIC
  SELECT f.model, f.version, f.series, f.rows, f.epochs, f.seconds, f.metric, f.value, f.baseline, f.baseline_value, f.skill
  FROM @extschema@.forecast_fit(
    forecast_train.model, forecast_train.source, forecast_train.target, forecast_train.time_column,
    forecast_train.series_columns, forecast_train.horizon, forecast_train.frequency, forecast_train.static_covariates,
    forecast_train.past_covariates, forecast_train.future_covariates, forecast_train.features, forecast_train.options
  ) AS f;
END;
COMMENT ON PROCEDURE @extschema@.forecast_train
IS 'Trains a model on a table, view or query: CALL forecast_train(model => ..., source => ..., target => ...).';

CREATE FUNCTION @extschema@.forecast_support(internal)
RETURNS internal STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'forecast_support_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_support(internal)
IS 'Tells the planner how many rows a call will return, and at what cost; for PostgreSQL alone.';

CREATE FUNCTION @extschema@.forecast(
  model text,
  horizon integer DEFAULT NULL,
  series jsonb DEFAULT NULL,
  level double precision DEFAULT 0.8,
  future text DEFAULT NULL,
  as_of timestamptz DEFAULT NULL,
  version integer DEFAULT NULL,
  aggregates boolean DEFAULT false
)
RETURNS SETOF sales_forecast.forecast_row STABLE PARALLEL SAFE COST 10000 ROWS 100
SUPPORT @extschema@.forecast_support
AS 'MODULE_PATHNAME', 'forecast_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast(text, integer, jsonb, double precision, text, timestamptz, integer, boolean)
IS 'Forecasts every series of a model, or those that match series, from the newest rows of its source; with aggregates also the sums of its hierarchy, the total first. A new series is forecast by its peers; one that the source lacks is described by its key and static covariates in series.';

CREATE FUNCTION @extschema@.forecast_quantiles(
  model text,
  quantiles double precision[] DEFAULT '{0.1,0.5,0.9}',
  horizon integer DEFAULT NULL,
  series jsonb DEFAULT NULL,
  future text DEFAULT NULL,
  as_of timestamptz DEFAULT NULL,
  version integer DEFAULT NULL,
  aggregates boolean DEFAULT false
)
RETURNS SETOF sales_forecast.quantile_row STABLE PARALLEL SAFE COST 10000 ROWS 300
SUPPORT @extschema@.forecast_support
AS 'MODULE_PATHNAME', 'forecast_quantiles_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_quantiles(text, double precision[], integer, jsonb, text, timestamptz, integer, boolean)
IS 'Forecasts as forecast() does, one row for each series, step and quantile.';

CREATE FUNCTION @extschema@.forecast(model text, "row" record)
RETURNS double precision STABLE PARALLEL SAFE COST 50
AS 'MODULE_PATHNAME', 'forecast_row_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast(text, record)
IS 'Predicts the target of a regression model for a row: SELECT forecast(''ratings'', t) FROM new_rows t.';

CREATE FUNCTION @extschema@.forecast(model text, features jsonb, version integer DEFAULT NULL)
RETURNS double precision STABLE PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'forecast_features_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast(text, jsonb, integer)
IS 'Predicts the target of a regression model from an object of features: SELECT forecast(''ratings'', features => ''{...}'').';

CREATE FUNCTION @extschema@.forecast_rows(
  model text,
  source text,
  id text DEFAULT NULL,
  version integer DEFAULT NULL
)
RETURNS SETOF sales_forecast.scored_row STABLE PARALLEL SAFE COST 100000 ROWS 100000
AS 'MODULE_PATHNAME', 'forecast_rows_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_rows(text, text, text, integer)
IS 'Predicts the target of a regression model for every row of a table, view or query of yours, many rows at a time; id names a column to tell rows by.';

CREATE FUNCTION @extschema@.forecast_evaluate(
  model text,
  by text DEFAULT 'model',
  version integer DEFAULT NULL,
  OUT series jsonb,
  OUT step integer,
  OUT "window" integer,
  OUT method text,
  OUT n bigint,
  OUT mse double precision,
  OUT mae double precision,
  OUT rmse double precision,
  OUT wape double precision,
  OUT smape double precision,
  OUT mase double precision,
  OUT rmsse double precision,
  OUT bias double precision,
  OUT wql double precision,
  OUT coverage_80 double precision,
  OUT coverage_95 double precision,
  OUT winkler_80 double precision,
  OUT winkler_95 double precision,
  OUT baseline text,
  OUT baseline_value double precision,
  OUT skill double precision,
  OUT wins double precision
)
RETURNS SETOF record STABLE PARALLEL SAFE COST 10000 ROWS 100
AS 'MODULE_PATHNAME', 'forecast_evaluate_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_evaluate(text, text, integer)
IS 'Returns the errors of a model on data held out of training, as a whole, by series, step, backtest window (1 is the oldest) or method; method cold_start is series whose history was hidden; wins is the share of series and windows in which a method alone had the least error.';

CREATE FUNCTION @extschema@.forecast_backtest(
  model text,
  windows integer DEFAULT 4,
  step integer DEFAULT NULL,
  level double precision DEFAULT 0.8,
  version integer DEFAULT NULL,
  OUT series jsonb,
  OUT origin timestamptz,
  OUT "time" timestamptz,
  OUT actual double precision,
  OUT forecast double precision,
  OUT lower double precision,
  OUT upper double precision,
  OUT method text
)
RETURNS SETOF record VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10000
SUPPORT @extschema@.forecast_support
AS 'MODULE_PATHNAME', 'forecast_backtest_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_backtest(text, integer, integer, double precision, integer)
IS 'Trains before each of the newest windows, as forecast_train does, and returns every forecast beside the actual value; for the model''s owner.';

CREATE FUNCTION @extschema@.forecast_series(
  model text,
  version integer DEFAULT NULL,
  OUT series jsonb,
  OUT method text,
  OUT reason text,
  OUT error double precision,
  OUT baseline text,
  OUT baseline_error double precision,
  OUT rows bigint,
  OUT first timestamptz,
  OUT last timestamptz
)
RETURNS SETOF record STABLE PARALLEL SAFE COST 10000 ROWS 1000
SUPPORT @extschema@.forecast_support
AS 'MODULE_PATHNAME', 'forecast_series_wrapper' LANGUAGE c;
COMMENT ON FUNCTION @extschema@.forecast_series(text, integer)
IS 'Lists the series of a model: which method forecasts each and why, its backtest error and that of the best baseline.';
