#include "openai/batch_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "openai/batch.h"
#include "openai/line_reader.h"

namespace quern::openai {

namespace {

constexpr size_t kMaxLine = size_t{1} << 30;
constexpr auto kSyncEvery = std::chrono::seconds(1);

// A new file is there after a crash only once its folder has been written.
void sync_folder(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

}  // namespace

Error BatchOutput::failure(const char* what) const {
  return {Code::unavailable, fmt::format("{}: {}", what, std::strerror(errno)), path_,
          "start again when that is mended: the answers that are there are kept"};
}

Result<BatchOutput> BatchOutput::open(const std::string& path) {
  // Without waiting: a pipe would.
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644);
  BatchOutput output(path, fd);
  if (fd < 0) return output.failure("cannot open");
  struct stat status {};
  if (fstat(fd, &status) != 0) return output.failure("cannot read");
  if (!S_ISREG(status.st_mode))
    return Error{Code::invalid_argument, "not a regular file", path,
                 "answers are appended, and read back to go on: name a file"};
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return output.failure("cannot lock");
    return Error{Code::unavailable, "another process writes this file", path,
                 "wait for it, or name another file"};
  }
  TRY_OK(output.read_found());
  sync_folder(path);
  return output;
}

BatchOutput::BatchOutput(BatchOutput&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      dirty_(other.dirty_),
      synced_(other.synced_),
      ids_(std::move(other.ids_)),
      lines_(std::move(other.lines_)) {}

BatchOutput::~BatchOutput() {
  if (fd_ >= 0) close(fd_);
}

bool BatchOutput::is_file(int fd) const {
  struct stat mine {
  }, other{};
  return fstat(fd_, &mine) == 0 && fstat(fd, &other) == 0 && mine.st_dev == other.st_dev &&
         mine.st_ino == other.st_ino;
}

Result<> BatchOutput::read_found() {
  LineReader reader(fd_, path_, kMaxLine);
  while (!reader.at_end()) {
    TRY(auto line, reader.next(true));
    if (!line) continue;
    if (!line->whole) {
      // Half an answer of a process that ended while writing; anything else is not our file.
      if (line->begin == 0 && !line->text.starts_with("{\"id\":") &&
          !std::string_view("{\"id\":").starts_with(line->text) &&
          line->text.find_first_not_of('\0') != std::string::npos)
        return Error{Code::invalid_argument, "not the output of a batch", path_,
                     "name another file"};
      break;
    }
    const auto found = read_batch_output(line->text);
    if (!found)
      return Error{Code::invalid_argument,
                   fmt::format("not the output of a batch: {}", found.error().what),
                   fmt::format("{}, line {}", path_, line->number),
                   "name another file, or delete the line: its request is then made again"};
    if (found->custom_id.empty())
      lines_.insert(found->line);
    else
      ids_.insert(found->custom_id);
    size_ = line->begin + std::ssize(line->text) + 1;
  }
  if (ftruncate(fd_, size_) != 0) return failure("cannot cut the half line at the end");
  return Ok{};
}

Result<> BatchOutput::append(std::string line) {
  line += '\n';
  size_t written = 0;
  while (written < line.size()) {
    const ssize_t n = write(fd_, line.data() + written, line.size() - written);
    if (n > 0) {
      written += static_cast<size_t>(n);
    } else if (n == 0 || errno != EINTR) {
      const Error error = failure("cannot write an answer");
      // Removes what was written of it; if that fails, the next start cuts it.
      [[maybe_unused]] const int cut = ftruncate(fd_, size_);
      return error;
    }
  }
  size_ += std::ssize(line);
  dirty_ = true;
  return Ok{};
}

Result<> BatchOutput::sync() {
  synced_ = Clock::now();
  if (!dirty_) return Ok{};
  if (fdatasync(fd_) != 0) return failure("cannot write to the disk");
  dirty_ = false;
  return Ok{};
}

Result<> BatchOutput::sync_when_due() {
  if (!dirty_ || Clock::now() - synced_ < kSyncEvery) return Ok{};
  return sync();
}

}  // namespace quern::openai
