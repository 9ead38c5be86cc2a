// The terminal of a conversation: pastes are marked (bracketed paste), so that their lines are not
// taken for typed lines, and its state is restored whenever the program is suspended or ends, by a
// signal too.
#pragma once

namespace quern::cli {

// Saves the present state of the terminal of standard input and output, to be restored later. Once
// per process; ignored signals stay ignored.
void watch_prompt_terminal();

// From now on, unless it does so already.
void mark_pastes();
// Nothing where mark_pastes was not called. A signal's handler may call it.
void restore_terminal();

}  // namespace quern::cli
