#!/usr/bin/env bash
# Type-checks and lints the feature `cuda` with a stand-in for nvcc. Nothing of it can run.
set -euo pipefail
cd "$(dirname "$0")/../.."
home="$PWD/target/cuda-stand-in"
mkdir -p "$home/include" "$home/lib64"
PATH="$PWD/ci/cuda/stand-in:$PATH" CUDA_HOME="$home" CUDA_COMPUTE_CAP=90 \
  cargo clippy --quiet --features cuda --lib --bins -- -D warnings
