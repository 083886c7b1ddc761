-- The classic script in SQL: raw orders and ratings in, duplicates dropped, gaps filled, three features, scaling to [0, 1],
-- a split by date, an MLP 3-10-1 and one 3-128-1 (ReLU, Adam, MSE, 100 epochs, batch 32), test MSE, one prediction.
-- Needs the tables of examples/load.sql. The target is what a household spends on a shopping day.
\set ON_ERROR_STOP on
DROP TABLE IF EXISTS raw_orders, ratings CASCADE;
-- Raw orders as they come out of a shop: real purchases, one in fifty of them twice, one in a hundred without an amount.
CREATE TABLE raw_orders AS
SELECT household_id AS user_id, product_id, purchased_at::date AS day, quantity,
       CASE WHEN (household_id * 31 + product_id) % 100 <> 0 THEN sales_value END AS amount
FROM purchases;
INSERT INTO raw_orders SELECT * FROM raw_orders WHERE (user_id + product_id) % 50 = 0;
-- SYNTHETIC ratings, since the data has none: a product that a household keeps buying is rated higher.
CREATE TABLE ratings AS
SELECT user_id, product_id, min(day) AS rated_on,
       least(5, 2 + count(DISTINCT day) / 2.0 + (user_id * 7 + product_id) % 3 - 1) AS rating
FROM raw_orders GROUP BY user_id, product_id;
CREATE INDEX ON ratings (user_id, rated_on);

CREATE VIEW classic AS
WITH orders AS (          -- duplicates dropped, gaps filled by the product's usual amount
  SELECT DISTINCT user_id, product_id, day, quantity,
         coalesce(amount, avg(amount) OVER (PARTITION BY product_id), 0) AS amount
  FROM raw_orders),
product_days AS (         -- units of a product on all days before this one
  SELECT product_id, day, coalesce(sum(sum(quantity)) OVER (PARTITION BY product_id ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS sold
  FROM orders GROUP BY product_id, day),
baskets AS (
  SELECT user_id, day, sum(amount) AS spent, avg(sold) AS product_sales
  FROM orders JOIN product_days USING (product_id, day) GROUP BY user_id, day),
rated AS (                -- mean rating that the user has given before this day
  SELECT user_id, day, (SELECT avg(rating) FROM ratings r WHERE r.user_id = b.user_id AND r.rated_on < b.day) AS avg_rating
  FROM baskets b)
-- Shopping days so far by days since the first: infinite on the first day, so unknown there.
SELECT user_id, day, spent, product_sales, avg_rating,
       (row_number() OVER past - 1)::float8 / nullif(day - min(day) OVER past, 0) AS purchase_frequency
FROM baskets JOIN rated USING (user_id, day)
WINDOW past AS (PARTITION BY user_id ORDER BY day);

\echo 'MLP 3-10-1'
CALL forecast_train(
  model => 'classic_10', source => 'classic', target => 'spent', time_column => 'day',
  features => '{purchase_frequency,product_sales,avg_rating}',
  options => '{"scaling": "minmax", "lower_bound": 0, "test_share": 0.2, "network": {"hidden": [10], "activation": "relu", "loss": "mse",
    "optimizer": "adam", "learning_rate": 0.001, "schedule": "constant", "epochs": 100, "batch_size": 32}}');
\echo 'MLP 3-128-1'
CALL forecast_train(
  model => 'classic_128', source => 'classic', target => 'spent', time_column => 'day',
  features => '{purchase_frequency,product_sales,avg_rating}',
  options => '{"scaling": "minmax", "lower_bound": 0, "test_share": 0.2, "network": {"hidden": [128], "activation": "relu", "loss": "mse",
    "optimizer": "adam", "learning_rate": 0.001, "schedule": "constant", "epochs": 100, "batch_size": 32}}');
\echo 'Test MSE, and one new row'
SELECT model, metric, round(value::numeric, 2) AS value, baseline, round(baseline_value::numeric, 2) AS baseline_value
FROM forecast_models WHERE model LIKE 'classic%' ORDER BY model;
SELECT round(forecast('classic_10', features => '{"purchase_frequency": 0.3, "product_sales": 40, "avg_rating": 3.5}'::jsonb)::numeric, 1) AS spent;
