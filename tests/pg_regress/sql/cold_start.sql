-- New series: those without a history are forecast by their peers, who share the static covariates that tell series apart.
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA cold;
SET search_path = cold, public;
-- Toys sell about a hundred a day, food about ten; the shelf says nothing of that.
CREATE TABLE sales AS SELECT date '2022-01-01' + d AS day, CASE WHEN s <= 16 THEN 'toy ' ELSE 'food ' END || s AS sku,
  CASE WHEN s <= 16 THEN 'toys' ELSE 'food' END AS category, s % 3 AS shelf,
  (CASE WHEN s <= 16 THEN 10 ELSE 1 END * (8 + s % 5 + 2 * ((d % 7) / 5) + (d * 37 + s * 11) % 3))::int AS qty
FROM generate_series(0, 83) d, generate_series(1, 32) s;
-- A key without a history is in the source by a row without a target; one has been sold for two days.
INSERT INTO sales VALUES ('2022-03-26', 'new toy', 'toys', 1, NULL), ('2022-03-26', 'new food', 'food', 2, NULL), ('2022-03-26', 'new', NULL, NULL, NULL);
INSERT INTO sales VALUES ('2022-03-24', 'young toy', 'toys', 1, 190), ('2022-03-25', 'young toy', 'toys', 1, 210);
\ir ../ask.psql
SELECT series FROM forecast_fit('c', 'sales', 'qty', 'day', '{sku}', 7, static_covariates => '{category,shelf}',
  options => '{"network": {"members": 1, "hidden": [16], "epochs": 2}}');
SELECT series, method, reason FROM forecast_series('c') WHERE method = 'cold_start' ORDER BY series;
-- As good as that was: 8 series whose history was hidden, beside the mean of all others.
SELECT method, n, baseline, skill > 0.5 AS better, coverage_80 > 0.5 AS covers FROM forecast_evaluate('c', by => 'method') WHERE method = 'cold_start';
SELECT series, count(*), min(time)::date, min(forecast) > CASE WHEN series @> '{"sku": "new toy"}' THEN 60 ELSE 6 END AS above,
  max(forecast) < CASE WHEN series @> '{"sku": "new toy"}' THEN 160 ELSE 16 END AS below, bool_and(lower < forecast AND forecast < upper) AS spread
FROM forecast('c', 10, '[{"sku": "new toy"}, {"sku": "new food"}]') GROUP BY 1 ORDER BY 1;
-- Alone, among all, or told of in the call: it is the same.
SELECT count(*), count(DISTINCT series) FROM forecast('c');
CREATE TABLE alone AS SELECT time, forecast, lower, upper FROM forecast('c', series => '{"sku": "new toy"}');
SELECT count(*) FROM (SELECT time, forecast, lower, upper FROM forecast('c') WHERE series @> '{"sku": "new toy"}' EXCEPT SELECT * FROM alone) other;
SELECT count(*) FROM (SELECT time, forecast, lower, upper FROM forecast('c', series => '{"sku": "unheard of", "category": "toys", "shelf": 1}') EXCEPT SELECT * FROM alone) other;
SELECT series, count(*) FROM forecast('c', 7, '[{"sku": "unheard of", "category": "toys"}, {"sku": "toy 1"}]') GROUP BY 1 ORDER BY 1;
SELECT quantile, count(*), min(value) > 60 FROM forecast_quantiles('c', '{0.1, 0.9}', 7, '{"sku": "unheard of", "category": "toys"}') GROUP BY 1 ORDER BY 1;
-- What nobody shares, and NULL, lead to all series.
SELECT upper - lower > 60 FROM forecast('c', 1, '{"sku": "unheard of", "category": "books"}');
SELECT upper - lower > 60 FROM forecast('c', 1, '{"sku": "new"}');
-- Two days are twice those of other toys, and count at once.
SELECT avg(forecast) BETWEEN 130 AND 260 FROM forecast('c', 7, '{"sku": "young toy"}');
-- What comes after the origin changes nothing.
CREATE TABLE before AS SELECT * FROM forecast('c', 7, '{"sku": "unheard of", "category": "toys"}', as_of => '2022-03-10');
UPDATE sales SET qty = 1000 * qty WHERE day > '2022-03-10';
SELECT count(*) FROM (SELECT * FROM before EXCEPT SELECT * FROM forecast('c', 7, '{"sku": "unheard of", "category": "toys"}', as_of => '2022-03-10')) other;
SELECT min(time)::date FROM before;
UPDATE sales SET qty = qty / 1000 WHERE day > '2022-03-10';
-- Errors.
SELECT ask($$SELECT * FROM forecast('c', series => '{"sku": "unheard of"}')$$);
SELECT ask($$SELECT * FROM forecast('c', series => '{"category": "toys"}')$$);
SELECT ask($$SELECT * FROM forecast('c', series => '{"sku": "unheard of", "shelf": "top"}')$$);
SELECT ask($$SELECT * FROM forecast('c', series => '{"sku": "unheard of", "category": ["toys"]}')$$);
SELECT ask($$SELECT * FROM forecast('c', series => '{"sku": "new toy", "category": "food"}')$$);
-- A plan is the new series' own.
SELECT series FROM forecast_fit('p', 'SELECT day, sku, category, qty + 40 * promo AS qty, promo FROM (SELECT *, (extract(day FROM day)::int % 4 = 0)::int AS promo FROM sales) s', 'qty', 'day', '{sku}', 7,
  static_covariates => '{category}', future_covariates => '{promo}', options => '{"network": {"members": 1, "hidden": [16], "epochs": 2}}');
SELECT ask($$SELECT * FROM forecast('p', series => '{"sku": "unheard of", "category": "toys"}')$$);
SELECT time::date, forecast > 130 FROM forecast('p', 4, '{"sku": "unheard of", "category": "toys"}',
  future => 'SELECT date ''2022-03-25'' + d AS day, ''unheard of'' AS sku, (d = 2)::int AS promo FROM generate_series(1, 7) d') ORDER BY 1;
-- With nothing to look at there is nothing to say.
CREATE TABLE nothing AS SELECT * FROM sales WHERE qty IS NULL;
SELECT ask($$SELECT * FROM forecast_fit('n', 'nothing', 'qty', 'day', '{sku}', 7)$$);
SELECT series FROM forecast_fit('n', 'SELECT * FROM sales WHERE sku IN (''toy 1'', ''new toy'')', 'qty', 'day', '{sku}', 7, options => '{"network": {"members": 1, "hidden": [16], "epochs": 2}}');
SELECT series, method, reason FROM forecast_series('n') WHERE method <> 'blend';
SELECT count(*), min(forecast) > 60 FROM forecast('n', 7, '{"sku": "new toy"}');
SELECT ask($$SELECT * FROM forecast('n', as_of => '2021-01-01')$$);
SELECT forecast_drop('c'), forecast_drop('p'), forecast_drop('n');
DROP SCHEMA cold CASCADE;
