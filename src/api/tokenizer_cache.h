// The tokenizers of earlier starts, in the folder of packed weights: the tables of a large
// vocabulary, mapped instead of made again. Little-endian:
//
//   "QUERNTOK" | u32 version | u32 0 | u64 header_bytes | u64 checksum of the header's rest
//   string key | string source | u64 data_bytes | u64 checksum of the data
//   data: Tokenizer::tables
//
// A string is a u64 length and its bytes. The file ends with its data. All of it is checked before
// it is used: some megabytes take a millisecond.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/packed_cache.h"
#include "base/mapped_file.h"
#include "base/result.h"
#include "formats/weight_source.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace quern {

// What a file of the cache holds; the data views `bytes` of parse_tokenizer_file.
struct TokenizerFile {
  std::string key;     // says of which vocabulary it was made (tokenizer_key)
  std::string source;  // path of the model, for people
  std::span<const std::byte> data;
};

// `name` stands for the file in errors. Errors: corrupt, unsupported (of another version).
Result<TokenizerFile> parse_tokenizer_file(std::span<const std::byte> bytes,
                                           const std::string& name);

// The model's files as in packed_key, and a checksum of all that a tokenizer is made of: what is
// read from a file may change with the program. Nothing where packed_key is nothing, or where the
// vocabulary is so small that its tokenizer is made as quickly as a file is opened.
std::optional<std::string> tokenizer_key(const WeightSource& source, const Vocabulary& vocabulary);

// Thread-safe: all state is in the folder.
class TokenizerCache {
 public:
  static constexpr size_t kSmallVocabulary = 65536;  // smaller ones are not kept
  static constexpr size_t kMostFiles = 32;           // of some 10 MB each

  explicit TokenizerCache(std::string folder) : folder_(std::move(folder)) {}

  // Errors: not_found; corrupt, unsupported or unavailable where there is a file that cannot be
  // used.
  Result<Tokenizer> find(const std::string& key) const;
  // Appears whole or not at all. Earlier ones of the same model go, and those not used for the
  // longest time where there are too many. Errors: unavailable.
  Result<> store(const std::string& key, const std::string& source,
                 std::span<const std::byte> tables) const;
  // All files, the last used one first; what is left of interrupted writers too.
  std::vector<CachedFile> list() const;
  // Reads the whole file. Errors: as of parse_tokenizer_file and MappedFile::open.
  static Result<> check(const std::string& path);
  // Returns how many files went. Errors: unavailable.
  Result<int> clear() const;

 private:
  std::string path_of(const std::string& key) const;
  void make_room(const std::string& source, const std::string& mine) const;

  std::string folder_;
};

// A tokenizer that was not in the cache, to be kept there.
struct TokenizerToKeep {
  std::string folder, key, source;
  Tokenizer tokenizer;

  Result<> keep() const { return TokenizerCache(folder).store(key, source, tokenizer.tables()); }
};

}  // namespace quern
