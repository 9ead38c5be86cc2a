#include "openai/line_reader.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/utf8.h"

namespace quern::openai {

namespace {

constexpr size_t kStep = 1 << 16;

bool readable_now(int fd) {
  pollfd ready{fd, POLLIN, 0};
  return poll(&ready, 1, 0) > 0;
}

}  // namespace

InputLine LineReader::take(size_t length, bool whole) {
  InputLine line{.number = ++number_, .begin = position_, .whole = whole};
  line.too_long = skipping_ || length > max_bytes_;
  if (!line.too_long) line.text = buffer_.substr(0, length);
  if (number_ == 1) line.text = without_mark(line.text);
  const size_t gone = length + (whole ? 1 : 0);
  buffer_.erase(0, gone);
  position_ += skipped_ + static_cast<int64_t>(gone);
  searched_ = 0;
  skipped_ = 0;
  skipping_ = false;
  return line;
}

Result<bool> LineReader::more(bool wait) {
  if (wait ? wait_ && !wait_(fd_) : !readable_now(fd_)) return false;
  const size_t size = buffer_.size();
  buffer_.resize(size + kStep);
  const ssize_t got = read(fd_, buffer_.data() + size, kStep);
  const int error = errno;
  buffer_.resize(size + static_cast<size_t>(got > 0 ? got : 0));
  if (got < 0 && error != EINTR && error != EAGAIN)
    return Error{Code::not_found, std::string("cannot read: ") + std::strerror(error), name_, {}};
  if (got == 0) ended_ = true;
  return got >= 0;
}

Result<std::optional<InputLine>> LineReader::next(bool wait) {
  while (true) {
    const size_t end = buffer_.find('\n', searched_);
    if (end != std::string::npos) return std::optional(take(end, true));
    searched_ = buffer_.size();
    if (buffer_.size() > max_bytes_) {
      skipping_ = true;
      skipped_ += static_cast<int64_t>(buffer_.size());
      buffer_.clear();
      searched_ = 0;
    }
    if (ended_) {
      if (buffer_.empty() && !skipping_) return std::optional<InputLine>();
      return std::optional(take(buffer_.size(), false));
    }
    TRY(const bool came, more(wait));
    if (!came) return std::optional<InputLine>();
  }
}

std::optional<int64_t> count_lines(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  std::vector<char> bytes(1 << 20);
  int64_t lines = 0, at = 0;
  bool blank = true;
  while (true) {
    const ssize_t got = pread(fd, bytes.data(), bytes.size(), at);
    if (got <= 0) break;
    const std::string_view head(bytes.data(), static_cast<size_t>(got));
    ssize_t i = at == 0 ? got - std::ssize(without_mark(head)) : 0;
    at += got;
    for (; i < got; ++i) {
      const char c = bytes[static_cast<size_t>(i)];
      if (c == '\n') {
        lines += !blank;
        blank = true;
      } else if (c != ' ' && c != '\t' && c != '\r') {
        blank = false;
      }
    }
  }
  return lines + !blank;
}

}  // namespace quern::openai
