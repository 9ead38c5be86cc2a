// Memory that runs out where no Result can say so: in a thread of its own, in a destructor, in the
// Rust libraries. The program then ends with a line and the exit code for it, never by a signal.
#pragma once
#include "base/result.h"

namespace quern::cli {

// From now on. Whoever catches std::bad_alloc does so as before: this is for what nobody caught.
void end_where_memory_runs_out();

// What is said then, with what can be done.
Error out_of_memory();

}  // namespace quern::cli
