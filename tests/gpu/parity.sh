#!/bin/sh
# Builds the program for CUDA, packs it, and compares a GPU's answers with the processor's.
#
#   tests/gpu/parity.sh build [TOOLKIT]    a machine with gcc, python3 with pip and cargo; needs no GPU and no CUDA
#   tests/gpu/parity.sh run PACK [ARGS…]   a machine with an NVIDIA GPU and its driver; needs nothing else
#   tests/gpu/parity.sh check [PROGRAM]    any machine: the comparison itself, on the processor alone
#
# CUDA_COMPUTE_CAP says for which card (80 A100, 86 and 89 RTX 30 and 40, 90 H100 and H200, 120 RTX 50).
# Exit code of `run`: 0 no difference beyond rounding, 1 a real difference, 2 it could not be compared.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
wheels="nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-runtime==13.0.96
nvidia-cuda-cccl==13.0.* nvidia-cublas==13.0.* nvidia-curand==10.4.0.35 nvidia-cuda-nvrtc==13.0.88"

# The toolkit from public wheels, laid out as builds expect it.
toolkit() {
    [ -x "$1/nvidia/cu13/bin/nvcc" ] || python3 -m pip install --quiet --target "$1" $wheels
    cuda=$1/nvidia/cu13
    [ -e "$cuda/lib64" ] || ln -s lib "$cuda/lib64"
    for name in cublas cublasLt cudart curand nvrtc; do
        for found in "$cuda/lib/lib$name.so."*; do
            [ -e "$cuda/lib/lib$name.so" ] || ln -s "$(basename "$found")" "$cuda/lib/lib$name.so"
        done
    done
}

# A stand-in for the driver, which is in no wheel: it defines what the linker asks for, and is not packed.
stub() {
    : > "$1/stub.c"
    for symbol in $(sort -u "$1/symbols"); do echo "int $symbol(void) { return 999; }" >> "$1/stub.c"; done
    cc -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$cuda/lib/libcuda.so" "$1/stub.c"
}

build() {
    root=$(realpath -m "${1:-$here/target/cuda-toolkit}")
    mkdir -p "$root"
    toolkit "$root"
    export CUDA_HOME="$cuda" CUDA_PATH="$cuda" CUDA_ROOT="$cuda" CUDA_TOOLKIT_ROOT_DIR="$cuda"
    export PATH="$cuda/bin:$PATH" LIBRARY_PATH="$cuda/lib" CUDA_COMPUTE_CAP="${CUDA_COMPUTE_CAP:-90}"
    touch "$root/symbols"
    stub "$root"
    # The linker names what is missing twenty at a time.
    tries=0
    until (cd "$here" && cargo build --release --features cuda) 2> "$root/build.log"; do
        tries=$((tries + 1))
        grep -oE "undefined (reference to|symbol:) [\`']?cu[A-Z][A-Za-z0-9_]*" "$root/build.log" |
            grep -oE "cu[A-Z][A-Za-z0-9_]*" > "$root/missing" || true
        if [ ! -s "$root/missing" ] || [ "$tries" -gt 8 ]; then
            tail -n 40 "$root/build.log" >&2
            exit 2
        fi
        cat "$root/missing" >> "$root/symbols"
        stub "$root"
    done
    pack=$root/pack
    rm -rf "$pack" && mkdir -p "$pack/lib"
    cp "${CARGO_TARGET_DIR:-$here/target}/release/logoscope" "$pack/"
    for name in cublas cublasLt cudart curand nvrtc; do cp -L "$cuda/lib/lib$name.so."[0-9]* "$pack/lib/"; done
    cp "$0" "$pack/parity.sh"
    tar -C "$root" -cJf "$root/logoscope-cuda.tar.xz" pack
    echo "$root/logoscope-cuda.tar.xz"
}

run() {
    [ $# -ge 1 ] || { echo "run needs the PACK that build made" >&2; exit 2; }
    where=$(mktemp -d)
    trap 'rm -rf "$where"' EXIT
    tar -C "$where" -xJf "$1" || exit 2
    shift
    nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || exit 2
    code=0
    LD_LIBRARY_PATH="$where/pack/lib:${LD_LIBRARY_PATH:-}" "$where/pack/logoscope" parity --device cuda --against cpu "$@" ||
        code=$?
    # A program that did not start, or was ended, has compared nothing.
    [ "$code" -le 1 ] || exit 2
    exit "$code"
}

# Two runs on the processor must agree, and a model computed otherwise must be found out.
check() {
    program=${1:-${CARGO_TARGET_DIR:-$here/target}/release/logoscope}
    changed=$(mktemp -d)
    trap 'rm -rf "$changed"' EXIT
    cp "$here/sample-data/models/nano/"* "$changed/"
    sed -i.bak -E 's/("rope_theta": *)[0-9.]+/\150.0/' "$changed/config.json"
    ! cmp -s "$changed/config.json" "$changed/config.json.bak" || { echo "config.json was not changed" >&2; exit 2; }
    rm "$changed/config.json.bak"
    "$program" parity --model "$here/sample-data/models/nano" --device cpu --queries 20 ||
        { echo "two runs on the processor differ" >&2; exit 1; }
    code=0
    "$program" parity --model "$here/sample-data/models/nano" --device cpu --other "$changed" --queries 20 || code=$?
    [ "$code" -eq 1 ] || { echo "a changed model ended with $code and not with 1" >&2; exit 1; }
    echo "the comparison works"
}

case "${1:-}" in
    build | run | check) verb=$1; shift; "$verb" "$@" ;;
    *) sed -n '2,10p' "$0" >&2; exit 2 ;;
esac
