# README.md's SQL runs in the demo's data and prints what README.md shows.
source "$(dirname "$0")/common.sh.inc"
database readme
root=$(cd "$(dirname "$0")/../.." && pwd)
(cd "$root/examples" && psql -Xq -v ON_ERROR_STOP=1 -f load.sql)
PGOPTIONS='' PGTZ=UTC python3 "$root/tests/readme.py" "$root/README.md"
