// A folder of packed weights from earlier loads, one file a model. A file is found by a key that
// says which weights it was made of, so that it cannot be out of date; what is not used for long
// goes when room is needed. Safe with several processes: files appear whole, and one that is
// deleted stays readable where it is mapped.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/packed_file.h"
#include "base/result.h"
#include "formats/weight_source.h"

namespace quern {

// Inode, length and times of every file of the model, and the version of the packed layout: neither
// path nor instruction set, since a file may be moved and all sets share one layout. Nothing where
// the weights come from no file, or one that was written so lately that a further change might not
// show.
std::optional<std::string> packed_key(const WeightSource& source);

struct CachedFile {
  std::string path,
      source;          // source: the model it was made of; empty: no whole file of packed weights
  int64_t bytes = 0;   // on the disk
  int64_t used_s = 0;  // when it was last mapped or made, seconds since 1970
};

// Thread-safe: all state is in the folder.
class PackedCache {
 public:
  static constexpr int64_t kMostBytes = int64_t{64} * 1000 * 1000 * 1000;

  explicit PackedCache(std::string folder, int64_t most_bytes = kMostBytes)
      : folder_(std::move(folder)), most_bytes_(most_bytes) {}
  const std::string& folder() const { return folder_; }

  // The file for this key, and a note that it was used. Errors: not_found; corrupt, unsupported or
  // unavailable where there is one that cannot be used.
  Result<PackedFile> find(const std::string& key) const;

  // Writes it, and makes room first: earlier ones of the same model go, then those not used for the
  // longest time. keep_going as in write_packed. Errors: unavailable (more than the limit, no
  // permission, disk full), cancelled.
  Result<> store(const PackedContents& contents,
                 const std::function<bool(double done)>& keep_going) const;

  // All files, the last used one first; what is left of interrupted writers too.
  std::vector<CachedFile> list() const;
  // Bytes that the files may take together: at most a quarter of what they and the disk's free
  // space are, and 64 GB.
  int64_t limit() const;
  // Returns how many files went. Errors: unavailable.
  Result<int> clear() const;

 private:
  std::string path_of(const std::string& key) const;
  void make_room(const PackedContents& contents, int64_t bytes) const;

  std::string folder_;
  int64_t most_bytes_;
};

}  // namespace quern
