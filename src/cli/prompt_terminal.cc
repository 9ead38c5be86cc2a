#include "cli/prompt_terminal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace quern::cli {

namespace {

constexpr std::string_view kMarkPastes = "\033[?2004h", kDoNot = "\033[?2004l";
constexpr int kEnding[] = {SIGTERM, SIGHUP, SIGQUIT};

// A signal handler can reach nothing but objects of static lifetime.
std::atomic<bool> marked{false};
bool marks = false;  // the terminal knows escape sequences
bool saved = false;
termios as_it_was;

void put(std::string_view text) {
  if (marks) [[maybe_unused]]
    const ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

// The default action of the signal. Returns after a stop.
void pass_on(int signal) {
  handle(signal, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  raise(signal);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
}

void on_end(int signal) {
  restore_terminal();
  pass_on(signal);
}

// The prompt begins again by SIGCONT (cli/signals.h), which tells the line editor; it is raised
// here in case there was no stop, since no shell would continue it.
void on_suspend(int signal) {
  const int error = errno;
  restore_terminal();
  pass_on(signal);
  handle(signal, on_suspend);
  raise(SIGCONT);
  errno = error;
}

void handle_unless_ignored(int signal, void (*handler)(int)) {
  struct sigaction before {};
  if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)
    handle(signal, handler);
}

}  // namespace

void watch_prompt_terminal() {
  const char* term = std::getenv("TERM");
  marks = term && *term && std::string_view(term) != "dumb";
  saved = tcgetattr(STDIN_FILENO, &as_it_was) == 0;
  for (const int signal : kEnding) handle_unless_ignored(signal, on_end);
  handle_unless_ignored(SIGTSTP, on_suspend);
}

void mark_pastes() {
  if (!marked.exchange(true)) put(kMarkPastes);
}

void restore_terminal() {
  if (!marked.exchange(false)) return;
  put(kDoNot);
  if (saved) tcsetattr(STDIN_FILENO, TCSADRAIN, &as_it_was);
}

}  // namespace quern::cli
