// The terminal of a conversation: it marks pastes (bracketed paste), so that their lines are not
// taken for lines that were typed, and is as it was before whenever the program is suspended or has
// ended, by a signal too.
#pragma once

namespace quern::cli {

// The terminal of standard input and output as it is now is what it will be set back to. Once, for
// the process; signals that are ignored stay so.
void watch_prompt_terminal();

// From now on, unless it does so already.
void mark_pastes();
// Nothing where mark_pastes was not called. A signal's handler may call it.
void restore_terminal();

}  // namespace quern::cli
