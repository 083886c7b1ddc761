#!/usr/bin/env bash
# The extension on other versions of PostgreSQL than this machine's, as root: all tests on 17 in a Debian 13 of their own,
# and a compilation against the bindings that pgrx ships for 14, 16 and 18.
source "$(dirname "$0")/common.sh"
cd "$ROOT"
# pgrx's own bindings stand behind a flag that other crates take for a nightly compiler: only pgrx gets it.
wrapper=$(mktemp)
printf '%s\n' '#!/usr/bin/env bash' 'case "$*" in *"--crate-name pgrx_pg_sys "*) exec "$@" --cfg docsrs ;; *) exec "$@" ;; esac' >"$wrapper"
chmod +x "$wrapper"
for version in ${TYPES:-14 16 18}; do
  say "PostgreSQL $version: types"
  DOCS_RS=1 RUSTC_WRAPPER=$wrapper CARGO_TARGET_DIR=$CARGO_TARGET_DIR/versions cargo check --release --features "pg$version"
done
[ "$(id -u)" = 0 ] || { echo "a chroot needs root" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get install -y --no-install-recommends debootstrap >/dev/null
inside=${XDG_CACHE_HOME:-$HOME/.cache}/sales_forecast/trixie
say "PostgreSQL 17: a Debian 13 in $inside"
if [ ! -x "$inside/usr/lib/postgresql/17/bin/pg_config" ]; then
  rm -rf "$inside"
  debootstrap --variant=minbase --include=ca-certificates trixie "$inside" >/dev/null
  cp /etc/apt/apt.conf.d/*proxy* "$inside/etc/apt/apt.conf.d/" 2>/dev/null || true
  chroot "$inside" apt-get install -y --no-install-recommends postgresql-17 postgresql-server-dev-17 gcc libc6-dev pkg-config libclang-dev clang gzip python3 >/dev/null
fi
cargo fetch
mkdir -p "$inside/source" "$inside/target"
mounts=("$ROOT:source" "$(rustc --print sysroot):rust" "${CARGO_HOME:-$HOME/.cargo}:cargo" /dev:dev /proc:proc)
trap 'for mount in "${mounts[@]}"; do umount "$inside/${mount#*:}" 2>/dev/null || true; done' EXIT
for mount in "${mounts[@]}"; do mkdir -p "$inside/${mount#*:}"; mount --bind "${mount%%:*}" "$inside/${mount#*:}"; done
chroot "$inside" env -i HOME=/root PATH=/rust/bin:/usr/lib/postgresql/17/bin:/usr/bin:/bin:/usr/sbin CARGO_HOME=/cargo CARGO_TARGET_DIR=/target CARGO_NET_OFFLINE=true LANG=C.UTF-8 \
  bash -c 'cd /source && psql --version && scripts/test.sh'
