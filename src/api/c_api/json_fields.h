// Parts of requests beside options, read from JSON with their place for errors.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "api/c_api/json_text.h"
#include "options/json.h"
#include "quern/model.h"

namespace quern::c_api {

using options::At;
using options::missing_field;
using options::unknown_field;
using options::wrong_type;

// Each leaves `out` alone where it fails: invalid_argument, with the place.
Result<> read_value(const Json& value, const At& at, bool& out);
Result<> read_value(const Json& value, const At& at, int32_t& out);
Result<> read_value(const Json& value, const At& at, std::string& out);
Result<> read_value(const Json& value, const At& at, Message& out);

template <class T>
Result<> read_value(const Json& value, const At& at, std::vector<T>& out) {
  if (!value.is_array()) return wrong_type(value, at, "an array");
  std::vector<T> all;
  all.reserve(value.size());
  for (const Json& element : value) {
    T one{};
    const At place{.outer = &at, .index = static_cast<int64_t>(all.size())};
    TRY_OK(read_value(element, place, one));
    all.push_back(std::move(one));
  }
  out = std::move(all);
  return Ok{};
}

}  // namespace quern::c_api
