# build [TARGET...]      builds build/bin/quern and the tests, or just TARGET

source "$QUERN_ROOT/tools/dev/parts/packages.sh"
source "$QUERN_ROOT/tools/dev/parts/compile.sh"
ensure_packages build
compile build "${@:-all}"
