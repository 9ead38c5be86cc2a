// Line editing with libedit. Ctrl-C is not left to libedit: the character reader below asks the
// flag of cli/signals.h whenever a read comes back early.
#include <histedit.h>
#include <langinfo.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <filesystem>

#include "cli/line_source.h"
#include "cli/signals.h"

namespace quern::cli {

namespace {

constexpr int kHistoryLines = 1000;

// libedit reads wide characters, so the locale must be one that knows UTF-8; in bare containers
// none is set.
void want_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

// One character of standard input for libedit: 1, or 0 at the end, -1 on Ctrl-C.
int read_character(EditLine* editor, wchar_t* out) {
  std::mbstate_t state{};
  while (true) {
    if (!wait_readable(STDIN_FILENO)) {
      if (interrupted()) return -1;
      if (take_resize()) {
        el_resize(editor);
        el_set(editor, EL_PREP_TERM, 1);  // after Ctrl-Z and fg the terminal is cooked
        el_set(editor, EL_REFRESH);
      }
      continue;
    }
    char byte = 0;
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got == 0) return 0;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    const size_t length = std::mbrtowc(out, &byte, 1, &state);
    if (length == static_cast<size_t>(-2)) continue;  // more bytes belong to it
    if (length == static_cast<size_t>(-1)) {          // not UTF-8: dropped
      state = {};
      continue;
    }
    return 1;
  }
}

const char* prompt_of(EditLine* editor) {
  void* data = nullptr;
  el_get(editor, EL_CLIENTDATA, &data);
  return static_cast<const std::string*>(data)->c_str();
}

class EditedLines : public LineSource {
 public:
  explicit EditedLines(std::string history_path) : history_path_(std::move(history_path)) {
    want_utf8();
    history_ = history_init();
    HistEvent event;
    history(history_, &event, H_SETSIZE, kHistoryLines);
    history(history_, &event, H_SETUNIQUE, 1);
    if (!history_path_.empty()) history(history_, &event, H_LOAD, history_path_.c_str());
    editor_ = el_init("quern", stdin, stdout, stderr);
    el_set(editor_, EL_CLIENTDATA, &prompt_);
    el_set(editor_, EL_PROMPT, prompt_of);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_SIGNAL, 0);
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_GETCFN, read_character);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(editor_, nullptr);  // ~/.editrc
  }
  EditedLines(const EditedLines&) = delete;
  EditedLines& operator=(const EditedLines&) = delete;

  ~EditedLines() override {
    el_end(editor_);
    history_end(history_);
  }

  Line read(const std::string& prompt) override {
    prompt_ = prompt;
    // Raw before the prompt shows: what is typed at once, Ctrl-D above all, must not meet a
    // terminal that still reads whole lines.
    el_set(editor_, EL_PREP_TERM, 1);
    int length = 0;
    const char* line = el_gets(editor_, &length);
    if (take_interrupt()) {
      std::fputs("^C\n", stdout);
      std::fflush(stdout);
      return {LineKind::interrupted, {}};
    }
    if (!line || length <= 0) {
      std::fputs("\n", stdout);
      return {};
    }
    std::string text(line, static_cast<size_t>(length));
    if (text.ends_with('\n')) text.pop_back();
    remember(text);
    return {LineKind::typed, std::move(text)};
  }

 private:
  // Saved at once: a conversation may end by any signal.
  void remember(const std::string& text) {
    if (text.find_first_not_of(" \t") == std::string::npos) return;
    HistEvent event;
    history(history_, &event, H_ENTER, text.c_str());
    if (history_path_.empty()) return;
    history(history_, &event, H_SAVE, history_path_.c_str());
    chmod(history_path_.c_str(), S_IRUSR | S_IWUSR);  // what one asked is nobody else's business
  }

  std::string history_path_, prompt_;
  History* history_ = nullptr;
  EditLine* editor_ = nullptr;
};

}  // namespace

std::unique_ptr<LineSource> edited_lines(const std::string& history_path) {
  return std::make_unique<EditedLines>(history_path);
}

std::string history_path() {
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path folder;
  if (state && *state == '/')  // the XDG rules ask to ignore a relative path
    folder = state;
  else if (home && *home)
    folder = std::filesystem::path(home) / ".local" / "state";
  else
    return {};
  folder /= "quern";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? std::string() : (folder / "history").string();
}

}  // namespace quern::cli
