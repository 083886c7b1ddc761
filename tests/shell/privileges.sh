# Owner, granted and stranger; the right on the model is enough to forecast, on each call and with a warm cache.
source "$(dirname "$0")/common.sh.inc"
database privileges
query "DROP ROLE IF EXISTS owner_r, reader_r, stranger_r; CREATE ROLE owner_r; CREATE ROLE reader_r; CREATE ROLE stranger_r"
query "$SALES" && query "ALTER TABLE sales OWNER TO owner_r"
query "SET ROLE owner_r; $TRAIN" >/dev/null
FORECAST="SELECT count(*) FROM forecast('shop')"
same "$(sqlstate "SET ROLE stranger_r; $FORECAST")" 42501 "a stranger forecasts"
query "SET ROLE owner_r; SELECT forecast_grant('shop', 'reader_r')" >/dev/null
same "$(query "SET ROLE reader_r; $FORECAST")" 28 "a reader forecasts"
same "$(sqlstate "SET ROLE reader_r; SELECT * FROM sales")" 42501 "a reader reads the rows"
same "$(sqlstate "SET ROLE reader_r; SELECT forecast_drop('shop')")" 42501 "a reader drops"
same "$(sqlstate "SET ROLE reader_r; SELECT forecast_export('shop')")" 42501 "a reader exports"
same "$(sqlstate "SET ROLE stranger_r; $TRAIN")" 42501 "a stranger replaces"
# One session, warm cache, alternating roles.
same "$(psql -XAtq -v VERBOSITY=sqlstate -c "SET ROLE reader_r" -c "$FORECAST" -c "SET ROLE stranger_r" -c "$FORECAST" 2>&1 | tail -1)" "ERROR:  42501" "a warm cache"
query "SET ROLE owner_r; SELECT forecast_revoke('shop', 'reader_r')" >/dev/null
same "$(sqlstate "SET ROLE reader_r; $FORECAST")" 42501 "a revoked reader"
same "$(query "SET ROLE stranger_r; SELECT count(*) FROM forecast_models")" 0 "models that a stranger sees"
