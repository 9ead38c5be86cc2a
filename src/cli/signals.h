// Ctrl-C as a question the program asks at moments of its own choice.
#pragma once

namespace quern::cli {

// From now on SIGINT only raises a flag, and system calls that wait return EINTR. A third Ctrl-C
// that nobody has taken notice of ends the program at once with exit code 130: whatever hangs, the
// user can leave. SIGINT is the one handler of the process, hence functions, not an object.
void catch_interrupts();

bool interrupted();     // Ctrl-C was pressed since the last take
bool take_interrupt();  // the same, and lowers the flag
bool take_resize();     // the terminal changed its size, or the program was resumed

// Waits until `fd` can be read. False: a signal came first, whenever it came, even just before the
// call; ask the flags above.
bool wait_readable(int fd);

enum class Wait { readable, signal, silence };
// The same, for so long at most.
Wait wait_readable_for(int fd, int milliseconds);

}  // namespace quern::cli
