// The source of a conversation's lines: an edited prompt on a terminal, or plain standard input.
#pragma once
#include <memory>
#include <string>

#include "base/result.h"

namespace quern::cli {

enum class LineKind { typed, interrupted, end, failed };

struct Line {
  LineKind kind = LineKind::end;
  std::string text;  // without its newline; of `failed`: why the input cannot be read
};

// Not thread-safe.
class LineSource {
 public:
  virtual ~LineSource() = default;
  // `prompt` is shown on a terminal. Ctrl-C gives `interrupted`, Ctrl-D or the end of the
  // input `end`.
  virtual Line read(const std::string& prompt) = 0;
};

// Line editing and history (libedit) on standard input and output, both terminals. The history is
// kept in `history_path` from one start to the next; empty: not kept.
std::unique_ptr<LineSource> edited_lines(const std::string& history_path);
// Standard input as it is; no prompt.
std::unique_ptr<LineSource> plain_lines();

// ${XDG_STATE_HOME:-~/.local/state}/quern/history with its folder made; empty where that cannot be.
std::string history_path();

// One turn of several lines: a line that ends in a backslash goes on in the next one; """ begins a
// text that ends at the next """, on the same line or a later one. Ctrl-C drops what was begun; at
// the end of the input what was begun is the turn.
Line read_turn(LineSource& lines, const std::string& prompt, const std::string& continuation);

}  // namespace quern::cli
