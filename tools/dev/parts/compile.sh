# Configuring and building. One build folder a purpose: build/ (Release), build-asan/, build-fuzz/.

# The Rust library is the same for all of them and is built once, in here.
RUST_TARGET=$QUERN_ROOT/build/rust

# compile FOLDER TARGETS... [-- CMAKE_ARGUMENT...]: configures FOLDER once, builds TARGETS. Silent when up to date.
compile() {
  local folder=$QUERN_ROOT/$1 name=$1 targets=()
  local options=(-DCMAKE_BUILD_TYPE=Release -DQUERN_RUST_TARGET="$RUST_TARGET")
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    targets+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  ! command -v ccache >/dev/null || options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  mkdir -p "$folder/log"
  exec 8>"$folder/log/lock" # two builds of one folder would spoil each other
  ! command -v flock >/dev/null || flock 8
  if [ ! -f "$folder/build.ninja" ]; then
    say "configuring $name/"
    logged "$folder/log/configure.txt" cmake -S "$QUERN_ROOT" -B "$folder" -G Ninja "${options[@]}" "$@"
  fi
  [ -f "$folder/.ninja_log" ] || say "building $name/: ${targets[*]}"
  logged "$folder/log/build.txt" ninja -C "$folder" "${targets[@]}"
  exec 8>&-
}
