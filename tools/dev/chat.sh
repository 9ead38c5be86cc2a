# chat [MODEL] [TEXT]    opens a chat; with a text, answers it and exits (flags: build/bin/quern chat --help)

source "$QUERN_ROOT/tools/dev/parts/packages.sh"
source "$QUERN_ROOT/tools/dev/parts/compile.sh"
ensure_packages build
compile build quern
case ${1:-} in
  *.gguf | -m | --model) ;; # a model of one's own needs no download
  *) python3 "$QUERN_ROOT/tools/fetch_model.py" smollm2 --quiet ;;
esac
exec "$QUERN_ROOT/build/bin/quern" chat "$@"
