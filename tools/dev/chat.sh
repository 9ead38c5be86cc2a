# chat [QUESTION]        talks with a model; with a question, answers it and exits (options: build/bin/quern chat --help)

source "$QUERN_ROOT/tools/dev/parts/packages.sh"
source "$QUERN_ROOT/tools/dev/parts/compile.sh"
ensure_packages build
compile build quern
python3 "$QUERN_ROOT/tools/fetch_model.py" smollm2 --quiet
exec "$QUERN_ROOT/build/bin/quern" chat "$@"
