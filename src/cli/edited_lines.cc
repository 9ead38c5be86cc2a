// Line editing with libedit, which is given whole keys (cli/key_parser.h) by the reader below: one
// character each; in the place of a paste, or of a key that it knows by several bytes, one control
// character that it has bound to a function of ours. Ctrl-C is not left to libedit either: the
// reader asks the flag of cli/signals.h whenever a read comes back early.
#include <histedit.h>
#include <langinfo.h>
#include <signal.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <deque>
#include <filesystem>
#include <new>

#include "cli/key_parser.h"
#include "cli/line_source.h"
#include "cli/prompt_terminal.h"
#include "cli/signals.h"

namespace quern::cli {

namespace {

constexpr int kHistoryLines = 1000;
// After so many milliseconds of silence what has begun as a sequence is over: the escape key alone,
// say. A paste may pause for longer where the line is slow.
constexpr int kSequenceSilence = 500, kPasteSilence = 5000;
constexpr char kFunction[] = "quern-key", kPlaceholder[] = "^_";

// libedit reads wide characters, so the locale must be one that knows UTF-8; in bare containers
// none is set.
void want_utf8() {
  std::setlocale(LC_CTYPE, "");
  if (std::strcmp(nl_langinfo(CODESET), "UTF-8") != 0) std::setlocale(LC_CTYPE, "C.UTF-8");
}

SignalKeys signal_keys() {
  termios settings{};
  if (tcgetattr(STDIN_FILENO, &settings) != 0 || (settings.c_lflag & ISIG) == 0) return {};
  const auto key = [&](int which) {
    const cc_t byte = settings.c_cc[which];
    return byte == _POSIX_VDISABLE ? uint8_t{0} : uint8_t{byte};
  };
  return {key(VINTR), key(VSUSP), key(VQUIT)};
}

bool is_vi(EditLine* editor) {
  const char* name = nullptr;
  return el_get(editor, EL_EDITOR, &name) == 0 && name && std::strcmp(name, "vi") == 0;
}

class EditedLines : public LineSource {
 public:
  explicit EditedLines(std::string history_path) : history_path_(std::move(history_path)) {
    watch_prompt_terminal();
    want_utf8();
    const SignalKeys signals = signal_keys();
    history_ = history_init();
    if (!history_) throw std::bad_alloc();
    HistEvent event;
    history(history_, &event, H_SETSIZE, kHistoryLines);
    history(history_, &event, H_SETUNIQUE, 1);
    if (!history_path_.empty()) history(history_, &event, H_LOAD, history_path_.c_str());
    editor_ = el_init("quern", stdin, stdout, stderr);
    if (!editor_) throw std::bad_alloc();
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, prompt_of);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_SIGNAL, 0);
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_GETCFN, read_character);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(editor_, nullptr);  // ~/.editrc
    bind_keys();
    keys_ = KeyParser(signals, is_vi(editor_));
  }
  EditedLines(const EditedLines&) = delete;
  EditedLines& operator=(const EditedLines&) = delete;

  ~EditedLines() override {
    el_end(editor_);
    restore_terminal();
    history_end(history_);
  }

  Line read(const std::string& prompt) override {
    prompt_ = prompt;
    // Raw before the prompt shows: what is typed at once, Ctrl-D above all, must not meet a
    // terminal that still reads whole lines.
    el_set(editor_, EL_PREP_TERM, 1);
    mark_pastes();
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
    while (text.ends_with('\n')) text.pop_back();  // its own, and those at the end of a paste
    remember(text);
    return {LineKind::typed, std::move(text)};
  }

 private:
  static EditedLines& of(EditLine* editor) {
    void* data = nullptr;
    el_get(editor, EL_CLIENTDATA, &data);
    return *static_cast<EditedLines*>(data);
  }

  static const char* prompt_of(EditLine* editor) { return of(editor).prompt_.c_str(); }

  // One character for libedit: 1, or 0 at the end, -1 on Ctrl-C.
  static int read_character(EditLine* editor, wchar_t* out) { return of(editor).read_key(out); }

  // What the placeholder stands for.
  static unsigned char on_placeholder(EditLine* editor, int) {
    EditedLines& self = of(editor);
    if (self.waiting_.empty()) return CC_ERROR;
    const Key key = std::move(self.waiting_.front());
    self.waiting_.pop_front();
    if (key.kind == KeyKind::paste)
      return el_insertstr(editor, key.text.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    el_push(editor, key.text.c_str());
    return CC_ARGHACK;  // a count typed before is that of the command
  }

  void bind_keys() {
    // All bytes reach the parser: in a paste they are text. Signals are made of keys below.
    el_set(editor_, EL_SETTY, "-d", "-isig", "-ixon", "-icrnl", "-inlcr", nullptr);
    el_set(editor_, EL_ADDFN, kFunction, "a key of several bytes, or a paste", on_placeholder);
    el_set(editor_, EL_BIND, kPlaceholder, kFunction, nullptr);
    el_set(editor_, EL_BIND, "-a", kPlaceholder, kFunction, nullptr);  // vi's command mode
    el_set(editor_, EL_BIND, "\\e[3~", "ed-delete-next-char", nullptr);
  }

  int read_key(wchar_t* out) {
    while (true) {
      while (std::optional<Key> key = keys_.next())
        if (take(std::move(*key), out)) return 1;
      if (interrupted()) return -1;
      const int patience = keys_.pasting() ? kPasteSilence : kSequenceSilence;
      const Wait wait = wait_readable_for(STDIN_FILENO, keys_.incomplete() ? patience : -1);
      if (wait == Wait::silence) keys_.silence();
      if (wait == Wait::signal) after_signal();
      if (wait != Wait::readable) continue;
      // Beyond the key at hand nothing is taken: it may be for another reader.
      char bytes[4096];
      const ssize_t got = ::read(STDIN_FILENO, bytes, keys_.pasting() ? sizeof bytes : 1);
      if (got == 0) return 0;
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return -1;
      for (ssize_t i = 0; i < got; ++i) keys_.feed(static_cast<uint8_t>(bytes[i]));
    }
  }

  // False: the key is no character.
  bool take(Key key, wchar_t* out) {
    switch (key.kind) {
      case KeyKind::character:
        *out = static_cast<wchar_t>(key.character);
        return true;
      case KeyKind::command:
      case KeyKind::paste:
        waiting_.push_back(std::move(key));
        *out = static_cast<wchar_t>(KeyParser::kPlaceholder);
        return true;
      // As the terminal does: to all programs in the foreground.
      case KeyKind::interrupt:
        kill(0, SIGINT);
        return false;
      case KeyKind::suspend:
        kill(0, SIGTSTP);
        return false;
      case KeyKind::quit:
        kill(0, SIGQUIT);
        return false;
    }
    return false;
  }

  void after_signal() {
    if (interrupted() || !take_resize()) return;
    el_resize(editor_);
    termios settings{};
    if (tcgetattr(STDIN_FILENO, &settings) == 0 && (settings.c_lflag & ICANON)) {
      el_set(editor_, EL_PREP_TERM, 0);  // after Ctrl-Z and fg it is cooked, which libedit
      el_set(editor_, EL_PREP_TERM, 1);  // does not know
      mark_pastes();
    }
    el_set(editor_, EL_REFRESH);
  }

  // Saved at once: a conversation may end by any signal.
  void remember(const std::string& text) {
    if (text.find_first_not_of(" \t") == std::string::npos) return;
    HistEvent event;
    history(history_, &event, H_ENTER, text.c_str());
    if (history_path_.empty()) return;
    history(history_, &event, H_SAVE, history_path_.c_str());
    chmod(history_path_.c_str(), S_IRUSR | S_IWUSR);  // readable by its owner alone
  }

  std::string history_path_, prompt_;
  KeyParser keys_;
  std::deque<Key> waiting_;  // for their placeholders
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
