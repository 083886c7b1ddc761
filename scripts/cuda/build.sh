#!/usr/bin/env bash
# Builds the extension with candle's CUDA backend, for which no GPU is needed; the compiler comes as PyPI wheels into a folder of its own.
# The library loads anywhere: CUDA's libraries are looked for at the first CUDA call (lazy.c), and the CPU is used where they are missing.
source "$(dirname "$0")/../common.sh"
cd "$ROOT"
[ "$(uname -m)" = x86_64 ] || { echo "lazy.c knows the calls of x86-64 only" >&2; exit 1; }
tools=${XDG_CACHE_HOME:-$HOME/.cache}/sales_forecast/cuda
if [ ! -x "$tools/bin/pip" ]; then python3 -m venv "$tools"; fi
"$tools/bin/pip" install -q "nvidia-cuda-nvcc==13.2.*" "nvidia-cuda-cccl==13.2.*" "nvidia-cuda-crt==13.2.*" "nvidia-nvvm==13.2.*" \
  "nvidia-cuda-runtime==13.2.*" "nvidia-cuda-nvrtc==13.2.*" nvidia-cublas nvidia-curand
cuda=$(echo "$tools"/lib/python3*/site-packages/nvidia/cu13)
lazy=$tools/lazy
rm -rf "$lazy" "$cuda"/lib/*.so "$cuda/lib64"
mkdir "$lazy"

# library NAME SONAME: an archive that the linker takes for NAME; reads the functions.
library() {
  mkdir "$lazy/$1"
  sort -u | sed 's/.*/NAME(&)/' >"$lazy/$1/names.inc"
  gcc -O2 -fPIC -fvisibility=hidden -I "$lazy/$1" -D "LIBRARY=\"$2\"" -c scripts/cuda/lazy.c -o "$lazy/$1/lazy.o"
  ar rcs "$lazy/lib$1.a" "$lazy/$1/lazy.o"
}

say "what a call through a library loaded late brings over"
printf 'cuSum\ncuFirst\n' | library test libtest.so.1
echo 'int cuSum(int a, int b, int c, int d, int e, int f, int g, int h, double x, double y, double z) { return a+b+c+d+e+f+g+h + (int)(x+y+z); }' |
  gcc -shared -fPIC -x c - -o "$lazy/libtest.so.1"
gcc scripts/cuda/lazy_test.c "$lazy/libtest.a" -o "$lazy/check"
LD_LIBRARY_PATH=$lazy "$lazy/check"

say "compiling"
sources=$(cargo metadata --format-version 1 --features cuda | python3 -c '
import json, os, sys
print(*[os.path.dirname(p["manifest_path"]) + "/src" for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"])')
functions() { grep -ohE "fn $1[A-Z][A-Za-z0-9_]*" -r "$sources/$2/sys" | sed 's/fn //'; }
functions cu driver | library cuda libcuda.so.1
functions cublas cublas | library cublas libcublas.so.13
functions cublasLt cublaslt | library cublasLt libcublasLt.so.13
functions curand curand | library curand libcurand.so.10
functions nvrtc nvrtc | library nvrtc libnvrtc.so.13
# The runtime that nvcc's code calls is linked in; it loads the driver by itself when it is used.
ln -s "$cuda/lib/libcudart_static.a" "$lazy/libcudart.a"
export CUDA_HOME=$cuda CUDA_PATH=$cuda CUDA_ROOT=$cuda CUDA_TOOLKIT_ROOT_DIR=$cuda PATH=$cuda/bin:$PATH CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90} LIBRARY_PATH=$lazy
export CARGO_TARGET_DIR=$CARGO_TARGET_DIR/cuda PGRX_PG_CONFIG_PATH=$(command -v "$PG_CONFIG")
cargo build --release --features "pg$(major),cuda"
built=$CARGO_TARGET_DIR/release/libsales_forecast.so
ls -l "$built"
readelf -d "$built" | grep NEEDED
if readelf -d "$built" | grep -E 'NEEDED.*(cu|nv)'; then echo "it needs CUDA to be loaded" >&2; exit 1; fi
if nm -D --undefined-only "$built" | grep -E ' (cu[A-Z]|cublas|curand|__cuda)' | grep -vE ' Cu'; then echo "CUDA symbols are left" >&2; exit 1; fi

say "a server without a GPU"
plain=$("$PG_CONFIG" --pkglibdir)/sales_forecast.so
cp "$plain" "$lazy/plain.so"
cluster_stop cuda
trap 'cluster_stop cuda; install -m 755 "$lazy/plain.so" "$plain"' EXIT
install -m 755 "$built" "$plain"
cluster_start cuda
psql -Xq -v ON_ERROR_STOP=1 <<'SQL' 2>&1 | tee "$lazy/output"
CREATE EXTENSION sales_forecast;
CREATE TABLE sales AS SELECT date '2022-01-01' + d AS day, 20 + 3 * (d % 7) + (d * 7919) % 5 AS qty FROM generate_series(0, 199) AS d;
CALL forecast_train(model => 'shop', source => 'sales', target => 'qty', time_column => 'day', horizon => 7);
SELECT device FROM forecast_models;
SELECT count(*) FROM forecast('shop');
\set ON_ERROR_STOP off
SET sales_forecast.device = cuda;
\set VERBOSITY verbose
SELECT count(*) FROM forecast('shop');
SQL
grep -q 'NOTICE:  no GPU is used' "$lazy/output"
grep -q ' cpu$' "$lazy/output"
grep -q 'ERROR:  ' "$lazy/output"
echo "it says that there is no GPU, and uses the CPU"
