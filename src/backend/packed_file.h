// A file of packed weights: what the pack step makes of a model's matrices, to be mapped instead of
// made again. Little-endian:
//
//   "QUERNPAK" | u32 version | u32 0 | u64 header_bytes | u64 checksum of the header's rest
//   string key | string source | u64 data_at | u64 data_bytes | u64 n_matrices
//   n_matrices times: string name | string dtype | u64 n_out | u64 n_in | u64 offset | u64 bytes |
//                     u64 checksum of the bytes
//   padding to data_at | data: every matrix at a multiple of 64 from data_at on
//
// A string is a u64 length and its bytes. The file ends with its data. Data of a large file begins
// at 2 MiB, so that a system that keeps files in large pages can map them as such. The header is
// written last: a file whose writing was cut short has none.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/mapped_file.h"
#include "base/result.h"

namespace quern {

// To be raised whenever the bytes that backend/cpu/pack.cc makes of a matrix change.
inline constexpr uint32_t kPackedVersion = 1;

struct PackedEntry {
  std::string name;  // of the tensor
  Dtype dtype = Dtype::f32;
  int64_t n_out = 0, n_in = 0;
  std::span<const std::byte> data;  // not owned
  uint64_t checksum = 0;            // of data, as the file says; not needed to write one
};

struct PackedContents {
  std::string key;     // says which weights these are (packed_key)
  std::string source;  // path of the model, for people
  std::vector<PackedEntry> matrices;
};

// Checks everything but the data itself against damage, and that nothing lies outside of `bytes`,
// which the entries view. `name` stands for the file in errors. Errors: corrupt, unsupported (of
// another version).
Result<PackedContents> parse_packed(std::span<const std::byte> bytes, const std::string& name);

// An open one; the entries view its mapping.
struct PackedFile {
  MappedFile map;
  PackedContents contents;

  // As parse_packed; as MappedFile::open.
  static Result<PackedFile> open(const std::string& path);
  const PackedEntry* find(const std::string& name) const;  // null where absent
  // Reads all data. Errors: corrupt, with the tensor.
  Result<> check_data() const;
};

// Appears whole or not at all. keep_going is called between pieces of 8 MiB with the share that is
// done, and ends the work by returning false. Errors: unavailable, cancelled.
Result<> write_packed(const std::string& path, const PackedContents& contents,
                      const std::function<bool(double done)>& keep_going);

}  // namespace quern
