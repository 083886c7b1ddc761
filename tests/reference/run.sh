#!/usr/bin/env bash
# make reference: what SQL answers against numpy and torch, from PyPI into a folder of their own.
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
