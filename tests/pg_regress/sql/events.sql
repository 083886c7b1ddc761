-- Holidays and events: planned without rows of the future, read with the owner's rights, and errors that name what is wrong.
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA planned;
SET search_path = planned, public;
SET client_min_messages = warning;
CREATE TABLE sales AS SELECT date '2021-01-01' + d AS day, s AS sku,
  CASE WHEN d % 41 IN (37, 38) THEN 60 WHEN d % 41 = 36 THEN 5 ELSE 20 END + s + (d * 7 + s) % 3 AS qty
  FROM generate_series(0, 729) d, generate_series(1, 2) s;
CREATE TABLE sale (name text, date date, days_before int, days_after int);
INSERT INTO sale SELECT 'Sale', date '2021-01-01' + 41 * n + 37, 1, 1 FROM generate_series(0, 25) n;
CREATE FUNCTION fit(options jsonb, horizon int DEFAULT 14, time_column text DEFAULT 'day', series text[] DEFAULT '{sku}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text; made text;
BEGIN
  SELECT f.model || ' ' || f.series INTO made
  FROM forecast_fit('e', 'sales', 'qty', $3, $4, $2, options => '{"network": {"members": 1, "hidden": [32]}}'::jsonb || $1) f;
  RETURN 'trained ' || made;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(E'\n  ', state || ' ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
-- Countries
SELECT fit('{"holidays": "Germany"}');
SELECT fit('{"holidays": ["DE", "XQ"]}');
SELECT fit('{"holidays": "Atlantis"}');
SELECT fit('{"holidays": "DE-BX"}');
SELECT fit('{"holidays": "UK"}');
SELECT fit('{"holidays": 49}');
SELECT fit('{"holidays": ["DE", 49]}');
SELECT fit('{"holyday": "DE"}');
SELECT fit('{"holidays": "DE"}', NULL, NULL, NULL);
-- Event tables
SELECT fit('{"events": 7}');
SELECT fit('{"events": "sael"}');
SELECT fit('{"events": "DELETE FROM sale"}');
SELECT fit('{"events": "SELECT date FROM sale"}');
SELECT fit('{"events": "SELECT name AS nam, date FROM sale"}');
SELECT fit('{"events": "SELECT name, name AS date FROM sale"}');
SELECT fit('{"events": "SELECT name, date::timestamptz AS date FROM sale"}');
SELECT fit('{"events": "SELECT name, date, name AS days_before FROM sale"}');
SELECT fit('{"events": "SELECT name, date, -1 AS days_before FROM sale"}');
SELECT fit('{"events": "SELECT name, date, 0.5 AS days_after FROM sale"}');
SELECT fit('{"events": "SELECT name, date, 61 AS days_after FROM sale"}');
SELECT fit('{"events": "SELECT NULL::text AS name, date FROM sale"}');
SELECT fit('{"events": "SELECT name, NULL::date AS date FROM sale"}');
SELECT fit('{"events": "SELECT name, date ''infinity'' AS date FROM sale"}');
SELECT fit('{"events": "SELECT name, date, 40 AS days_before, 40 AS days_after FROM sale"}');
SELECT fit('{"events": "sale"}', NULL, NULL, NULL);
-- Learnt day by day and expected on the planned date, 5 January 2023, without a row of the future.
SELECT fit('{"events": "sale"}');
SELECT time::date, CASE WHEN forecast > 45 THEN 'high' WHEN forecast < 13 THEN 'low' ELSE 'usual' END
FROM forecast('e', 7, '{"sku": 1}') ORDER BY 1;
-- Beyond the horizon too: 15 February is step 46.
SELECT array_agg(time::date) FROM forecast('e', 60, '{"sku": 2}') WHERE forecast > 45;
-- The table is found without the search_path of the training, and read as it is now.
SET search_path = public;
UPDATE planned.sale SET date = '2023-01-09' WHERE date = '2023-01-05';
SELECT array_agg(time::date) FROM forecast('e', 14, '{"sku": 1}') WHERE forecast > 45;
INSERT INTO planned.sale VALUES ('Never heard of', '2023-01-02');
SELECT count(*) FROM forecast('e');
SET search_path = planned, public;
-- An event of one series.
SELECT fit('{"events": "SELECT *, 1 AS sku FROM sale"}');
SELECT sku, max(forecast) > 45 FROM forecast('e') CROSS JOIN LATERAL (SELECT series ->> 'sku' AS sku) s GROUP BY 1 ORDER BY 1;
-- What was too rare to learn is named.
SET client_min_messages = notice;
SELECT fit('{"holidays": ["DE", "FR"], "network": {"members": 1, "hidden": [4], "epochs": 1}, "events": "SELECT ''Fire'' AS name, date ''2021-05-01'' AS date"}');
SET client_min_messages = warning;
-- Rights: the caller's in training, the owner's in forecasts.
CREATE ROLE event_owner;
CREATE ROLE event_reader;
GRANT USAGE ON SCHEMA planned TO event_owner, event_reader;
GRANT SELECT ON sales TO event_owner;
SELECT forecast_drop('e');
SET ROLE event_owner;
SELECT fit('{"events": "sale"}');
SELECT fit('{"events": "SELECT * FROM sale"}');
RESET ROLE;
GRANT SELECT ON sale TO event_owner;
SET ROLE event_owner;
SELECT fit('{"events": "sale"}');
SELECT forecast_grant('e', 'event_reader');
SET ROLE event_reader;
SELECT count(*) FROM forecast('e') WHERE forecast > 45;
\set VERBOSITY sqlstate
SELECT count(*) FROM sale;
RESET ROLE;
REVOKE SELECT ON sale FROM event_owner;
SET ROLE event_reader;
SELECT count(*) FROM forecast('e');
RESET ROLE;
\set VERBOSITY default
-- An import takes a table over, but no query.
GRANT SELECT ON sale TO event_owner;
SELECT forecast_import(forecast_export('e'), 'f');
SELECT count(*) FROM forecast('f');
SELECT fit('{"events": "SELECT name, date FROM sale"}');
SELECT forecast_import(forecast_export('e'), 'f');
SELECT forecast_drop('e') + forecast_drop('f');
DROP SCHEMA planned CASCADE;
DROP ROLE event_owner;
DROP ROLE event_reader;
