#include "cli/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "cli/exit_code.h"
#include "cli/prompt_terminal.h"

namespace quern::cli {

namespace {

constexpr int kPatience = 3;
// A signal handler can reach nothing but objects of static lifetime.
std::atomic<int> interrupts{0};
std::atomic<bool> resized{false};
// A byte for every signal: a wait that begins just after one still sees it.
int wake_pipe[2] = {-1, -1};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void wake() {
  const int error = errno;
  [[maybe_unused]] const ssize_t n = write(wake_pipe[1], "", 1);  // full: it is awake already
  errno = error;
}

void on_interrupt(int) {
  wake();
  if (interrupts.fetch_add(1) + 1 < kPatience) return;
  restore_terminal();
  _exit(kInterrupted);
}

void on_resize(int) {
  resized = true;
  wake();
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: a read that waits must come back
  sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_interrupts() {
  if (wake_pipe[0] < 0 && pipe2(wake_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
    wake_pipe[0] = wake_pipe[1] = -1;  // without it a read that waits comes back all the same
  handle(SIGINT, on_interrupt);
  handle(SIGWINCH, on_resize);
  handle(SIGCONT, on_resize);
}

bool interrupted() { return interrupts.load() > 0; }
bool take_interrupt() { return interrupts.exchange(0) > 0; }
bool take_resize() { return resized.exchange(false); }

bool wait_readable(int fd) { return wait_readable_for(fd, -1) == Wait::readable; }

Wait wait_readable_for(int fd, int milliseconds) {
  pollfd ready[2] = {{fd, POLLIN, 0}, {wake_pipe[0], POLLIN, 0}};
  const int n = poll(ready, 2, milliseconds);
  if (n < 0) return Wait::signal;  // EINTR
  if (n == 0) return Wait::silence;
  if (ready[1].revents == 0) return Wait::readable;
  char bytes[64];
  while (read(wake_pipe[0], bytes, sizeof bytes) > 0) {
  }
  return Wait::signal;
}

}  // namespace quern::cli
