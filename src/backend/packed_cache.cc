#include "backend/packed_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/checksum.h"
#include "base/file_writer.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".packed";
constexpr int64_t kAbandoned = 3600;  // seconds until a writer's temporary file counts as left over

int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool is_temporary(const std::string& path) {
  return path.find(FileWriter::kTemporary) != std::string::npos;
}

std::string source_of(const std::string& path) {
  if (is_temporary(path)) return "";
  const auto file = PackedFile::open(path);
  return file ? file->contents.source : "";
}

}  // namespace

std::optional<std::string> packed_key(const WeightSource& source) {
  std::string key = "packed " + std::to_string(kPackedVersion);
  const std::vector<FileIdentity> files = source.files();
  for (const FileIdentity& file : files) {
    if (!file.settled) return std::nullopt;
    key += "; " + std::to_string(file.inode) + " " + std::to_string(file.bytes) + " " +
           std::to_string(file.modified_ns) + " " + std::to_string(file.changed_ns);
  }
  if (files.empty()) return std::nullopt;
  return key;
}

std::string PackedCache::path_of(const std::string& key) const {
  const uint64_t sum = checksum(std::as_bytes(std::span(key)));
  char name[17];
  std::snprintf(name, sizeof name, "%016llx", static_cast<unsigned long long>(sum));
  return folder_ + "/" + name + kSuffix;
}

Result<PackedFile> PackedCache::find(const std::string& key) const {
  TRY(PackedFile file, PackedFile::open(path_of(key)));
  if (file.contents.key != key)
    return Error{Code::not_found, "packed weights of another model", file.map.path(), ""};
  ::utimensat(AT_FDCWD, file.map.path().c_str(), nullptr, 0);  // now; only a note
  return file;
}

std::vector<CachedFile> PackedCache::list() const {
  std::vector<CachedFile> files;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const std::string path = at->path().string();
    if (path.find(kSuffix) == std::string::npos) continue;
    struct stat status;
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    constexpr int64_t kBlock = 512;
    files.push_back({path, source_of(path), status.st_blocks * kBlock, status.st_mtime});
  }
  std::ranges::sort(files, std::greater{}, &CachedFile::used_s);
  return files;
}

int64_t PackedCache::limit() const {
  int64_t taken = 0;
  for (const CachedFile& file : list()) taken += file.bytes;
  std::error_code error;
  const fs::space_info space = fs::space(folder_, error);
  const int64_t free =
      error ? 0 : static_cast<int64_t>(std::min<uintmax_t>(space.available, INT64_MAX / 2));
  return std::min(most_bytes_, (taken + free) / 4);
}

void PackedCache::make_room(const PackedContents& contents, int64_t bytes) const {
  int64_t left = limit() - bytes;
  const std::string mine = path_of(contents.key);
  for (const CachedFile& file : list()) {
    const bool temporary = is_temporary(file.path);
    const bool replaced = file.source == contents.source && !temporary && file.path != mine;
    const bool abandoned = temporary && now_s() - file.used_s > kAbandoned;
    const bool unusable = file.source.empty() && !temporary;
    std::error_code ignored;
    if (replaced || abandoned || unusable || file.path == mine || file.bytes > left) {
      if (!temporary || abandoned) fs::remove(file.path, ignored);
    } else {
      left -= file.bytes;
    }
  }
}

Result<> PackedCache::store(const PackedContents& contents,
                            const std::function<bool(double done)>& keep_going) const {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error)
    return Error{Code::unavailable, "cannot make the folder: " + error.message(), folder_, ""};
  fs::permissions(folder_, fs::perms::owner_all, error);  // others' models are nobody's business
  int64_t bytes = 0;
  for (const PackedEntry& entry : contents.matrices) bytes += std::ssize(entry.data);
  if (bytes > limit())
    return Error{Code::unavailable, "packed weights larger than the cache may become", folder_,
                 "make room on the disk"};
  make_room(contents, bytes);
  return write_packed(path_of(contents.key), contents, keep_going);
}

Result<int> PackedCache::clear() const {
  int n = 0;
  for (const CachedFile& file : list()) {
    std::error_code error;
    n += fs::remove(file.path, error) ? 1 : 0;
    if (error) return Error{Code::unavailable, "cannot delete: " + error.message(), file.path, ""};
  }
  return n;
}

}  // namespace quern
