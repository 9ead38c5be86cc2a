// What `quern` returns to its caller: one row per code, printed by `quern --help`.
#pragma once
#include <span>
#include <string_view>

#include "quern/result.h"

namespace quern::cli {

inline constexpr int kDone = 0, kFailed = 1, kUsage = 2, kMemory = 3, kInterrupted = 130;

struct ExitCode {
  int code;
  std::string_view meaning;
};
std::span<const ExitCode> exit_codes();

int exit_code(Code code);

}  // namespace quern::cli
