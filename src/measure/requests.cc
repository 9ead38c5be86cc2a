#include "measure/requests.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <utility>

namespace quern::measure {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kWait = std::chrono::milliseconds(5);

// n whole numbers around `mean` whose sum is n * mean.
std::vector<int> lengths(int n, int mean, std::mt19937_64& random) {
  const int shortest = std::max(1, mean / 2), longest = 2 * mean - shortest;
  std::vector<int> values(static_cast<size_t>(n), mean);
  // In pairs, so that the sum stays.
  for (size_t i = 0; i + 1 < values.size(); i += 2) {
    const auto width = static_cast<uint64_t>(longest - shortest + 1);
    const int length = shortest + static_cast<int>(random() % width);
    values[i] = length;
    values[i + 1] = 2 * mean - length;
  }
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random() % i]);
  return values;
}

class Requests {
 public:
  Requests(const Model& model, std::span<const Arrival> arrivals, int max_running, bool in_rounds)
      : model_(model),
        arrivals_(arrivals),
        max_running_(static_cast<size_t>(max_running)),
        in_rounds_(in_rounds) {}

  Result<RequestsRun> run(const std::function<bool(double)>& keep_going) {
    begin_ = Clock::now();
    while (next_ < arrivals_.size() || !streams_.empty()) {
      TRY_OK(start_requests());
      was_full_ = was_full_ || streams_.size() == max_running_;
      const bool full = was_full_ && next_ < arrivals_.size();
      const double before = seconds();
      const auto n_running = static_cast<double>(streams_.size());
      TRY(const int64_t n_gen, read());
      const double took = seconds() - before;
      for (RequestsRun* run : {&whole_, full ? &full_ : nullptr}) {
        if (run == nullptr) continue;
        run->seconds += took;
        run->n_gen += n_gen;
        run->mean_running += took * n_running;
      }
      const auto ended = static_cast<double>(next_ - streams_.size());
      if (!keep_going(ended / static_cast<double>(arrivals_.size())))
        return Error{Code::cancelled, "stopped while measuring", {}, {}};
    }
    RequestsRun run = full_.n_gen > 0 ? full_ : whole_;
    run.mean_running /= run.seconds;
    return run;
  }

 private:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

  Result<> start_requests() {
    if (in_rounds_ && !streams_.empty()) return Ok{};
    for (; next_ < arrivals_.size() && streams_.size() < max_running_; ++next_) {
      const Arrival& arrival = arrivals_[next_];
      if (arrival.at > seconds()) break;
      std::vector<int32_t> prompt(static_cast<size_t>(arrival.n_prompt));
      const auto n_vocab = static_cast<uint64_t>(model_.info().n_vocab);
      for (int32_t& id : prompt) id = static_cast<int32_t>(random_() % n_vocab);
      GenerateOptions options{.max_tokens = arrival.n_gen, .ignore_eos = true, .speculate = false};
      options.sampling.temperature = 0;
      options.cache_salt = std::to_string(next_);
      TRY(auto begun, model_.submit(prompt, options));
      streams_.push_back(std::move(begun.front()));
    }
    return Ok{};
  }

  // Counts the tokens that are ready, after a short wait for the first stream.
  Result<int64_t> read() {
    int64_t n_gen = 0;
    if (streams_.empty()) return std::this_thread::sleep_for(kWait), n_gen;
    auto wait = kWait;
    for (Stream& stream : streams_)
      while (!stream.over()) {
        const auto piece = stream.next(std::exchange(wait, {}));
        if (!piece) break;
        n_gen += std::ssize(piece->ids);
      }
    for (Stream& stream : streams_)
      if (stream.over() && !stream.result()) return stream.result().error();
    std::erase_if(streams_, [](const Stream& stream) { return stream.over(); });
    return n_gen;
  }

  const Model& model_;
  const std::span<const Arrival> arrivals_;
  const size_t max_running_;
  const bool in_rounds_;
  Clock::time_point begin_;
  std::mt19937_64 random_{7};
  std::vector<Stream> streams_;
  size_t next_ = 0;  // arrival
  bool was_full_ = false;
  RequestsRun whole_, full_;  // mean_running: times seconds, until the end
};

}  // namespace

std::vector<Arrival> equal_arrivals(int n, int n_prompt, int n_gen) {
  return std::vector<Arrival>(static_cast<size_t>(n), {.n_prompt = n_prompt, .n_gen = n_gen});
}

std::vector<Arrival> random_arrivals(int n, int n_prompt, int n_gen, double span, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto prompts = lengths(n, n_prompt, random), answers = lengths(n, n_gen, random);
  std::vector<Arrival> arrivals(static_cast<size_t>(n));
  for (size_t i = 0; i < arrivals.size(); ++i)
    arrivals[i] = {.at = span * static_cast<double>(random() >> 11) * 0x1p-53,
                   .n_prompt = prompts[i],
                   .n_gen = answers[i]};
  std::ranges::sort(arrivals, {}, &Arrival::at);
  arrivals.front().at = 0;
  return arrivals;
}

Result<RequestsRun> run_requests(const Model& model, std::span<const Arrival> arrivals,
                                 int max_running, bool in_rounds,
                                 const std::function<bool(double done)>& keep_going) {
  return Requests(model, arrivals, max_running, in_rounds).run(keep_going);
}

}  // namespace quern::measure
