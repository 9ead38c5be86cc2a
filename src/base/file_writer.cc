#include "base/file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace quern {
namespace {

const char* fix_of(int error) {
  switch (error) {
    case ENOSPC:
      return "make room on the disk";
    case EDQUOT:
      return "make room: your share of the disk is used up";
    case EFBIG:
      return "raise the limit on the size of a file (ulimit -f)";
    case EROFS:
    case EACCES:
      return "choose a folder that you may write";
    default:
      return "";
  }
}

}  // namespace

Error FileWriter::failure() const {
  const int error = errno;
  return {Code::unavailable, std::string("cannot write: ") + std::strerror(error), path_,
          fix_of(error)};
}

Result<FileWriter> FileWriter::create(const std::string& path) {
  std::string temporary = path + kTemporary + "XXXXXX";
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  FileWriter writer(path, std::move(temporary), fd);
  if (fd < 0) return writer.failure();
  return writer;
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      fd_(std::exchange(other.fd_, -1)) {}

FileWriter::~FileWriter() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

Result<> FileWriter::write(int64_t at, std::span<const std::byte> bytes) {
  const int64_t begin = at;
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure();
    done += static_cast<size_t>(n);
    at += n;
  }
#if defined(__linux__)
  ::sync_file_range(fd_, begin, at - begin, SYNC_FILE_RANGE_WRITE);
#endif
  return Ok{};
}

Result<> FileWriter::finish() {
  if (::fsync(fd_) != 0 || std::rename(temporary_.c_str(), path_.c_str()) != 0) return failure();
  ::close(std::exchange(fd_, -1));
  return Ok{};
}

}  // namespace quern
