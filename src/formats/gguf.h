// GGUF, the file format of the ggml world, versions 2 and 3, little-endian.
//
//   "GGUF" | u32 version | u64 n_tensors | u64 n_keys
//   n_keys times:    string key | u32 value type | value
//   n_tensors times: string name | u32 n_dims | u64 dims[n_dims], innermost first |
//                    u32 tensor type | u64 offset into the data
//   padding to general.alignment (32 where absent) | data, every tensor at a multiple of it
//
// A string is a u64 length and its bytes; an array is a u32 element type, a u64 count and the
// elements.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/metadata.h"
#include "formats/weight_source.h"

namespace quern {

inline constexpr char kGgufMagic[] = {'G', 'G', 'U', 'F'};
inline constexpr int64_t kGgufDefaultAlignment = 32;

enum class GgufValue : uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64,
  count
};

// One file, everything in it checked. The weights and the arrays of strings view the bytes it was
// read from.
struct GgufFile {
  uint32_t version = 0;
  Metadata metadata;
  std::vector<Weight> weights;  // sorted by name, names are unique, no two overlap
};

// `name` is the file's name in errors. Errors: corrupt (with the byte), unsupported. Allocates in
// proportion to the file's real size, never to its claims.
Result<GgufFile> parse_gguf(std::span<const std::byte> bytes, const std::string& name);

// A model in memory: the bytes must outlive the source. A part of a sharded model is refused.
Result<std::unique_ptr<WeightSource>> read_gguf(std::span<const std::byte> bytes,
                                                const std::string& name);

// A file, or the first file of a set named <model>-00001-of-0000N.gguf, memory-mapped.
Result<std::unique_ptr<WeightSource>> open_gguf(const std::string& path);

}  // namespace quern
