// Many requests through the model's scheduler, in rounds that begin together or at random arrival
// times: what `quern bench --arrivals random` measures.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "quern/model.h"

namespace quern::measure {

struct Arrival {
  double at = 0;  // seconds from the beginning
  int n_prompt = 0, n_gen = 0;
};

// n requests of the same size, all arriving at the beginning.
std::vector<Arrival> equal_arrivals(int n, int n_prompt, int n_gen);

// The same number of requests and of tokens in total; lengths are 0.5 to 1.5 times the mean.
// Arrival times are spread over `span` seconds, in ascending order. Equal seeds give equal
// arrivals.
std::vector<Arrival> random_arrivals(int n, int n_prompt, int n_gen, double span, uint64_t seed);

// Measured at full load: from the moment max_running requests first run at once to the moment the
// last request begins, since random lengths leave fewer running before and after. A run that never
// reaches full load is measured whole.
struct RequestsRun {
  double seconds = 0;
  int64_t n_gen = 0;        // tokens
  double mean_running = 0;  // requests, over the time
};

// At most max_running requests run at once; later ones are submitted as earlier ones end. With
// `in_rounds` the next max_running begin when the previous ones have all ended. Prompts are random
// tokens, all different; answers have their full length. Errors: as Model::submit; cancelled
// (keep_going returned false).
Result<RequestsRun> run_requests(const Model& model, std::span<const Arrival> arrivals,
                                 int max_running, bool in_rounds,
                                 const std::function<bool(double done)>& keep_going);

}  // namespace quern::measure
