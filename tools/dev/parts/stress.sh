# Parts of ./dev test that are asked for by name: threads under the thread sanitizer, and the soak.

# program | the tests in it where threads meet
TSAN_TESTS=(
  "test_base|*ThreadPool*"
  "test_cpu|WorkQueues.*"
  "test_tuning|RecordStoreTest.*"
  "test_engine|EngineThread.*:PrefixStoreTest.*"
  "test_api|Stress.*:Model.*:Embeddings.*:Sessions.*:KeepsPacked.*"
)
SOAK_SECONDS=${SOAK_SECONDS:-600}

# The Rust library is not instrumented (tests/tsan.supp says what follows from it); futexes are not seen either, but the
# atomics around them are. About six minutes of one core for the build, one for the tests.
part_tsan() {
  local row programs=() fixed=()
  for row in "${TSAN_TESTS[@]}"; do programs+=("${row%%|*}"); done
  compile build-tsan "${programs[@]}" -- -DCMAKE_CXX_COMPILER=clang++ -DQUERN_SANITIZE=thread \
    -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG" -DQUERN_TEST_OPTIONS=-O0
  # Kernels that spread addresses over more bits than its run time knows: there it needs them in their place.
  ! setarch -R true 2>/dev/null || fixed=(setarch -R)
  for row in "${TSAN_TESTS[@]}"; do
    run_tsan "${row%%|*}" "${row#*|}" "${fixed[@]}"
  done
}

# run_tsan PROGRAM FILTER [WRAPPER...]
run_tsan() {
  local program=$1 filter=$2 log=$QUERN_ROOT/build-tsan/log/$1.txt
  shift 2
  QUERN_PACKED_CACHE='' TSAN_OPTIONS="suppressions=$QUERN_ROOT/tests/tsan.supp print_suppressions=0" \
    "$@" "$QUERN_ROOT/build-tsan/bin/$program" --gtest_filter="$filter" >"$log" 2>&1 ||
    { grep -v '^\[ .*\(RUN\|OK\) ' "$log" | head -n 200; return 1; }
  echo "tsan: $program, $(sed -n 's/^\[  PASSED  \] \([0-9]*\) tests*\./\1/p' "$log") tests, no race"
}

part_soak() {
  compile build soak
  python3 "$QUERN_ROOT/tools/fetch_model.py" smollm2 --quiet
  QUERN_PACKED_CACHE='' "$QUERN_ROOT/build/bin/soak" \
    "${XDG_CACHE_HOME:-$HOME/.cache}/quern/models/smollm2-135m-instruct-q4_1.gguf" \
    "$QUERN_ROOT/tests/data/mixed.txt" "$SOAK_SECONDS"
}
