#!/usr/bin/env bash
# Installs what a build needs on Debian, or says the one command that does.
set -euo pipefail
packages="postgresql-15 postgresql-server-dev-15 libclang-dev clang python3 pkg-config gcc libc6-dev gzip"
missing=()
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  command="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" != 0 ]; then echo "missing: ${missing[*]}; run: sudo sh -c '$command'" >&2; exit 1; fi
  echo "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  sh -c "$command" >/dev/null
fi
if ! command -v cargo >/dev/null; then echo "a Rust toolchain (1.95 or newer) is missing: see https://rustup.rs" >&2; exit 1; fi
