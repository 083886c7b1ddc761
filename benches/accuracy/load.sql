-- The benchmark sets of the folder $DATA as tables; `back` counts the steps from the end of each series, 0 is the newest.
\set ON_ERROR_STOP on
CREATE TEMP TABLE monthly (id text, item text, month date, y float8, split text);
\copy monthly FROM PROGRAM 'gzip -dc "$DATA/hospital_monthly.csv.gz"' (FORMAT csv, HEADER)
CREATE TABLE hospital AS SELECT id, month, y, row_number() OVER (PARTITION BY id ORDER BY month DESC) - 1 AS back FROM monthly;
TRUNCATE monthly;
\copy monthly FROM PROGRAM 'gzip -dc "$DATA/carparts_monthly.csv.gz"' (FORMAT csv, HEADER)
CREATE TABLE carparts AS
SELECT id, month, coalesce(y, 0) AS y, row_number() OVER (PARTITION BY id ORDER BY month DESC) - 1 AS back FROM monthly;

-- The series of M4 come without dates: each counts its steps from the same start.
CREATE TEMP TABLE numbered (id text, step int, y float8, split text);
\copy numbered FROM PROGRAM 'gzip -dc "$DATA/m4_weekly.csv.gz"' (FORMAT csv, HEADER)
CREATE TABLE m4_weekly AS
SELECT id, date '1970-01-05' + 7 * step AS week, y, row_number() OVER (PARTITION BY id ORDER BY step DESC) - 1 AS back FROM numbered;
TRUNCATE numbered;
\copy numbered FROM PROGRAM 'gzip -dc "$DATA/m4_hourly.csv.gz"' (FORMAT csv, HEADER)
CREATE TABLE m4_hourly AS
SELECT id, timestamp '2015-07-01' + step * interval '1 hour' AS hour, y, row_number() OVER (PARTITION BY id ORDER BY step DESC) - 1 AS back
FROM numbered;

CREATE TEMP TABLE stores (store int, store_type text, assortment text, competition_distance float8, competition_month float8,
  competition_year float8, promo2 int, promo2_week float8, promo2_year float8, promo_interval text);
\copy stores FROM PROGRAM 'gzip -dc "$DATA/rossmann_stores.csv.gz"' (FORMAT csv, HEADER)
CREATE TEMP TABLE days (store int, day date, sales float8, open int, promo int, school_holiday int, public_holiday int);
\copy days FROM PROGRAM 'gzip -dc "$DATA/rossmann_daily.csv.gz"' (FORMAT csv, HEADER)
CREATE TABLE rossmann_daily AS
SELECT *, row_number() OVER (PARTITION BY store ORDER BY day DESC) - 1 AS back FROM days JOIN stores USING (store);
-- As fev-bench has it, which its seasonal naive shows (MASE 0.79603 and WAPE 0.21924 at season 1, both met): whole weeks from
-- Monday to Sunday, days without a value are zeros. What is known ahead is counted in days of the week.
CREATE TABLE rossmann_weekly AS
SELECT *, row_number() OVER (PARTITION BY store ORDER BY week DESC) - 1 AS back
FROM (SELECT store, date_trunc('week', day)::date AS week, coalesce(sum(sales), 0) AS sales, sum(open) AS open, sum(promo) AS promo,
        sum(school_holiday) AS school_holiday, sum(public_holiday) AS public_holiday
      FROM days GROUP BY 1, 2 HAVING count(*) = 7) AS weeks JOIN stores USING (store);
ANALYZE;
