#!/usr/bin/env bash
# make accuracy DATA=FOLDER [SETS="hospital ..."] [ORIGINS=n] [OUT=FOLDER] [OPTIONS='{...}']: the benchmark sets through SQL with untouched
# defaults. ORIGINS takes the newest n, OPTIONS is for experiments. Every result is appended to OUT/accuracy.csv, so that runs can be compared.
source "$(dirname "$0")/../../scripts/common.sh"
cd "$ROOT/benches/accuracy"
: "${DATA:?the folder with the benchmark sets as *.csv.gz}"
export DATA PGTZ=UTC PGOPTIONS='-c client_min_messages=warning'
sets=${SETS:-hospital carparts m4_weekly m4_hourly rossmann_weekly rossmann_daily}
options=${OPTIONS:-'{}'}
out=${OUT:-$CARGO_TARGET_DIR/accuracy}/accuracy.csv
mkdir -p "$(dirname "$out")"
query() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }

"$ROOT/scripts/install.sh"
cluster_start accuracy
if ! is_made_of accuracy load.sql; then
  say "loading the benchmark sets" >&2
  dropdb --if-exists accuracy
  createdb accuracy
  query -d accuracy -f load.sql
  mark_as accuracy load.sql
fi
export PGDATABASE=accuracy
query -c 'DROP SCHEMA IF EXISTS bench CASCADE; DROP EXTENSION IF EXISTS sales_forecast; CREATE EXTENSION sales_forecast' \
  -f metrics.sql -f protocol.sql -f sets.sql

# rows CONDITION FORMAT: results as CSV, with what tells runs apart.
run=$(date -u +%FT%TZ)
rows() {
  query -v run="$run" -v commit="$(git describe --always --dirty)" -v options="$options" \
    <<<"COPY (SELECT :'run' AS run, :'commit' AS commit, :'options' AS options, * FROM bench.result WHERE $1) TO STDOUT (FORMAT csv $2)"
}
if [ ! -s "$out" ]; then rows false ', HEADER' >"$out"; fi
for task in $sets; do
  origins=$(query -v task="$task" <<<"SELECT least(origins, ${ORIGINS:-origins}) FROM bench.task WHERE task = :'task'")
  : "${origins:?unknown set $task}"
  for origin in $(seq "$origins"); do
    query -v task="$task" -v origin="$origin" -v options="$options" -f origin.sql
    rows "task = '$task' AND origin = $origin" '' >>"$out"
    say "$task, origin $origin of $origins: $(query -c "
      SELECT format('MASE %s, WQL %s, RMSSE %s, %s s, %s MB', round(mase::numeric, 4), round(wql::numeric, 4), round(rmsse::numeric, 4), round(train_seconds), peak_mb)
      FROM bench.result WHERE task = '$task' AND origin = $origin AND who = 'sales_forecast' ORDER BY scale DESC LIMIT 1")" >&2
  done
done
psql -Xq -f report.sql
echo "results are rows of $out"
