// Numbers and untrusted strings for people.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace quern::cli {

std::string bytes_text(int64_t bytes);  // "98.4 MB", decimal units
std::string count_text(int64_t count);  // "134.5 M"
// For standard output: valid UTF-8, without control characters where it is a terminal.
std::string shown(std::string_view text);

}  // namespace quern::cli
