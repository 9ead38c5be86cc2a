// The bytes of a GGUF file with a cursor, and errors that name file and byte.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/byte_cursor.h"
#include "formats/metadata.h"

namespace quern {

inline constexpr const char* kGgufDamaged = "the file is damaged or incomplete: download it again";
inline constexpr const char* kGgufBadWriter =
    "convert the model again with a tool that writes valid GGUF";

class GgufInput : public ByteCursor {
 public:
  // Both must outlive the input.
  GgufInput(std::span<const std::byte> bytes, const std::string& name)
      : ByteCursor(bytes), name_(name) {}

  const std::string& name() const { return name_; }

  Error error(Code code, uint64_t at, std::string what, const char* fix) const;
  Error corrupt(uint64_t at, std::string what, const char* fix = kGgufDamaged) const;
  Error cut_off(const std::string& what) const;  // here

  // A key or tensor name (`what` in errors): present, short, readable.
  Result<std::string_view> read_name(const std::string& what);

 private:
  const std::string& name_;
};

// Reads n keys with their values, and checks the types of known keys. The count has
// been checked against the size of the file.
Result<Metadata> read_gguf_keys(GgufInput& input, uint64_t n_keys);

}  // namespace quern
