#!/usr/bin/env bash
# Builds perfmodel with CUDA on a machine without a GPU, a driver or an installed toolkit: the CUDA 13 compiler comes from
# PyPI wheels (164 MB to download, 400 MB unpacked), the libraries are opened when the program starts (shims.py). Needs
# python3 with pip, gcc and cargo.
#
#   ci/build-cuda.sh [FOLDER]     target/cuda unless given; the binary is FOLDER/perfmodel
#
# CUDA_COMPUTE_CAP (90: H100) is the GPU that kernels are made for. SASS=1 compiles them to machine code; without it they stay
# PTX, which the driver compiles at the first start.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mkdir -p "${1:-target/cuda}" && cd "${1:-target/cuda}" && pwd)
home=$folder/wheels/nvidia/cu13
export CUDA_COMPUTE_CAP=${CUDA_COMPUTE_CAP:-90}

if [ ! -x "$home/bin/nvcc" ]; then
  echo "== CUDA 13 compiler from PyPI"
  python3 -m pip download --quiet --no-deps --dest "$folder/downloads" \
    nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 \
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85 nvidia-curand==10.4.0.35
  for wheel in "$folder"/downloads/*.whl; do python3 -m zipfile -e "$wheel" "$folder/wheels"; done
  chmod +x "$home"/bin/* "$home"/nvvm/bin/*
  ln -sfn lib "$home/lib64"
  ln -sf libcudart.so.13 "$home/lib/libcudart.so"
fi

echo "== link shims"
cudarc=$(cargo metadata --format-version 1 --features cuda |
  python3 -c 'import json, os, sys
packages = json.load(sys.stdin)["packages"]
print(next(os.path.dirname(p["manifest_path"]) for p in packages if p["name"] == "cudarc"))')
python3 ci/cuda/shims.py "$home" "$cudarc" "$folder/shims"

if [ "${SASS:-0}" != 1 ]; then
  export REAL_NVCC=$home/bin/nvcc NVCC=$PWD/ci/cuda/nvcc-ptx
fi
echo "== cargo build --release --features cuda"
started=$(date +%s)
PATH="$home/bin:$PATH" CUDA_HOME="$home" CUDAFORGE_THREADS=$(nproc) \
  cargo rustc --release --features cuda --bin perfmodel -- -L "native=$folder/shims" -C "link-arg=-L$folder/shims"
cp target/release/perfmodel "$folder/perfmodel"
echo "== built in $(($(date +%s) - started)) s: $folder/perfmodel"

if readelf -d "$folder/perfmodel" | grep -E 'NEEDED.*(libcu|libnv)'; then
  echo "the binary asks for CUDA libraries at its start" >&2
  exit 1
fi
"$folder/perfmodel" --version
