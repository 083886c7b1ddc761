# DROP EXTENSION leaves nothing behind, in any schema.
source "$(dirname "$0")/common.sh.inc"
dropdb --if-exists dropped && createdb dropped && export PGDATABASE=dropped
COUNT="SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_type), (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_depend)"
query 'CREATE SCHEMA "Odd schema"'
before=$(query "$COUNT")
query 'CREATE EXTENSION sales_forecast SCHEMA "Odd schema"'
query "$SALES" && query "SET search_path = public, \"Odd schema\"; $TRAIN" >/dev/null
query 'DROP EXTENSION sales_forecast; DROP TABLE sales'
same "$(query "$COUNT")" "$before" "objects"
