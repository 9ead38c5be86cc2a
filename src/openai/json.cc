#include "openai/json.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/utf8.h"

namespace quern::openai {

namespace {

Error invalid(std::string what) { return {Code::invalid_argument, std::move(what), {}, {}}; }

// Holds for texts that are JSON; of others the parser tells.
Result<> check_bounds(std::string_view text) {
  std::vector<int> commas;  // of each open array or object; of arrays none is counted
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      commas.push_back(c == '{' ? 1 : -1);
      if (std::ssize(commas) > kMaxDepth)
        return invalid(fmt::format("JSON nested deeper than {} levels", kMaxDepth));
    } else if ((c == '}' || c == ']') && !commas.empty()) {
      commas.pop_back();
    } else if (c == ',' && !commas.empty() && commas.back() > 0) {
      if (++commas.back() > kMaxMembers)
        return invalid(fmt::format("an object with more than {} members", kMaxMembers));
    }
  }
  return Ok{};
}

}  // namespace

Result<Json> parse_json(std::string_view text) {
  if (!is_utf8(text)) return invalid("not valid UTF-8");
  TRY_OK(check_bounds(text));
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    return invalid(fmt::format("not JSON: wrong at byte {}", error.byte));
  } catch (const Json::exception&) {
    return invalid("not JSON: a number out of range");
  }
}

}  // namespace quern::openai
