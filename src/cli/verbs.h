// The verbs of `quern`, one file each (verb_<name>.cc); main.cc has the table.
#pragma once
#include "base/result.h"

namespace quern::cli {

// argv[0] is the verb itself. Returns the exit code; an Error is printed by main and becomes its
// exit code.
using VerbFunction = Result<int>(int argc, const char* const* argv);

VerbFunction run_chat, run_run, run_batch, run_embed, run_inspect, run_tokenize, run_eval,
    run_bench, run_bench_limits, run_tune, run_cache, run_doctor, run_version;

}  // namespace quern::cli
