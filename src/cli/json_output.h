// Results as JSON on standard output: one value and a newline.
#pragma once
#include <nlohmann/json.hpp>

namespace quern::cli {

using Json = nlohmann::ordered_json;  // keys stay in the order they were written

// Bytes that are not UTF-8 become U+FFFD. spaces: per level of indentation; -1: one line.
void print_json(const Json& value, int spaces = -1);

}  // namespace quern::cli
