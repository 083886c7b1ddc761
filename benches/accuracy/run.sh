#!/usr/bin/env bash
# make accuracy DATA=FOLDER [SETS="hospital ..."]: the benchmark sets through SQL with untouched defaults, scored on their newest window.
source "$(dirname "$0")/../../scripts/common.sh"
cd "$ROOT"
: "${DATA:?the folder with the benchmark sets as *.csv.gz}"
sets=${SETS:-hospital carparts m4_weekly m4_hourly rossmann}
scripts/install.sh
cluster_start accuracy
if [ "$(psql -XAtqc "SELECT count(*) FROM pg_class WHERE relname = 'rossmann'")" = 0 ]; then
  psql -Xq -v data="$DATA" -f benches/accuracy/load.sql -c 'CREATE EXTENSION sales_forecast'
fi
# train SET HORIZON ARGUMENTS: the newest window is held out, so it is the test part.
train() {
  psql -XAtq -c "SELECT 1 FROM forecast_fit('$1', '${3:-$1}', ${4:-'y'}, ${5:-"'day'"}, ${6:-"'{id}'"}, $2 ${7:-}, options => '${OPTIONS:-{\}}')" >/dev/null
}
for set in $sets; do
  case $set in
    hospital | carparts) train "$set" 12 "$set" "'y'" ;;
    m4_weekly) train "$set" 13 "$set" "'y'" ;;
    m4_hourly) train "$set" 48 "$set" "'y'" ;;
    rossmann) train "$set" 48 "$set" "'sales'" "'day'" "'{store}'" \
      ", static_covariates => '{store_type,assortment,competition_distance,promo2}', future_covariates => '{open,promo,school_holiday,public_holiday}'" ;;
  esac
done
psql -X <<'SQL'
\pset format aligned
SELECT m.model, round(e.mase::numeric, 4) AS mase, round(m.baseline_value::numeric, 3) AS seasonal_naive, round(e.wql::numeric, 4) AS wql,
  round(e.wape::numeric, 4) AS wape, round(e.smape::numeric, 2) AS smape, round(s.rmsse::numeric, 4) AS rmsse, round(e.bias::numeric, 4) AS bias,
  round(e.coverage_80::numeric, 3) AS cov80, round(e.coverage_95::numeric, 3) AS cov95, round(m.seconds::numeric, 1) AS seconds, m.peak_memory_mb AS mb
FROM forecast_models AS m, forecast_evaluate(m.model) AS e, LATERAL (SELECT avg(rmsse) AS rmsse FROM forecast_evaluate(m.model, by => 'series')) AS s
WHERE m.deployed ORDER BY 1;
SQL
