# What every script needs: where PostgreSQL and the build are, and a private cluster that touches no other.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PG_CONFIG=${PG_CONFIG:-pg_config}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/sales_forecast/target}
# A backtrace in every error's DETAIL is for nobody.
unset RUST_BACKTRACE

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

major() { "$PG_CONFIG" --version | sed 's/[^0-9]*\([0-9]*\).*/\1/'; }

# as_server COMMAND...: runs as a user that PostgreSQL accepts: it refuses root.
as_server() {
  if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

# cluster_start NAME: sets PGHOST, PGPORT and PGUSER for a running cluster of that name; makes it when there is none.
cluster_start() {
  CLUSTER=/var/tmp/sales_forecast-$(id -u)-$1
  local bin
  bin=$("$PG_CONFIG" --bindir)
  export PGHOST=$CLUSTER PGPORT=54329 PGUSER=postgres PGDATABASE=postgres
  if [ ! -d "$CLUSTER/data" ]; then
    mkdir -p "$CLUSTER"
    if [ "$(id -u)" = 0 ]; then chown postgres "$CLUSTER"; fi
    as_server "$bin/initdb" -D "$CLUSTER/data" -U postgres -A trust -E UTF8 --no-locale >"$CLUSTER/initdb.log" 2>&1
  fi
  if ! as_server "$bin/pg_ctl" -D "$CLUSTER/data" status >/dev/null 2>&1; then
    as_server "$bin/pg_ctl" -D "$CLUSTER/data" -w -l "$CLUSTER/server.log" \
      -o "-c listen_addresses='' -c unix_socket_directories='$CLUSTER' -c port=$PGPORT -c fsync=off" start >/dev/null
  fi
}

cluster_stop() {
  CLUSTER=/var/tmp/sales_forecast-$(id -u)-$1
  if [ -d "$CLUSTER/data" ]; then
    as_server "$("$PG_CONFIG" --bindir)/pg_ctl" -D "$CLUSTER/data" -m immediate stop >/dev/null 2>&1 || true
    rm -rf "$CLUSTER"
  fi
}

# is_made_of DATABASE FILE...: whether the database bears the mark of these files; mark_as sets it.
mark_of() { cat "${@:2}" | md5sum | cut -d' ' -f1; }
is_made_of() {
  [ "$(psql -XAtc "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '$1'")" = "$(mark_of "$@")" ]
}
mark_as() { psql -Xqc "COMMENT ON DATABASE $1 IS '$(mark_of "$@")'"; }
