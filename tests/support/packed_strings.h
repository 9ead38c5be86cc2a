// Lists and strings of the files that tests/reference/tokenizer_ids.py and chat_templates.py write:
// they lie end to end in an array `x`, and `x_ends` (int32) says where each ends.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "support/npz.h"

namespace quern::testing {

// tests/data/text/<name>.npz; a missing file is a broken checkout.
inline Arrays text_reference(const std::string& name) {
  auto read = read_npz(QUERN_SOURCE_DIR "/tests/data/text/" + name + ".npz");
  CHECK(static_cast<bool>(read), "a reference file is there and whole");
  return *read;
}

// Empty where there is no such array.
inline std::vector<int32_t> ints(const Arrays& arrays, const std::string& name) {
  const auto found = arrays.find(name);
  if (found == arrays.end()) return {};
  const auto values = found->second.as<int32_t>();
  return {values.begin(), values.end()};
}

inline std::vector<std::string> strings(const Arrays& arrays, const std::string& name) {
  const auto bytes = arrays.at(name).as<char>();
  std::vector<std::string> out;
  size_t at = 0;
  for (const int32_t end : ints(arrays, name + "_ends")) {
    out.emplace_back(bytes.data() + at, static_cast<size_t>(end) - at);
    at = static_cast<size_t>(end);
  }
  return out;
}

inline std::vector<std::vector<int32_t>> lists(const Arrays& arrays, const std::string& name) {
  const std::vector<int32_t> all = ints(arrays, name);
  std::vector<std::vector<int32_t>> out;
  auto at = all.begin();
  for (const int32_t end : ints(arrays, name + "_ends")) {
    out.emplace_back(at, all.begin() + end);
    at = all.begin() + end;
  }
  return out;
}

}  // namespace quern::testing
