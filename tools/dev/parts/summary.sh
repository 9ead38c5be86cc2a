# Runs the parts of ./dev test one after the other, all of them even when one fails, and closes with a table.

SUMMARY_ROWS=()
SUMMARY_FAILED=0

# summary_run PART: runs the function part_PART; its output is shown and kept in build/log/test-PART.txt.
summary_run() {
  local log=$QUERN_ROOT/build/log/test-$1.txt began=$SECONDS status word=passed
  mkdir -p "$(dirname "$log")"
  say "test: $1"
  set +e # a subshell that is tested by || would run on after a failing command
  (
    set -euo pipefail
    "part_$1"
  ) 2>&1 </dev/null | tee "$log"
  status=${PIPESTATUS[0]}
  set -e
  if [ "$status" -ne 0 ]; then
    word=FAILED
    SUMMARY_FAILED=1
  fi
  SUMMARY_ROWS+=("$(printf '%-6s %-7s %5d s   %s' "$1" "$word" $((SECONDS - began)) "$(summary_count "$1" "$log")")")
}

# What ran, added up from the closing lines of the tools.
summary_count() {
  case $1 in
    unit | asan) awk '/^[0-9]+% tests passed, / { n = $NF; failed = $4 } /\(Skipped\)$/ { skipped++ }
               END { if (n) printf "%d tests, %d failed, %d skipped\n", n, failed, skipped }' "$2" ;;
    oldx86 | arm | wasm) awk '/^emulated: .* tests, / { for (i = 1; i <= NF; i++) if ($i == "tests,") tests += $(i - 1) }
               END { printf "%d tests\n", tests }' "$2" ;;
    tsan) awk '/^tsan: / { tests += $3 } END { printf "%d tests\n", tests }' "$2" ;;
    soak) sed -n 's/^\([0-9]* acts in [0-9]* s\):.*/\1/p' "$2" ;;
    rust) awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
               END { printf "%d passed, %d failed, %d ignored\n", passed, failed, ignored }' "$2" ;;
    e2e) grep -E '^(=+ )?[0-9]+ (passed|failed|error|skipped)' "$2" | tail -n 1 | tr -d '=' | xargs ;;
    fuzz) awk '/^fuzz target passed/ { passed++; inputs += $5 } /^fuzz target failed/ { failed++ }
               END { printf "%d targets, %d failed, %d inputs\n", passed + failed, failed, inputs }' "$2" ;;
    lint) awk '/^lint: .* ok$/ { passed++ } /^lint: .* FAILED$/ { failed++ } /^lint: .* skipped/ { skipped++ }
               END { printf "%d checks, %d failed, %d skipped\n", passed + failed, failed, skipped }' "$2" ;;
  esac
}

summary_print() {
  echo
  echo "part   result     time   what ran"
  printf '%s\n' "${SUMMARY_ROWS[@]}"
  echo "all    $([ $SUMMARY_FAILED -eq 0 ] && echo passed || echo FAILED) $(printf '%7d s' "$SECONDS")"
  exit $SUMMARY_FAILED
}
