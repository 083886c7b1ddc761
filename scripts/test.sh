#!/usr/bin/env bash
# All tests: the engine without a server, then golden SQL, shell tests and the README's SQL against a private server.
source "$(dirname "$0")/common.sh"
cd "$ROOT"
passed=0 failed=0
result() { # NAME STATUS
  if [ "$2" = 0 ]; then passed=$((passed + 1)); echo "ok     $1"; else failed=$((failed + 1)); echo "not ok $1"; fi
}
say "engine: unit, property, architecture and doc tests"
status=0
cargo test --release || status=$?
result "engine tests (cargo test)" "$status"
say "building and installing the extension"
scripts/install.sh
cluster_stop test
cluster_start test
trap 'cluster_stop test' EXIT

say "golden SQL"
out=$(mktemp -d)
createdb golden
(cd examples && psql -Xq -d golden -f load.sql)
for sql in tests/pg_regress/sql/*.sql; do
  name=$(basename "$sql" .sql)
  status=0
  psql -X -a -q -d golden -f "$sql" >"$out/$name.out" 2>&1 || true
  sed -i -e 's/^psql:[^ ]* //' "$out/$name.out"
  if [ -n "${ACCEPT:-}" ]; then cp "$out/$name.out" "tests/pg_regress/expected/$name.out"; fi
  diff -u "tests/pg_regress/expected/$name.out" "$out/$name.out" || status=1
  result "sql $name" "$status"
done

say "shell tests"
for script in tests/shell/*.sh; do
  status=0
  bash "$script" || status=1
  result "shell $(basename "$script" .sh)" "$status"
done
say "all tests"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
