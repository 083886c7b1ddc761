#!/usr/bin/env bash
# Builds the extension for the PostgreSQL of pg_config and puts it where that server looks for extensions.
source "$(dirname "$0")/common.sh"
cd "$ROOT"
PGRX_PG_CONFIG_PATH=$(command -v "$PG_CONFIG") cargo build --release --features "pg$(major)"
put=install
if [ ! -w "$("$PG_CONFIG" --pkglibdir)" ]; then put="sudo install"; fi
# A server that has the old library mapped keeps it: install writes a new file.
$put -m 755 "$CARGO_TARGET_DIR/release/libsales_forecast.so" "$("$PG_CONFIG" --pkglibdir)/sales_forecast.so"
$put -m 644 sales_forecast.control sql/sales_forecast--*.sql "$("$PG_CONFIG" --sharedir)/extension/"
