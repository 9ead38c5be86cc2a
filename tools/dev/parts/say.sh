# Messages of ./dev: notes on stderr (stdout belongs to the program it runs), one line of
# progress for long steps, and refusals that say what to do.

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
  SAY_BOLD=$'\e[1m' SAY_RED=$'\e[31m' SAY_PLAIN=$'\e[0m'
else
  SAY_BOLD='' SAY_RED='' SAY_PLAIN=''
fi

say() { printf '%s==>%s %s\n' "$SAY_BOLD" "$SAY_PLAIN" "$*" >&2; }

refuse() {
  printf '%serror:%s %s\n' "$SAY_RED" "$SAY_PLAIN" "$*" >&2
  exit 1
}

# True where a question can be put: both ends are a terminal and no CI is running.
can_ask() { [ "${CI:-}" != true ] && [ -t 0 ] && [ -t 2 ]; }

# logged LOG COMMAND...: runs COMMAND with its output in the file LOG; on a terminal the newest line shows in place.
# On failure the log's end is printed. Returns COMMAND's status.
logged() {
  local log=$1 status=0
  shift
  mkdir -p "$(dirname "$log")"
  if [ -t 2 ]; then
    { "$@" 2>&1 </dev/null || echo "$?" >"$log.status"; } | tee "$log" | show_in_place
    if [ -f "$log.status" ]; then
      status=$(cat "$log.status")
      rm -f "$log.status"
    fi
  else
    "$@" >"$log" 2>&1 </dev/null || status=$?
  fi
  if [ "$status" -ne 0 ]; then
    tail -n 60 "$log" >&2
    say "${SAY_RED}failed${SAY_PLAIN} (exit $status): $*; all of its output: $log"
  fi
  return "$status"
}

# Copies each line of stdin over the one before it, cut to the terminal's width; leaves nothing behind.
show_in_place() {
  local line width
  width=$(stty size 2>/dev/null </dev/tty | cut -d' ' -f2) || width=80
  while IFS= read -r line; do printf '\r\e[K%.*s' "$((${width:-80} - 1))" "$line" >&2; done
  printf '\r\e[K' >&2
}
