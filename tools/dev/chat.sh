# chat [QUESTION]        opens a chat; with a question, answers it and exits. Flags go to quern chat or quern run

source "$QUERN_ROOT/tools/dev/parts/packages.sh"
source "$QUERN_ROOT/tools/dev/parts/compile.sh"
ensure_packages build
compile build quern

verb=(chat)
case ${1:--} in
  -*) ;;
  *)
    verb=(run -p "$1")
    shift
    ;;
esac
# Another model by -m needs no download.
[[ " $* " == *" -m "* ]] || python3 "$QUERN_ROOT/tools/fetch_model.py" smollm2 --quiet
exec "$QUERN_ROOT/build/bin/quern" "${verb[@]}" "$@"
