#!/usr/bin/env bash
# make reference [DATA=FOLDER METRICS=FILE.py [SETS="hospital ..."]]: what SQL answers against numpy and torch, from PyPI into a folder of their own;
# with DATA also the scores of benchmark sets against another definition of them.
source "$(dirname "$0")/../../scripts/common.sh"
cd "$ROOT"
tools=${XDG_CACHE_HOME:-$HOME/.cache}/sales_forecast/reference
if [ ! -x "$tools/bin/pip" ]; then python3 -m venv "$tools"; fi
"$tools/bin/pip" install -q hierarchicalforecast numpy "psycopg[binary]" torch
"$tools/bin/python" tests/reference/reconcile.py
scripts/install.sh
cluster_stop reference
cluster_start reference
trap 'cluster_stop reference' EXIT
createdb reference
export PGDATABASE=reference PGOPTIONS='-c client_min_messages=error'
psql -Xqc 'CREATE EXTENSION sales_forecast'
(cd examples && psql -Xq -f load.sql -f classic/classic.sql) >/dev/null
"$tools/bin/python" tests/reference/check.py
bench() { (cd benches/accuracy && PGTZ=UTC psql -XAtq -v ON_ERROR_STOP=1 "$@"); }
bench -f metrics.sql
if [ -n "${DATA:-}" ]; then
  bench -f load.sql -f protocol.sql -f sets.sql
  for task in ${SETS:-hospital}; do bench -v task="$task" -v origin=1 -v options='{}' -f origin.sql; done
fi
"$tools/bin/python" tests/reference/accuracy.py
