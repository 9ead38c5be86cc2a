// The format of every error: what went wrong, where, and what to do, each on a line.
#pragma once
#include <string>

#include "cli/terminal.h"
#include "quern/result.h"

namespace quern::cli {

//   quern: tensor blk.3.ffn_up.weight: 7 dimensions, at most 4
//     where: model.gguf, byte 18432
//     do:    the file is damaged: download it again
std::string format_error(const Error& error, const Palette& colours);

// To stderr; returns the exit code.
int report(const Error& error);
// To stderr, one line: something the user should know, while the work continues.
void warn(const std::string& text);

}  // namespace quern::cli
