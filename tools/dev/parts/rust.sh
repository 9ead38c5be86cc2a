# Rust on Debian and Ubuntu. Debian 12's cargo (1.63) is too old, but it carries a newer one for its browsers: cargo-web.
# Ubuntu 24.04 names its newer ones by version: cargo-1.89 with its programs in /usr/lib/rust-1.89/bin. Failing both,
# the package rustup fetches the stable toolchain.

cargo_minor() { cargo --version 2>/dev/null | sed -n 's/^cargo 1\.\([0-9]*\)\..*/\1/p'; }
has_cargo() {
  local minor
  minor=$(cargo_minor) || return 1 # there is none
  [ "${minor:-0}" -ge "$RUST_MINIMUM" ]
}
has_cargo_fmt() { cargo fmt --version >/dev/null 2>&1; }
has_cargo_clippy() { cargo clippy --version >/dev/null 2>&1; }

# N of the newest package cargo-1.N; 0 where there is none.
newest_versioned_rust() {
  { echo 0 && apt-cache pkgnames cargo-1. | sed -n 's/^cargo-1\.\([0-9]*\)$/\1/p'; } | sort -n | tail -n 1
}

# Names of the packages to install for cargo and rustc.
rust_packages() {
  local minor
  if apt_knows cargo-web; then
    echo cargo-web rustc-web
    return
  fi
  minor=$(newest_versioned_rust)
  if [ "$minor" -ge "$RUST_MINIMUM" ]; then
    echo "cargo-1.$minor" "rustc-1.$minor"
  else
    first_known rustup
  fi
}

# Puts the newest /usr/lib/rust-1.N/bin first on PATH where PATH has no cargo of its own or too old a one.
use_packaged_rust() {
  local folder
  folder=$(printf '%s\n' /usr/lib/rust-1.*/bin | sort -V | tail -n 1)
  [ -x "$folder/cargo" ] || return 0
  has_cargo || export PATH="$folder:$PATH"
}

install_rust_by_rustup() {
  if ! has_cargo && cmd rustup; then
    say "fetching the stable Rust toolchain by rustup"
    logged "$QUERN_ROOT/build/log/rustup.txt" rustup toolchain install stable --profile minimal -c rustfmt -c clippy ||
      refuse "rustup could not fetch a toolchain"
    logged "$QUERN_ROOT/build/log/rustup.txt" rustup default stable || refuse "rustup could not choose a toolchain"
  fi
}
