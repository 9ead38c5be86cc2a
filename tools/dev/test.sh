# test [PART...]         builds and runs every test, or just: lint unit rust e2e asan fuzz oldx86 arm wasm; by name only: tsan soak

source "$QUERN_ROOT/tools/dev/parts/packages.sh"
source "$QUERN_ROOT/tools/dev/parts/compile.sh"
source "$QUERN_ROOT/tools/dev/parts/summary.sh"
source "$QUERN_ROOT/tools/dev/parts/emulated.sh"
source "$QUERN_ROOT/tools/dev/parts/stress.sh"

ALL_PARTS=(lint unit rust e2e asan fuzz oldx86 arm wasm)
BY_NAME=(tsan soak) # cost minutes
FUZZ_SECONDS=${FUZZ_SECONDS:-20}

# Each part prints its tools' own closing lines; parts/summary.sh counts from them.

part_lint() { "$QUERN_ROOT/dev" lint; }

part_unit() {
  compile build all
  python3 "$QUERN_ROOT/tools/check_isa_symbols.py" "$QUERN_ROOT/build"
  python3 "$QUERN_ROOT/tools/check_probe_loops.py" "$QUERN_ROOT/build"
  run_ctest build
}

part_rust() { (cd "$QUERN_ROOT/rust/text" && cargo test --release --locked --target-dir "$RUST_TARGET"); }

part_e2e() {
  compile build all
  python3 "$QUERN_ROOT/tools/fetch_model.py" smollm2
  test_python -m pytest -q --durations=5 "$QUERN_ROOT/tests"
}

# -O1, and none for the tests' files: the sanitizers see the same errors, and the build takes a third of the time.
part_asan() {
  compile build-asan all -- -DCMAKE_CXX_COMPILER=clang++ -DQUERN_SANITIZE=address,undefined \
    -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG" -DQUERN_TEST_OPTIONS=-O0
  UBSAN_OPTIONS=print_stacktrace=1 run_ctest build-asan
}

part_fuzz() {
  local target found=0
  compile build-fuzz fuzzers -- -DCMAKE_CXX_COMPILER=clang++ -DQUERN_FUZZ=ON -DQUERN_TESTS=OFF
  for target in "$QUERN_ROOT"/build-fuzz/bin/fuzz_*; do
    [ -x "$target" ] || continue
    found=1
    run_fuzzer "$target"
  done
  [ "$found" -eq 1 ] || refuse "no fuzz target was built"
}

# Tests of one source file may run beside each other: none of them keeps state outside its own temporary folder.
run_ctest() {
  ctest --test-dir "$QUERN_ROOT/$1" -j "$(nproc)" --output-on-failure --no-tests=error >"$QUERN_ROOT/$1/log/ctest.txt" 2>&1 ||
    { sed -n '/Start.*\|Passed/!p' "$QUERN_ROOT/$1/log/ctest.txt"; return 1; }
  sed -n '/% tests passed/,$p' "$QUERN_ROOT/$1/log/ctest.txt" # with those that did not run, if any
}

# run_fuzzer PROGRAM: from the seeds in tests/fuzz/NAME if there are any; what it finds is left in build-fuzz/found/.
run_fuzzer() {
  local name seeds=() corpus=$QUERN_ROOT/build-fuzz/corpus found=$QUERN_ROOT/build-fuzz/found
  name=$(basename "$1")
  mkdir -p "$corpus/$name" "$found"
  [ ! -d "$QUERN_ROOT/tests/fuzz/${name#fuzz_}" ] || seeds=("$QUERN_ROOT/tests/fuzz/${name#fuzz_}")
  echo "$name: $FUZZ_SECONDS s"
  "$1" -max_total_time="$FUZZ_SECONDS" -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 -verbosity=1 \
    -artifact_prefix="$found/$name-" "$corpus/$name" "${seeds[@]}" >"$found/$name.log" 2>&1 ||
    { tail -n 60 "$found/$name.log"; echo "fuzz target failed: $name"; return 1; }
  echo "fuzz target passed: $name, $(sed -n 's/^stat::number_of_executed_units: *//p' "$found/$name.log") inputs"
}

# The Python packages of the tests live in a folder of their own, made again whenever their list changes.
test_python() {
  local venv=$QUERN_ROOT/build/venv list=$QUERN_ROOT/tests/requirements.txt
  if ! cmp -s "$list" "$venv/installed.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    logged "$QUERN_ROOT/build/log/pip.txt" "$venv/bin/python" -m pip install -r "$list"
    cp "$list" "$venv/installed.txt"
  fi
  "$venv/bin/python" "$@"
}

parts=("$@")
[ $# -gt 0 ] || parts=("${ALL_PARTS[@]}")
groups=(build)
for part in "${parts[@]}"; do
  [[ " ${ALL_PARTS[*]} ${BY_NAME[*]} " == *" $part "* ]] ||
    refuse "'$part' is no part of the tests; they are: ${ALL_PARTS[*]} ${BY_NAME[*]}"
  case $part in
    oldx86 | arm | wasm) needed=("$part") ;;
    *) needed=(test wish) ;;
  esac
  [[ " ${groups[*]} " == *" ${needed[*]} "* ]] || groups+=("${needed[@]}")
done
ensure_packages "${groups[@]}"
for part in "${parts[@]}"; do
  summary_run "$part"
done
summary_print
