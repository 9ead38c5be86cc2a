// Ctrl-C as a flag that the program polls.
#pragma once

namespace quern::cli {

// From now on SIGINT only raises a flag, and system calls that wait return EINTR. A third Ctrl-C
// while the flag is still up ends the program at once with exit code 130: the user can always
// leave, whatever hangs. SIGINT is the one handler of the process, hence functions, not an object.
void catch_interrupts();

bool interrupted();     // Ctrl-C was pressed since the last take
bool take_interrupt();  // the same, and lowers the flag
bool take_resize();     // the terminal changed its size, or the program was resumed

// Waits until `fd` can be read. False: a signal arrived first, perhaps just before the call; check
// the flags above.
bool wait_readable(int fd);

enum class Wait { readable, signal, silence };
// The same, with a timeout.
Wait wait_readable_for(int fd, int milliseconds);

}  // namespace quern::cli
