# The classic script in SQL beats the mean of its training rows, and its features do not look ahead.
source "$(dirname "$0")/common.sh.inc"
database classic
examples=$(dirname "$0")/../../examples
(cd "$examples" && psql -Xq -v ON_ERROR_STOP=1 -f load.sql && psql -Xq -v ON_ERROR_STOP=1 -f classic/classic.sql)
same "$(query "SELECT count(*) FROM forecast_models WHERE model LIKE 'classic%' AND value < baseline_value")" 2 "models that beat the mean"
query "CREATE TABLE before AS SELECT * FROM classic WHERE day <= '2017-09-01'"
query "UPDATE raw_orders SET quantity = quantity * 50 WHERE day > '2017-09-01'; DELETE FROM ratings WHERE rated_on > '2017-09-01'"
same "$(query "SELECT count(*) FROM (SELECT user_id, day, purchase_frequency, product_sales, avg_rating FROM classic WHERE day <= '2017-09-01'
  EXCEPT SELECT user_id, day, purchase_frequency, product_sales, avg_rating FROM before) AS moved")" 0 "features moved by the future"
