# setup                  installs what is missing (apt, Rust), builds the program, fetches the default model

source "$QUERN_ROOT/tools/dev/parts/packages.sh"
source "$QUERN_ROOT/tools/dev/parts/compile.sh"
rm -f "$QUERN_ROOT"/build/.has-* # look again at everything
ensure_packages build
compile build all
python3 "$QUERN_ROOT/tools/fetch_model.py" smollm2
say "ready: ./dev chat"
