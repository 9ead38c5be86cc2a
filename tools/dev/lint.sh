# lint [CHECK...]        checks the sources, or just: format layers sizes shell python rust

source "$QUERN_ROOT/tools/dev/parts/packages.sh"
source "$QUERN_ROOT/tools/dev/parts/compile.sh"
source "$QUERN_ROOT/tools/dev/parts/sources.sh"

ALL_CHECKS=(format layers sizes shell python rust)
failed=0
use_packaged_rust

# The format is what clang-format 14 makes of the sources; other versions make other breaks, so they are not asked.
check_format() {
  list_sources '*.h' '*.cc' '*.inc' | xargs -0 -r "$(clang_format)" --dry-run --Werror
}
check_layers() { python3 "$QUERN_ROOT/tools/check_layers.py"; }
check_sizes() { python3 "$QUERN_ROOT/tools/check_sizes.py"; }
check_shell() {
  list_sources 'dev' '.ci/run' 'tools/dev/pre-commit' '*.sh' | xargs -0 -r shellcheck
}
check_python() {
  list_sources '*.py' | xargs -0 -r python3 -c '
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)'
}
check_rust() {
  cd rust/text
  cargo fmt --check
  # Not every warning: other versions of clippy know other ones.
  cargo clippy --release --locked --all-targets --quiet --target-dir "$RUST_TARGET" -- \
    -D clippy::correctness -D clippy::suspicious -D unused
}
# A distribution may carry a cargo that is new enough without these two.
can_check_rust() { has_cargo_fmt && has_cargo_clippy; }

# What a check cannot do without; where it is missing the check fails and says how to get it.
tool_of() {
  case $1 in
    format) clang_format ;;
    shell) echo shellcheck ;;
    rust) echo cargo ;;
    *) echo python3 ;;
  esac
}

# run_check NAME: one closing line a check, "lint: NAME ok", "... FAILED" or "... skipped".
run_check() {
  local status
  if [ "$1" = rust ] && ! can_check_rust; then
    echo "lint: rust skipped: cargo fmt or cargo clippy is not installed"
    return
  fi
  if ! cmd "$(tool_of "$1")"; then
    echo "$(tool_of "$1") is not installed: ./dev test installs it"
    status=1
  else
    set +e
    (
      set -euo pipefail
      cd "$QUERN_ROOT"
      "check_$1"
    )
    status=$?
    set -e
  fi
  if [ "$status" -eq 0 ]; then
    echo "lint: $1 ok"
  else
    echo "lint: $1 FAILED"
    failed=1
  fi
}

[ $# -gt 0 ] || set -- "${ALL_CHECKS[@]}"
for check in "$@"; do
  [[ " ${ALL_CHECKS[*]} " == *" $check "* ]] || refuse "'$check' is no check; they are: ${ALL_CHECKS[*]}"
  run_check "$check"
done
exit $failed
