# Tests on processors that this machine is not: qemu runs the programs of build/ as an old x86 would, and those of
# build-arm/, which a cross compiler makes; Node.js runs those of build-wasm/. A wrong choice of instructions ends in an
# illegal one.

# The layers that need no Rust: there is no Rust library for the other architectures.
ARM_TESTS=(test_base test_quant test_graph test_formats test_backend test_cpu test_cpu_target test_compile)
WASM_TESTS=(test_base test_quant test_graph test_cpu)

# Left out there: death tests start the program anew, which the system cannot without the emulator; and a test that asks
# the kernel for the processor's features, who tells of the machine's own. Tests of many sizes try fewer of them
# (QUERN_EMULATED, tests/support/emulated.h).
LEFT_OUT='*DeathTest*:CpuFeatures.AgreesWithTheKernel'

part_oldx86() {
  local row isa cpu
  compile build test_base test_cpu quern
  for row in "scalar Nehalem" "avx2 Haswell"; do
    read -r isa cpu <<<"$row"
    run_emulated "$isa" build test_base test_cpu -- qemu-x86_64-static -cpu "$cpu"
    asks_doctor "$isa" qemu-x86_64-static -cpu "$cpu"
  done
}

# -O1 but for the kernels: what runs is few numbers, and the build takes most of the time.
part_arm() {
  compile build-arm "${ARM_TESTS[@]}" -- \
    -DCMAKE_TOOLCHAIN_FILE="$QUERN_ROOT/cmake/aarch64-linux.cmake" -DQUERN_TEXT=OFF \
    -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG" -DQUERN_KERNEL_OPTIONS=-O3
  python3 "$QUERN_ROOT/tools/check_isa_symbols.py" "$QUERN_ROOT/build-arm" aarch64-linux-gnu-nm
  python3 "$QUERN_ROOT/tools/check_probe_loops.py" "$QUERN_ROOT/build-arm" aarch64-linux-gnu-objdump
  run_emulated i8mm build-arm "${ARM_TESTS[@]}" -- qemu-aarch64-static -cpu max
  # Of dotprod only what differs from the others.
  run_emulated dotprod build-arm "test_cpu:MultiplyQuantized.*:Kernels.*:Vocabulary.*" -- \
    qemu-aarch64-static -cpu neoverse-n1
  run_emulated neon build-arm test_base test_cpu -- qemu-aarch64-static -cpu cortex-a53
}

part_wasm() {
  compile build-wasm "${WASM_TESTS[@]}" -- \
    -DCMAKE_TOOLCHAIN_FILE="$QUERN_ROOT/cmake/wasm32-wasi.cmake" -DQUERN_TEXT=OFF
  run_emulated wasm128 build-wasm "${WASM_TESTS[@]}" -- node --no-warnings "$QUERN_ROOT/tools/run_wasi.mjs"
}

# run_emulated ISA FOLDER PROGRAM[:FILTER]... -- EMULATOR...: runs the programs' tests, those of the filter alone if
# there is one; ISA is the instruction set they must choose. One line a program.
run_emulated() {
  local isa=$1 folder=$QUERN_ROOT/$2 programs=() program filter log began
  shift 2
  while [ "$1" != -- ]; do
    programs+=("$1")
    shift
  done
  shift
  for program in "${programs[@]}"; do
    filter=${program#"${program%%:*}"} program=${program%%:*} began=$SECONDS
    log=$folder/log/$program-$isa
    run_shards "$log" "$isa" "$@" "$folder/bin/$program" --gtest_brief=1 --gtest_filter="${filter#:}-$LEFT_OUT" ||
      { echo "emulated: $program FAILED on $*"; return 1; }
    echo "emulated: $program passed on $*: $(sed -n 's/^\[  PASSED  \] \([0-9]*\) .*/\1/p' "$log"-*.txt |
      awk '{ n += $1 } END { print n }') tests, $((SECONDS - began)) s"
  done
}

# run_shards LOG ISA COMMAND...: the tests in four times as many parts as there are cores, one part per core at a time.
# Their output goes to LOG-PART.txt, or LOG-PART.failed.
run_shards() {
  local log=$1 isa=$2 n
  shift 2
  n=$(nproc)
  mkdir -p "$(dirname "$log")"
  rm -f "$log"-*
  # shellcheck disable=SC2016  # for the shell that xargs starts
  seq 0 $((4 * n - 1)) | xargs -P "$n" -I{} \
    env QUERN_EMULATED=1 QUERN_EXPECT_ISA="$isa" GTEST_TOTAL_SHARDS=$((4 * n)) GTEST_SHARD_INDEX={} \
    bash -c '"$@" >"$0.failed" 2>&1 && mv "$0.failed" "$0.txt"' "$log-{}" "$@" ||
    { tail -n 40 "$log"-*.failed; return 1; }
}

# asks_doctor ISA EMULATOR...: the whole program starts there and chooses ISA.
asks_doctor() {
  local isa=$1 answer
  shift
  answer=$("$@" "$QUERN_ROOT/build/bin/quern" doctor 2>&1) || [ $? -eq 1 ] # 1: it misses something there, say a model
  grep -q "^isa  *$isa " <<<"$answer" || { printf 'emulated: quern doctor on %s says:\n%s\n' "$*" "$answer"; return 1; }
  echo "emulated: quern doctor chooses $isa on $*"
}
