// The metadata of a model file: keys and typed values, independent of the file format.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/string_array.h"

namespace quern {

// Integers of every width and sign are stored as int64 (a uint64 above 2^63-1 is refused by the
// reader); arrays of integers and bools as vector<int64_t>, of floats as vector<double>. Nested
// arrays are refused. An array of strings views the file it was read from.
using MetaValue = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>,
                               std::vector<double>, StringArray>;

// For an error message: numbers briefly, text in quotes, of a long array its beginning.
std::string to_text(const MetaValue& value);

class Metadata {
 public:
  std::map<std::string, MetaValue, std::less<>> entries;

  template <class T>
  const T* get(std::string_view key) const {  // null where absent or of another type
    const auto at = entries.find(key);
    return at == entries.end() ? nullptr : std::get_if<T>(&at->second);
  }
  std::optional<int64_t> integer(std::string_view key) const;  // bools and integers
  std::optional<double> number(std::string_view key) const;    // integers too
  std::optional<std::string> text(std::string_view key) const;
};

}  // namespace quern
