# What a machine needs, and how it gets it. Debian 12 and Ubuntu 24.04 install by apt; elsewhere the list is printed.

# group | how its presence is seen | apt package | what it is for. Groups: build (program), test (./dev test, lint), wish
# (used where the distribution has it), oldx86, arm and wasm (the parts of ./dev test of that name).
# Seen by: cmd NAME (a program on PATH), header PATH (a C++ header the compiler finds), file PATH, or a function below.
NEEDS=(
  "build|file /etc/ssl/certs/ca-certificates.crt|ca-certificates|certificates for the package registries"
  "build|has_cxx|g++|C++20 compiler, 12 or newer"
  "build|has_cmake|cmake|build description, 3.25 or newer"
  "build|cmd ninja|ninja-build|runs the build"
  "build|has_cargo|RUST|Rust 1.87 or newer: tokenizers, chat templates and grammars are Rust crates"
  "build|cmd python3|python3|fetches the default model, checks the sources"
  "build|has_pip|python3-pip|downloads the default model"
  "build|header nlohmann/json.hpp|nlohmann-json3-dev|JSON"
  "build|header fmt/format.h|libfmt-dev|text formatting"
  "build|header CLI/CLI.hpp|libcli11-dev|command line"
  "build|header boost/beast.hpp|BOOST|Boost 1.81 or newer: Beast and Asio, for HTTP"
  "build|header histedit.h|libedit-dev|line editing in the chat"
  "build|header sqlite3.h|libsqlite3-dev|records of the tuner"
  "build|header gtest/gtest.h|libgtest-dev|unit tests"
  "test|has_venv|python3-venv|a place for the end-to-end tests' Python packages"
  "test|cmd pkg-config|pkg-config|builds an example against the installed library"
  "test|cmd clang++|CLANG|second compiler: sanitizers and fuzzing"
  "test|has_sanitizers|CLANG_RT|its sanitizer run time"
  "test|cmd clang-format-14|clang-format-14|the formatter, in the version whose output is checked"
  "wish|has_cargo_fmt|RUSTFMT|the formatter of the Rust crate"
  "wish|has_cargo_clippy|CLIPPY|the linter of the Rust crate"
  "wish|header benchmark/benchmark.h|libbenchmark-dev|measures single kernels (bench/)"
  "oldx86|cmd qemu-x86_64-static|qemu-user-static|runs the tests as on old processors"
  "arm|cmd qemu-aarch64-static|qemu-user-static|runs the tests for ARM"
  "arm|cmd aarch64-linux-gnu-g++|g++-aarch64-linux-gnu|compiles for ARM"
  "arm|file /usr/src/googletest/googletest/src/gtest-all.cc|googletest|unit tests, as source"
  "wasm|cmd clang++-19|clang-19|compiles for WebAssembly"
  "wasm|cmd wasm-ld-19|lld-19|links for WebAssembly"
  "wasm|file /usr/lib/wasm32-wasi/libc.a|wasi-libc|its C library"
  "wasm|file /usr/lib/llvm-19/lib/wasm32-wasi/libc++.a|libc++-19-dev-wasm32|its C++ library"
  "wasm|file /usr/lib/llvm-19/lib/wasm32-wasi/libc++abi.a|libc++abi-19-dev-wasm32|its C++ library's base"
  "wasm|file /usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a|libclang-rt-19-dev-wasm32|its compiler's run time"
  "wasm|cmd node|nodejs|runs the tests made for WebAssembly"
  "wasm|file /usr/src/googletest/googletest/src/gtest-all.cc|googletest|unit tests, as source"
  "test|cmd shellcheck|shellcheck|checks the shell scripts"
)
RUST_MINIMUM=87 # minor version; rust/text/Cargo.toml says the same

source "$QUERN_ROOT/tools/dev/parts/rust.sh"

cmd() { command -v "$1" >/dev/null; }
file() { [ -e "$1" ]; }
header() {
  [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ] ||
    { cmd c++ && printf '#include <%s>\n' "$1" | c++ -std=c++20 -x c++ -E - >/dev/null 2>&1; }
}
at_least() { printf '%s\n%s\n' "$1" "$2" | sort -V -C; } # at_least MINIMUM VERSION
has_cxx() { cmd c++ && at_least 12 "$(c++ -dumpfullversion -dumpversion)"; }
has_cmake() { cmd cmake && at_least 3.25 "$(cmake --version | sed -n '1s/.* //p')"; }
has_pip() { cmd python3 && python3 -c 'import pip' 2>/dev/null; }
has_venv() { cmd python3 && python3 -c 'import venv, ensurepip' 2>/dev/null; }
has_sanitizers() {
  cmd clang++ && echo 'int main() {}' | clang++ -x c++ -fsanitize=address,undefined - -o /dev/null 2>/dev/null
}

# missing_needs GROUP...: prints the rows of NEEDS that this machine lacks.
missing_needs() {
  local row group check package why
  for row in "${NEEDS[@]}"; do
    IFS='|' read -r group check package why <<<"$row"
    [[ " $* " == *" $group "* ]] || continue
    # shellcheck disable=SC2086  # the check is a command with its argument
    $check || echo "$row"
  done
}

# apt_names PACKAGE: the distribution's names for what a row calls in capitals.
apt_names() {
  case $1 in
    RUST) rust_packages ;;
    RUSTFMT) first_known rustfmt-web "rustfmt-1.$(newest_versioned_rust)" ;;
    CLIPPY) first_known rust-web-clippy "rust-1.$(newest_versioned_rust)-clippy" ;;
    BOOST) first_known libboost1.81-dev libboost1.83-dev libboost-dev ;;
    CLANG) echo clang ;;
    CLANG_RT) clang_run_time ;;
    *) echo "$1" ;;
  esac
}
apt_knows() { [ -n "$(apt-cache show "$1" 2>/dev/null)" ]; }
first_known() {
  local name
  for name in "$@"; do
    if apt_knows "$name"; then
      echo "$name"
      return
    fi
  done
}
# The run time carries the version that the package clang stands for.
clang_run_time() {
  local major
  major=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p')
  echo "libclang-rt-${major:-14}-dev"
}

# ensure_packages GROUP...: installs what is missing, or says what to install and exits. A wish may stay unfulfilled.
# A machine found complete is remembered in build/, so that the next call costs nothing.
ensure_packages() {
  local stamp missing
  stamp=$QUERN_ROOT/build/.has-$(tr ' ' - <<<"$*")
  use_packaged_rust
  [ "$stamp" -nt "$QUERN_ROOT/tools/dev/parts/packages.sh" ] && return
  missing=$(missing_needs "$@")
  if [ -n "$missing" ]; then
    install_packages "$missing"
    use_packaged_rust
    missing=$(missing_needs "$@" | sed '/^wish|/d')
    [ -z "$missing" ] || refuse "still missing after the installation: $(cut -d'|' -f3 <<<"$missing" | xargs)"
  fi
  mkdir -p "$QUERN_ROOT/build"
  touch "$stamp"
}

# install_packages ROWS: says what and why, asks once where it can, and runs apt.
install_packages() {
  local rows=$1 row check package why names=() as_root=()
  say "missing on this machine:"
  while IFS='|' read -r _ check package why; do
    printf '      %-20s %s\n' "${package,,}" "$why" >&2
  done <<<"$rows"
  cmd apt-get || refuse "no apt here: install the above with this system's package manager, then run this again"
  if [ "$(id -u)" -ne 0 ]; then
    if cmd sudo; then as_root=(sudo); else print_commands_and_stop "$rows"; fi
    can_ask || as_root=(sudo -n)
  fi
  if can_ask; then
    read -r -p "Install them with ${as_root[*]:+${as_root[*]} }apt-get? [Y/n] " answer
    case $answer in '' | y | Y | yes) ;; *) print_commands_and_stop "$rows" ;; esac
  fi
  say "updating the package lists"
  [ ${#as_root[@]} -eq 0 ] || "${as_root[@]}" true || print_commands_and_stop "$rows"
  logged "$QUERN_ROOT/build/log/apt-update.txt" "${as_root[@]}" apt-get update ||
    say "going on with the package lists as they are: one source that does not answer spoils no other"
  while IFS='|' read -r _ _ package _; do
    read -r -a row <<<"$(apt_names "$package" | xargs)"
    names+=("${row[@]}")
  done <<<"$rows"
  say "installing ${names[*]}"
  logged "$QUERN_ROOT/build/log/apt-install.txt" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${names[@]}" || refuse "apt-get could not install them"
  install_rust_by_rustup
}

print_commands_and_stop() {
  local names
  names=$(while IFS='|' read -r _ _ package _; do apt_names "$package"; done <<<"$1" | xargs)
  refuse "run this as root, then run ./dev again:
  apt-get update && apt-get install -y --no-install-recommends $names"
}
