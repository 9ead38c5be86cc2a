// Standard input, output and error that were closed by the caller.
#pragma once

namespace quern::cli {

// Descriptors 0, 1 and 2 that were closed (`<&-`) would go to the next file or pipe the program
// opens, which would then be read or written as if it were the user's. They are opened first so
// that they refuse: reads of standard input and writes to standard output fail, as the caller asked
// for; what goes to standard error is lost. To be called before anything is opened.
void open_standard_streams();

}  // namespace quern::cli
