-- Loads the sample into the tables of the demo. Run by psql from this folder.
\set ON_ERROR_STOP on
CREATE EXTENSION IF NOT EXISTS sales_forecast;
CREATE TABLE sales (day date, category text, units integer, price float8, discount float8);
CREATE TABLE purchases (purchased_at timestamp, household_id integer, product_id integer, category text, quantity integer, sales_value float8);
\copy sales FROM PROGRAM 'gzip -dc data/daily_sales.csv.gz' (FORMAT csv, HEADER)
\copy purchases FROM PROGRAM 'gzip -dc data/purchases.csv.gz' (FORMAT csv, HEADER)
CREATE INDEX ON sales (category, day);
ANALYZE;
-- What was known on the evening of 2 December 2017; the four weeks after it are kept to compare.
CREATE VIEW sales_until_december AS SELECT * FROM sales WHERE day <= '2017-12-02';
