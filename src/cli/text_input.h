// Reads texts and token ids from an argument, a file or standard input, byte for byte except for
// the UTF-8 byte order mark that some editors and shells put before a text.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace quern::cli {

// Errors: not_found (with the system's reason), out_of_memory.
Result<std::string> read_file(const std::string& path);
// To its end. Where standard input is a terminal a note on stderr says so. Errors: cancelled
// (Ctrl-C), not_found.
Result<std::string> read_stdin();

// `text` if given, else the file if given ("-" is standard input), else standard input.
Result<std::string> read_text(const std::optional<std::string>& text,
                              const std::optional<std::string>& file);

// Whitespace-separated decimal ids; commas and brackets are whitespace too, so that a JSON array is
// taken as well. `where` names the source in errors. Errors: invalid_argument (with the line).
Result<std::vector<int32_t>> parse_ids(std::string_view text, const std::string& where);
// Errors as read_file and parse_ids.
Result<std::vector<int32_t>> read_ids(const std::string& path);

}  // namespace quern::cli
