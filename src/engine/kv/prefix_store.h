// Pages of keys and values and recurrent states on disk, one file each, found again after a
// restart. What can go wrong with a disk costs a note and no more: a bad file is removed, and where
// writing fails it stops.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "engine/kv/page_file.h"

namespace quern {

struct PrefixStoreOptions {
  std::string folder;     // made where it is not there
  PageIdentity identity;  // pages of others in the same folder count, but are never read
  int64_t most_bytes = int64_t{16} << 30;  // of all files of the folder; those used last stay
  size_t most_queued = 8;                  // pages that wait to be written
  // What is worth knowing; called from any thread, may be empty.
  std::function<void(const std::string&)> note;
  // Of tokens behind what gave `before`; empty: a 64-bit checksum. Only finds files: what a file is
  // used for is compared key by key.
  std::function<uint64_t(uint64_t before, std::span<const int32_t> tokens)> hash;
  // Empty: write_page_file.
  std::function<Result<>(const std::string& path, const PageFileHeader&,
                         std::span<const std::byte>)>
      write;
};

// Only whole pages. Written by a thread of its own; nobody waits for it but flush(). Several
// processes may use one folder: files appear whole, and one that is gone is a miss. Thread-safe.
class PrefixStore {
 public:
  explicit PrefixStore(PrefixStoreOptions options);
  ~PrefixStore();  // what is queued is still written

  // Names the pages of a prefix one after the other: start(salt), then after(name, its keys) for
  // each page in turn. A key's last bit (the role) does not count: of pages that differ in nothing
  // else the first one stays.
  uint64_t start(const std::string& salt) const;
  uint64_t after(uint64_t name, std::span<const int32_t> keys) const;

  // A part (of identity.parts) of what has this name.
  uint64_t piece(uint64_t name, int part) const;
  bool has(uint64_t piece) const;  // as far as is known; a written one is at once
  // The part's page of `keys` behind those `held`, whole pages all, or the state after them; false:
  // it is not there. Without `exact` one whose keys differ in the last bits will do: `keys` become
  // its own.
  bool read(uint64_t piece, int part, const std::string& salt, std::span<const int32_t> held,
            std::vector<int32_t>& keys, bool exact, std::span<std::byte> to);
  // Whether write() would take a page now.
  bool ready() const;
  // The same, as bytes, for the queue; false: it is full, or writing has failed before.
  bool write(uint64_t piece, int part, std::string salt, std::vector<int32_t> keys,
             std::vector<std::byte> bytes);
  void flush();  // until nothing is queued
  bool failed() const;

 private:
  struct Page {
    uint64_t name;
    PageFileHeader header;
    std::vector<std::byte> bytes;
  };
  std::string path(uint64_t name) const;
  std::optional<uint64_t> number_of(const std::string& file) const;
  Result<> read_file(const std::string& path,
                     const std::function<bool(const PageFileHeader&)>& fits,
                     std::span<std::byte> to, PageFileHeader& header) const;
  Result<> write_file(const Page& page);
  void forget(uint64_t name);
  void note(const std::string& text) const;
  void scan();
  void make_room(int64_t bytes);
  void run();

  PrefixStoreOptions options_;
  std::string prefix_;  // of the names of this identity's files

  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::unordered_set<uint64_t> known_;
  std::deque<Page> queue_;
  bool writing_ = false, failed_ = false, stop_ = false;
  int64_t bytes_ = 0;  // of all files; the writer's alone after construction
  std::thread writer_;
};

}  // namespace quern
