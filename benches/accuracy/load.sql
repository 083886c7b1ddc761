-- The benchmark sets as tables; psql -v data=FOLDER. Held-out rows stay in, the model never reads behind its origin.
\set ON_ERROR_STOP on
CREATE TEMP TABLE raw (unique_id text, item text, day date, y float8, split text);
\set copy 'zcat ' :data '/hospital_monthly.csv.gz'
COPY raw FROM PROGRAM :'copy' (FORMAT csv, HEADER);
CREATE TABLE hospital AS SELECT unique_id AS id, day, y, split FROM raw;
TRUNCATE raw;
\set copy 'zcat ' :data '/carparts_monthly.csv.gz'
COPY raw FROM PROGRAM :'copy' (FORMAT csv, HEADER);
CREATE TABLE carparts AS SELECT unique_id AS id, day, coalesce(y, 0) AS y, split FROM raw;
CREATE TEMP TABLE numbered (unique_id text, t int, y float8, split text);
\set copy 'zcat ' :data '/m4_weekly.csv.gz'
COPY numbered FROM PROGRAM :'copy' (FORMAT csv, HEADER);
-- Series have their own ends; a common calendar would be an invention, so each counts weeks and hours from the same start.
CREATE TABLE m4_weekly AS SELECT unique_id AS id, date '1970-01-05' + 7 * t AS day, y, split FROM numbered;
TRUNCATE numbered;
\set copy 'zcat ' :data '/m4_hourly.csv.gz'
COPY numbered FROM PROGRAM :'copy' (FORMAT csv, HEADER);
CREATE TABLE m4_hourly AS SELECT unique_id AS id, timestamp '2015-07-01' + t * interval '1 hour' AS day, y, split FROM numbered;
CREATE TEMP TABLE stores (store int, store_type text, assortment text, competition_distance float8, competition_month float8, competition_year float8,
  promo2 int, promo2_week float8, promo2_year float8, promo_interval text);
\set copy 'zcat ' :data '/rossmann_stores.csv.gz'
COPY stores FROM PROGRAM :'copy' (FORMAT csv, HEADER);
CREATE TEMP TABLE days (store int, day date, sales float8, open int, promo int, school_holiday int, public_holiday int);
\set copy 'zcat ' :data '/rossmann_daily.csv.gz'
COPY days FROM PROGRAM :'copy' (FORMAT csv, HEADER);
CREATE TABLE rossmann AS SELECT d.*, store_type, assortment, competition_distance, promo2 FROM days AS d JOIN stores USING (store);
ANALYZE;
