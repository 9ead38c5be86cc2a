// A file of what is cached of some keys: pages of cache groups and a recurrent state.
// Little-endian:
//
//   "QUERNKVP" | u32 version | u32 0 | u64 header_bytes | u64 checksum of the header's rest
//   string model | string layout | u64 page_tokens | string salt | u64 n_keys | i32 each
//   u64 n_parts | of each: string name, u64 page_bytes, u64 first_page, u64 n_pages
//   u64 checksum of each page, part after part
//   zeros to a multiple of 64 | the pages, part after part
//
// A part is a cache group, by its name, with n_pages consecutive pages of the keys from first_page
// on; or "state", one blob, the state after all keys. A string is a u64 length and its bytes. The
// file ends with its last page. The header is written last, and the file appears whole or not at
// all.
//
// The checksums find damage, not malice: who can write these files decides what a model attends to.
#pragma once
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "backend/executor.h"
#include "base/result.h"

namespace quern {

class ByteCursor;

inline constexpr uint32_t kPageFileVersion = 2;

// Pages are good for one model in one layout. `model` tells apart all weights, and what a key means
// (tokens, or tokens with roles).
struct PageIdentity {
  std::string model;
  std::string layout;  // Executor::page_layout()
  int64_t page_tokens = 0;
  // What there may be of a sequence: the groups in their order, and the state last if there is one.
  struct Part {
    std::string name;
    int64_t page_bytes = 0;
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> parts;
  bool operator==(const PageIdentity&) const = default;
};
PageIdentity page_identity(std::string model, const Executor& executor);

struct PageFileHeader {
  PageIdentity identity;
  std::string salt;
  std::vector<int32_t> keys;  // from the sequence's start
  struct Part {
    int index;  // of identity.parts
    int64_t first_page = 0, n_pages = 0;
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> parts;  // ascending by index
  int64_t n_pages() const;  // of all parts
};

// An open file whose header was checked against damage. It is read, not mapped: another program
// that shortens it causes an error and no signal.
class PageFile {
 public:
  // Errors: not_found; corrupt; unsupported (another version); invalid_argument (no plain file);
  // unavailable.
  static Result<PageFile> open(const std::string& path);
  const PageFileHeader& header() const { return header_; }
  // Whether its pages are good for `wanted`, of which it may have some parts only;
  // header().identity is `wanted` from now on. Errors: unsupported, saying what differs.
  Result<> check_identity(const PageIdentity& wanted);
  // The i-th page of a part, by its place in header().parts. Errors: corrupt.
  Result<> read_page(size_t part, int64_t i, std::span<std::byte> to);

 private:
  Error damage(const std::string& what) const;
  Result<> parse(std::span<const std::byte> bytes, int64_t header_bytes, int64_t file_bytes);
  Result<> parse_part(ByteCursor& cursor, int64_t& left);

  std::string path_;
  std::ifstream file_;
  PageFileHeader header_;
  std::vector<uint64_t> checksums_;
  int64_t data_at_ = 0;
};

// Of such a file.
int64_t page_file_bytes(const PageFileHeader& header);

// read_page is asked for the bytes of each page: of a part, by its place in header.parts, the pages
// 0 to n_pages. Errors: unavailable (no folder, no permission, no room).
Result<> write_page_file(
    const std::string& path, const PageFileHeader& header,
    const std::function<void(size_t part, int64_t i, std::span<std::byte> bytes)>& read_page);

}  // namespace quern
