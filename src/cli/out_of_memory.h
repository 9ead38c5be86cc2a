// Running out of memory where no Result can report it: in a background thread, in a destructor, in
// the Rust libraries. The program then ends with an error line and its exit code, never by a
// signal.
#pragma once
#include "base/result.h"

namespace quern::cli {

// From now on. Code that catches std::bad_alloc works as before: this handles what was not caught.
void end_where_memory_runs_out();

// The error that is printed then.
Error out_of_memory();

}  // namespace quern::cli
