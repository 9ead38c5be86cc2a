#include "cli/json_output.h"

#include <cstdio>
#include <string>

namespace quern::cli {

void print_json(const Json& value, int spaces) {
  const std::string text = value.dump(spaces, ' ', false, Json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace quern::cli
