# A dumped and restored model forecasts the same bits.
source "$(dirname "$0")/common.sh.inc"
database dumped
query "$SALES" && query "$TRAIN" >/dev/null
before=$(query "SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM forecast('shop') AS f")
file=$(mktemp)
for format in c p; do
  pg_dump -F$format -f "$file" dumped
  dropdb --if-exists restored && createdb restored
  if [ $format = c ]; then pg_restore -d restored "$file"; else psql -Xq -d restored -f "$file" >/dev/null; fi
  same "$(PGDATABASE=restored query "SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM forecast('shop') AS f")" "$before" "-F$format"
done
