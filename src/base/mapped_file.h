// A file as read-only memory. Pages are read from disk when they are first touched, so opening
// costs the same for every size. Where the system maps no files (WASI) it is read as a whole.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace quern {

// Identifies a file's content without reading it and without its path: a write changes one of
// these. Unlike the time of modification, the time of change cannot be set back.
struct FileIdentity {
  uint64_t inode = 0;
  int64_t bytes = 0, modified_ns = 0, changed_ns = 0;
  // The last change was long enough before the file was opened that a later change gets another
  // time; clocks of file systems move in steps of up to two seconds.
  bool settled = false;
};

// Owns the mapping: bytes() is valid while the object lives, wherever it is moved to. Thread-safe
// after open. The file must not be shortened meanwhile (the system then raises SIGBUS on access).
class MappedFile {
 public:
  // Errors: not_found; invalid_argument where it is not a regular file (a folder, a device, a pipe:
  // refused without opening, since opening can block); unavailable where the system refuses
  // (permission, limits).
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }  // starts at a page boundary
  // Returns the memory of a part to the system; later reads load it from the file again.
  void give_back(std::span<const std::byte> part) const;
  // A hint that the whole file is read again and again: the system may keep it in large pages.
  void want_large_pages() const;
  const std::string& path() const { return path_; }
  const FileIdentity& identity() const { return identity_; }  // when it was opened

 private:
  MappedFile(std::string path, const FileIdentity& identity, std::span<const std::byte> bytes);
  std::string path_;
  FileIdentity identity_;
  std::span<const std::byte> bytes_;
};

}  // namespace quern
