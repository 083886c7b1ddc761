# Every SQL statement of README.md runs, in order, in the demo's database.
source "$(dirname "$0")/common.sh.inc"
database readme
root=$(cd "$(dirname "$0")/../.." && pwd)
(cd "$root/examples" && psql -Xq -v ON_ERROR_STOP=1 -f load.sql)
awk '/^```sql/ {on = 1; next} /^```/ {on = 0} on' "$root/README.md" >"$PGHOST/readme.sql" 2>/dev/null || awk '/^```sql/ {on = 1; next} /^```/ {on = 0} on' "$root/README.md" >/tmp/sales_forecast_readme.sql
file=$PGHOST/readme.sql; [ -s "$file" ] || file=/tmp/sales_forecast_readme.sql
psql -X -v ON_ERROR_STOP=1 -f "$file" >/dev/null
