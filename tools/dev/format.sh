# format                 formats the C++ and Rust sources in place

source "$QUERN_ROOT/tools/dev/parts/packages.sh"
source "$QUERN_ROOT/tools/dev/parts/sources.sh"
formatter=$(clang_format)
cmd "$formatter" || refuse "$formatter is not installed: apt-get install clang-format-14"
use_packaged_rust
cd "$QUERN_ROOT"
list_sources '*.h' '*.cc' '*.inc' | xargs -0 -r "$formatter" -i
[ ! -f rust/text/Cargo.toml ] || (cd rust/text && cargo fmt)
