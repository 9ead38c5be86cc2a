// quern bench: tokens per second of the executor itself, beside limits measured around each run.
#pragma once
#include <memory>
#include <span>

#include "base/result.h"
#include "compile/compile.h"
#include "formats/weight_source.h"
#include "measure/bench_rows.h"
#include "measure/speed.h"

namespace quern::measure {

struct PassBench {
  CompileOptions compile;  // its rows and cache follow from the tests
  int n_batch = 512;       // tokens of a prompt in one pass
  int repetitions = 5;
};

// All tests on one number of threads; a row of each is added. setup: without what the source says.
// Errors: as compile() and Speedometer::measure.
Result<> measure_passes(std::shared_ptr<const WeightSource> source, PassBench bench,
                        BenchSetup setup, std::span<const SpeedTest> tests,
                        const KeepGoing& keep_going, Json& rows);

}  // namespace quern::measure
