# The files of the repository, and the formatter for them.

# list_sources PATTERN...: tracked and new files whose path or name matches, NUL between them, relative to the root.
list_sources() { git -C "$QUERN_ROOT" ls-files -z --cached --others --exclude-standard --deduplicate -- "$@"; }

# clang-format 14 by either of its names; prints the versioned one where neither is there.
clang_format() {
  if ! command -v clang-format-14 >/dev/null && [[ $(clang-format --version 2>/dev/null) == *"version 14."* ]]; then
    echo clang-format
  else
    echo clang-format-14
  fi
}
