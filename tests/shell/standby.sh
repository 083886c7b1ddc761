# A hot standby gives the primary's forecasts and refuses to train.
source "$(dirname "$0")/../../scripts/common.sh"
source "$(dirname "$0")/common.sh.inc"
database replicated
query "$SALES" && query "$TRAIN" >/dev/null
bin=$("$PG_CONFIG" --bindir) standby=$PGHOST/standby
as_server rm -rf "$standby"
as_server "$bin/pg_basebackup" -h "$PGHOST" -p "$PGPORT" -U postgres -D "$standby" -R -X stream -c fast
as_server "$bin/pg_ctl" -D "$standby" -w -l "$PGHOST/standby.log" -o "-c listen_addresses='' -c unix_socket_directories='$PGHOST' -c port=54330" start >/dev/null
trap 'as_server "$bin/pg_ctl" -D "$standby" -m immediate stop >/dev/null' EXIT
FORECAST="SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM forecast('shop') AS f"
same "$(PGPORT=54330 query "$FORECAST")" "$(query "$FORECAST")" "standby"
same "$(PGPORT=54330 sqlstate "$TRAIN")" 25006 "training on a standby"
query "${TRAIN/epochs\\\": 2/epochs\\\": 3}" >/dev/null
for _ in $(seq 50); do
  [ "$(PGPORT=54330 query 'SELECT max(version) FROM forecast_models')" = 2 ] && break
  sleep 0.1
done
same "$(PGPORT=54330 query "$FORECAST")" "$(query "$FORECAST")" "standby after a new training"
