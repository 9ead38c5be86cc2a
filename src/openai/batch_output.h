// The file that a batch appends its answers to, in whole lines, so that a batch that was ended by
// anything continues where it stopped.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_set>

#include "base/result.h"

namespace quern::openai {

// Not thread-safe. Holds a lock on the file: two processes do not write one.
class BatchOutput {
 public:
  // Opens or makes the file, cuts a line that was begun and not ended, and reads which answers are
  // there. Errors: unavailable (in use by another process, cannot be written), invalid_argument (no
  // regular file, not the output of a batch: it is left as it is).
  static Result<BatchOutput> open(const std::string& path);
  BatchOutput(BatchOutput&& other) noexcept;
  BatchOutput& operator=(BatchOutput&&) = delete;
  ~BatchOutput();

  bool has(const std::string& custom_id) const { return ids_.contains(custom_id); }
  bool has_line(int64_t number) const { return lines_.contains(number); }
  int64_t n_found() const { return std::ssize(ids_) + std::ssize(lines_); }
  bool is_file(int fd) const;  // the same file

  // One line and its newline, whole or not at all. Errors, here and below: unavailable.
  Result<> append(std::string line);
  // What was appended reaches the disk; sync_when_due at most once a second.
  Result<> sync();
  Result<> sync_when_due();

 private:
  BatchOutput(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  Result<> read_found();
  Error failure(const char* what) const;

  using Clock = std::chrono::steady_clock;
  std::string path_;
  int fd_;
  int64_t size_ = 0;  // bytes, whole lines
  bool dirty_ = false;
  Clock::time_point synced_ = Clock::now();
  std::unordered_set<std::string> ids_;
  std::unordered_set<int64_t> lines_;
};

}  // namespace quern::openai
