# A model trains on and forecasts from a foreign table as from the table behind it.
source "$(dirname "$0")/common.sh.inc"
database remote
query "$SALES"
database local
query "CREATE EXTENSION postgres_fdw; CREATE SERVER shop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$PGHOST', port '$PGPORT', dbname 'remote');
       CREATE USER MAPPING FOR postgres SERVER shop OPTIONS (user 'postgres'); IMPORT FOREIGN SCHEMA public LIMIT TO (sales) FROM SERVER shop INTO public"
query "$TRAIN" >/dev/null
foreign=$(query "SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM forecast('shop') AS f")
query "ALTER FOREIGN TABLE sales RENAME TO far; CREATE TABLE sales AS SELECT * FROM far"
query "$TRAIN" >/dev/null
same "$(query "SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM forecast('shop') AS f")" "$foreign" "local and foreign"
