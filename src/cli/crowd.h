// Many requests through the model's scheduler, in rounds that begin together or arriving when they
// like: what `quern bench --arrivals random` measures.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "quern/model.h"

namespace quern::cli {

struct Arrival {
  double at = 0;  // seconds from the beginning
  int n_prompt = 0, n_gen = 0;
};

// n requests of the same size, all there at the beginning.
std::vector<Arrival> equal_arrivals(int n, int n_prompt, int n_gen);

// As many requests with as many tokens together; lengths from half to one and a half of the mean,
// times over `span` seconds, in ascending order. The same seed gives the same.
std::vector<Arrival> random_arrivals(int n, int n_prompt, int n_gen, double span, uint64_t seed);

// While as many run as may: from the moment they first do to the moment the last request begins.
// Before and after it there are fewer, by the accident of lengths. Where they never do, all of it.
struct CrowdRun {
  double seconds = 0;
  int64_t n_gen = 0;        // tokens
  double mean_running = 0;  // requests, over the time
};

// At most `most` requests run at once; later ones wait outside. `in_rounds`: the next `most` begin
// when the last ones have all ended. Prompts are random tokens, no two alike; answers go on to
// their length. Errors: as Model::submit; cancelled (keep_going said no).
Result<CrowdRun> run_crowd(const Model& model, std::span<const Arrival> arrivals, int most,
                           bool in_rounds, const std::function<bool(double done)>& keep_going);

}  // namespace quern::cli
