# bench [FLAG...]        tokens per second of the default model; flags as in build/bin/quern bench --help

source "$QUERN_ROOT/tools/dev/parts/packages.sh"
source "$QUERN_ROOT/tools/dev/parts/compile.sh"
ensure_packages build
compile build quern
[ $# -gt 0 ] || python3 "$QUERN_ROOT/tools/fetch_model.py" smollm2 --quiet
exec "$QUERN_ROOT/build/bin/quern" bench "$@"
