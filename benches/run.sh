#!/usr/bin/env bash
# make bench [FAST=1] [ONLY="scan serving ..."]: ours beside peers from PyPI, on the same data in the same run; the table is kept in benches/RESULTS.md.
# A figure is worth something on a quiet machine only. FAST takes smaller tables and keeps no table.
source "$(dirname "$0")/../scripts/common.sh"
cd "$ROOT"
tools=${XDG_CACHE_HOME:-$HOME/.cache}/sales_forecast/bench
if [ ! -x "$tools/bin/pip" ]; then python3 -m venv "$tools"; fi
packages="numpy onnx onnxruntime pandas psycopg[binary] scikit-learn statsforecast torch"
"$tools/bin/pip" install -q $packages
if [ -z "${INSTALLED:-}" ]; then scripts/install.sh; fi
cluster_stop bench
cluster_start bench
trap 'cluster_stop bench' EXIT
createdb bench
export PGDATABASE=bench PGOPTIONS='-c client_min_messages=error'
psql -Xqc 'CREATE EXTENSION sales_forecast'

figures=$(mktemp)
for part in ${ONLY:-training_step scan serving scoring all_series scale}; do
  say "$part" >&2
  log=$(mktemp)
  if ! timeout "${LIMIT:-900}" "$tools/bin/python" "benches/speed/$part.py" >>"$figures" 2>"$log"; then
    tail -n 3 "$log" >&2
    printf '{"row": "%s", "who": "left out", "name": "%s"}\n' "$part" "$(tail -n 1 "$log" | tr -d '"\\')" >>"$figures"
  fi
done

# Scripts beside these tell: name, ours, limit, unit.
if [ -z "${ONLY:-}" ]; then
  for script in benches/serving/*.sh; do
    if [ ! -e "$script" ]; then continue; fi
    say "$script" >&2
    # Of all series these scripts take a thousand: benches/speed has the whole.
    SERIES=${SERIES:-1000} timeout "${LIMIT:-900}" bash "$script" | awk -F'\t' 'NF == 4 && $2 + 0 > 0 {
      figure = "{\"row\": \"%s\", \"who\": \"%s\", \"name\": \"%s\", \"median\": %s, \"least\": %s, \"most\": %s, \"unit\": \"%s\"}\n"
      printf figure, $1, "ours", "sales_forecast", $2, $2, $2, $4
      if ($3 + 0 > 0) printf figure, $1, "limit", "limit", $3, $3, $3, $4 }' >>"$figures" || true
  done
fi

table=benches/RESULTS.md
if [ -n "${FAST:-}${ONLY:-}" ]; then table=$(mktemp); fi
"$tools/bin/python" benches/speed/table.py "$figures" >"$table" <<END
$(date -u +%F), commit $(git describe --always --dirty), \`make bench\`: $SECONDS s.
Machine: $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(free -g | awk '/^Mem:/ {print $2}') GB, load $(cut -d' ' -f1 /proc/loadavg), $(uname -sr).
Versions: PostgreSQL $(psql -XAtc 'SHOW server_version'), $(rustc --version | cut -d' ' -f1,2), $("$tools/bin/python" --version), $("$tools/bin/pip" list --format=freeze | grep -E '^(numpy|onnxruntime|pandas|psycopg|scikit-learn|statsforecast|torch)==' | tr '\n' ' ').
END
cat "$table"
