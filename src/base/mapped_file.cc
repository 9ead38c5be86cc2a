#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#if !defined(__wasi__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace quern {
namespace {

constexpr int64_t kMargin = 1 << 16;  // sizes round up to pages

Error system_error(const std::string& path, int error) {
  if (error == ENOENT || error == ENOTDIR)
    return {Code::not_found, "no such file or folder", path, "check the path"};
  if (error == ENOMEM)
    return {Code::out_of_memory, "there is no memory for the file", path,
            "use a smaller model, close other programs, or raise the limit (ulimit -v)"};
  return {Code::unavailable, std::string("cannot read the file: ") + std::strerror(error), path,
          error == EACCES ? "give yourself permission to read it" : ""};
}

Result<Ok> check_kind(const std::string& path, const struct stat& status) {
  static constexpr struct {
    mode_t kind;
    const char* name;
  } kKinds[] = {{S_IFDIR, "a folder"},
                {S_IFCHR, "a device"},
                {S_IFBLK, "a device"},
                {S_IFIFO, "a pipe"},
                {S_IFSOCK, "a socket"}};
  if (S_ISREG(status.st_mode)) return Ok{};
  const char* what = "something else";
  for (const auto& kind : kKinds)
    if ((status.st_mode & S_IFMT) == kind.kind) what = kind.name;
  return Error{Code::invalid_argument, std::string("not a file but ") + what, path,
               "give the path of a file"};
}

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileIdentity identity_of(const struct stat& status) {
  constexpr int64_t kSettled = 2'000'000'000;  // the step of FAT's clock, the coarsest
  const int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  FileIdentity identity = {
    .inode = status.st_ino,
    .bytes = status.st_size,
#if defined(__APPLE__)
    .modified_ns = nanoseconds(status.st_mtimespec),
    .changed_ns = nanoseconds(status.st_ctimespec)
#else
    .modified_ns = nanoseconds(status.st_mtim),
    .changed_ns = nanoseconds(status.st_ctim)
#endif
  };
  identity.settled = now - std::max(identity.modified_ns, identity.changed_ns) > kSettled;
  return identity;
}

// Closes on every way out: a mapping outlives its descriptor.
struct Descriptor {
  int fd;
  ~Descriptor() { ::close(fd); }
};

#if defined(__wasi__)  // it has no mappings: the file is read

constexpr size_t kPage = 4096;

// Null on failure, with errno set.
const std::byte* map(int fd, size_t size) {
  auto* at = static_cast<std::byte*>(std::aligned_alloc(kPage, (size + kPage - 1) / kPage * kPage));
  for (size_t done = 0; at && done < size;) {
    const ssize_t n = ::read(fd, at + done, size - done);
    if (n <= 0) {  // 0: the file was cut off meanwhile
      if (n == 0) errno = EIO;
      std::free(at);
      return nullptr;
    }
    done += static_cast<size_t>(n);
  }
  return at;
}
void unmap(std::span<const std::byte> bytes) { std::free(const_cast<std::byte*>(bytes.data())); }
void drop(std::span<const std::byte>) {}

#else

const std::byte* map(int fd, size_t size) {
  void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? nullptr : static_cast<const std::byte*>(at);
}
void unmap(std::span<const std::byte> bytes) {
  ::munmap(const_cast<std::byte*>(bytes.data()), bytes.size());
}
// Whole pages within the part.
void drop(std::span<const std::byte> part) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const auto end = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

#endif

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  if (path.find('\0') != std::string::npos)
    return Error{Code::invalid_argument, "the path has a NUL in it", "", "check the path"};
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return system_error(path, errno);
  TRY_OK(check_kind(path, status));
  // Not blocking, in case a pipe replaced the file since stat.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return system_error(path, errno);
  const Descriptor descriptor{fd};
  if (::fstat(fd, &status) != 0) return system_error(path, errno);
  TRY_OK(check_kind(path, status));
  if (status.st_size == 0)
    return MappedFile(path, identity_of(status), {});  // mmap refuses length 0
  if (status.st_size > PTRDIFF_MAX - kMargin) return system_error(path, EFBIG);  // 32-bit systems
  const auto size = static_cast<size_t>(status.st_size);
  const std::byte* at = map(fd, size);
  if (!at) return system_error(path, errno);
  return MappedFile(path, identity_of(status), {at, size});
}

MappedFile::MappedFile(std::string path, const FileIdentity& identity,
                       std::span<const std::byte> bytes)
    : path_(std::move(path)), identity_(identity), bytes_(bytes) {}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      identity_(other.identity_),
      bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(identity_, other.identity_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void MappedFile::give_back(std::span<const std::byte> part) const {
  CHECK(part.data() >= bytes_.data() && part.data() + part.size() <= bytes_.data() + bytes_.size(),
        "a part of another file");
  drop(part);
}

void MappedFile::want_large_pages() const {
#if defined(MADV_HUGEPAGE)
  if (!bytes_.empty())
    ::madvise(const_cast<std::byte*>(bytes_.data()), bytes_.size(), MADV_HUGEPAGE);
#endif
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) unmap(bytes_);
}

}  // namespace quern
