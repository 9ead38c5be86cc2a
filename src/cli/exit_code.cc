#include "cli/exit_code.h"

namespace quern::cli {

namespace {

constexpr ExitCode kExitCodes[] = {
    {kDone, "done"},
    {kFailed, "failed: a file or model that is missing, damaged or not supported; a device lost"},
    {kUsage, "wrong use: a flag, an argument or a request that cannot be"},
    {kMemory, "out of memory, or the context is too small for the text"},
    {kInterrupted, "stopped by Ctrl-C"},
};

struct CodeRow {
  Code code;
  int exit;
};
constexpr CodeRow kCodes[] = {
    {Code::invalid_argument, kUsage}, {Code::corrupt, kFailed},
    {Code::not_found, kFailed},       {Code::unsupported, kFailed},
    {Code::out_of_memory, kMemory},   {Code::cancelled, kInterrupted},
    {Code::unavailable, kFailed},     {Code::context_too_long, kMemory},
    {Code::queue_full, kFailed},
};

}  // namespace

std::span<const ExitCode> exit_codes() { return kExitCodes; }

int exit_code(Code code) {
  for (const CodeRow& row : kCodes)
    if (row.code == code) return row.exit;
  return kFailed;
}

}  // namespace quern::cli
