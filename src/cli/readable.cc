#include "cli/readable.h"

#include <fmt/format.h>
#include <unistd.h>

#include <span>

#include "cli/terminal.h"
#include "text/utf8_stream.h"

namespace quern::cli {

namespace {

std::string scaled(int64_t value, std::span<const char* const> units) {
  if (value < 1000) return fmt::format("{}{}", value, units[0]);
  double number = static_cast<double>(value);
  size_t unit = 0;
  for (; number >= 1000 && unit + 1 < units.size(); ++unit) number /= 1000;
  return fmt::format("{:.1f}{}", number, units[unit]);
}

}  // namespace

std::string bytes_text(int64_t bytes) {
  static constexpr const char* kUnits[] = {" B", " kB", " MB", " GB", " TB", " PB"};
  return scaled(bytes, kUnits);
}

std::string count_text(int64_t count) {
  static constexpr const char* kUnits[] = {"", " k", " M", " G", " T"};
  return scaled(count, kUnits);
}

std::string shown(std::string_view text) {
  const std::string valid = to_valid_utf8(text);
  return is_terminal(STDOUT_FILENO) ? without_controls(valid) : valid;
}

}  // namespace quern::cli
