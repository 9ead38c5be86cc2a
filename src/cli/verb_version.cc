#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/verbs.h"

namespace quern::cli {

Result<int> run_version(int argc, const char* const* argv) {
  Arguments args("version", "Print the version.", "Example:\n  quern version");
  TRY(const bool go, args.parse(argc, argv));
  if (go) fmt::print("quern {}\n", QUERN_VERSION);
  return kDone;
}

}  // namespace quern::cli
