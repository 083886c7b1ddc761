#!/usr/bin/env bash
# From nothing to a forecast: installs what is missing, builds, starts a private server, loads real sales, trains, shows.
source "$(dirname "$0")/common.sh"
"$ROOT/scripts/tools.sh"
say "building and installing the extension (some minutes the first time)"
"$ROOT/scripts/install.sh" 2>&1 | grep -vE '^ +(Compiling|Downloaded|Downloading)' || true
say "starting a private server"
cluster_start demo
made_of=("$ROOT"/sql/*.sql "$ROOT/examples/load.sql")
if ! is_made_of shop "${made_of[@]}"; then
  say "loading real sales: 100 categories, 2017"
  dropdb --if-exists shop
  createdb shop
  (cd "$ROOT/examples" && psql -Xq -d shop -f load.sql)
  mark_as shop "${made_of[@]}"
fi
say "training on what was known on 2 December 2017"
(cd "$ROOT/examples" && psql -X -d shop -f demo.sql)
say "done; the server runs on"
cat <<END
Play on:   psql -h $PGHOST -p $PGPORT -U postgres shop
  SELECT * FROM forecast('shop', 7, '{"category": "YOGURT"}', level => 0.95);
  SELECT * FROM forecast_models;
  SELECT * FROM forecast_evaluate('shop', by => 'step');
  SELECT * FROM forecast_series('shop') LIMIT 5;
  SELECT * FROM forecast('shop', 7, '{"category": "YOGURT"}', as_of => '2017-11-01');
Remove it: make demo-stop
END
