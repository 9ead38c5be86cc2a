#include "cli/text_input.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <new>

#include "base/utf8.h"
#include "cli/failure.h"
#include "cli/signals.h"
#include "cli/terminal.h"

namespace quern::cli {

namespace {

Result<std::string> read_all(int fd, const std::string& name) {
  std::string text;
  constexpr size_t kStep = 1 << 16;
  while (true) {
    if (!wait_readable(fd)) {
      if (interrupted()) return Error{Code::cancelled, "stopped while reading", name, {}};
      continue;
    }
    const size_t size = text.size();
    try {
      text.resize(size + kStep);
    } catch (const std::bad_alloc&) {
      return Error{Code::out_of_memory, "the text does not fit in memory", name, "split it"};
    }
    const ssize_t got = read(fd, text.data() + size, kStep);
    text.resize(size + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return std::string(without_mark(text));
    if (got > 0) continue;
    if (errno != EINTR)
      return Error{Code::not_found, std::string("cannot read: ") + std::strerror(errno), name, {}};
  }
}

bool separates(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == ',' || c == '[' || c == ']';
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return Error{Code::not_found, std::string("cannot open: ") + std::strerror(errno), path, {}};
  auto text = read_all(fd, path);
  close(fd);
  return text;
}

Result<std::string> read_stdin() {
  if (is_terminal(STDIN_FILENO))
    warn("reading from the keyboard; Ctrl-D on an empty line ends the text");
  return read_all(STDIN_FILENO, "standard input");
}

Result<std::string> read_text(const std::optional<std::string>& text,
                              const std::optional<std::string>& file) {
  if (text) return *text;
  if (file && *file != "-") return read_file(*file);
  return read_stdin();
}

Result<std::vector<int32_t>> parse_ids(std::string_view text, const std::string& where) {
  std::vector<int32_t> ids;
  int64_t line = 1;
  for (size_t i = 0; i < text.size();) {
    if (separates(text[i])) {
      line += text[i] == '\n';
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && !separates(text[end])) ++end;
    int32_t id = 0;
    const auto [stop, error] = std::from_chars(text.data() + i, text.data() + end, id);
    if (error != std::errc() || stop != text.data() + end || id < 0)
      return Error{
          Code::invalid_argument,
          fmt::format("'{}' is not a token id", text.substr(i, std::min<size_t>(end - i, 40))),
          fmt::format("{}, line {}", where, line),
          "write decimal ids with whitespace between, as `quern tokenize` prints them"};
    ids.push_back(id);
    i = end;
  }
  return ids;
}

Result<std::vector<int32_t>> read_ids(const std::string& path) {
  TRY(const std::string text, path == "-" ? read_stdin() : read_file(path));
  return parse_ids(text, path == "-" ? "standard input" : path);
}

}  // namespace quern::cli
