#!/usr/bin/env bash
# Compiles the extension with candle's CUDA backend, for which no GPU is needed; the compiler comes as PyPI wheels into a folder of its own.
# The result needs a machine with CUDA 13's libraries: it is a package beside the plain one, which needs libc alone.
source "$(dirname "$0")/common.sh"
cd "$ROOT"
tools=${XDG_CACHE_HOME:-$HOME/.cache}/sales_forecast/cuda
if [ ! -x "$tools/bin/pip" ]; then python3 -m venv "$tools"; fi
"$tools/bin/pip" install -q "nvidia-cuda-nvcc==13.2.*" "nvidia-cuda-cccl==13.2.*" "nvidia-cuda-crt==13.2.*" "nvidia-nvvm==13.2.*" \
  "nvidia-cuda-runtime==13.2.*" "nvidia-cuda-nvrtc==13.2.*" nvidia-cublas nvidia-curand
cuda=$(echo "$tools"/lib/python3*/site-packages/nvidia/cu13)
(
  cd "$cuda/lib"
  for library in libcurand.so.10 libcublas.so.13 libcublasLt.so.13 libnvrtc.so.13 libcudart.so.13; do ln -sf "$library" "${library%.so.*}.so"; done
  # The driver's library is only linked against.
  echo | gcc -shared -fPIC -Wl,-soname,libcuda.so.1 -x c - -o libcuda.so
  ln -sfn lib ../lib64
)
export CUDA_HOME=$cuda CUDA_PATH=$cuda CUDA_ROOT=$cuda CUDA_TOOLKIT_ROOT_DIR=$cuda PATH=$cuda/bin:$PATH CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90} LIBRARY_PATH=$cuda/lib
PGRX_PG_CONFIG_PATH=$(command -v "$PG_CONFIG") CARGO_TARGET_DIR=$CARGO_TARGET_DIR/cuda cargo build --release --features "pg$(major),cuda"
ls -l "$CARGO_TARGET_DIR/cuda/release/libsales_forecast.so"
