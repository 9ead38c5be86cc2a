// Standard input, output and error as the program was given them.
#pragma once

namespace quern::cli {

// Descriptors 0, 1 and 2 that were closed (`<&-`) would go to the next file or pipe the program
// opens, which would then be read or written as if it were the user's. They are taken first, by
// something that refuses: a read of standard input and a write to standard output fail as the shell
// asked for; what goes to standard error is lost. To be called before anything is opened.
void open_standard_streams();

}  // namespace quern::cli
