// soak MODEL TEXT SECONDS: random traffic on one model, in rounds. Between rounds, when all is
// quiet, what the process holds is sampled. Exits with 1, and says why, where memory still grows in
// the second half, files or threads are left, an answer is wrong, the greedy bits at the end are
// not those of the start, or pages of the cache are missing.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "soak/traffic.h"
#include "soak/watch.h"

namespace quern::soak {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kClients = 4;
constexpr int kContext = 2048;  // tokens of all answers together: too few, so that they preempt
// Growth of memory, files and threads is judged in runs of at least this many seconds: caches
// (prompts, 64 grammars) are full after their first half.
constexpr double kFromSeconds = 300;

// MiB an hour that pass. Samples vary by a MiB or two, so the slope of ten minutes' second half is
// known to some ten: a leak of 6 KiB per act is detected. The error falls with the length to the
// power of 1.5: a night detects one MiB an hour.
double max_growth(double seconds) { return std::max(1.0, 60 * std::pow(600 / seconds, 1.5)); }

struct Soak {
  Soak(Model the_model, std::string the_text, std::string the_folder)
      : model(std::move(the_model)), text(std::move(the_text)), folder(std::move(the_folder)) {
    const Ids ids = *model.tokenize(text);
    for (const size_t n : {3, 40, 150})
      canaries.push_back(make_canary(model, {ids.end() - static_cast<int64_t>(n), ids.end()}));
    for (uint32_t i = 0; i < kClients; ++i)
      clients.emplace_back(model, text, canaries, i, folder, journal);
  }
  Soak(const Soak&) = delete;
  Soak& operator=(const Soak&) = delete;

  double seconds() const { return std::chrono::duration<double>(Clock::now() - began).count(); }

  void round(double until) {
    std::vector<std::thread> threads;
    for (Client& client : clients)
      threads.emplace_back([&, until] {
        while (seconds() < until) client.act();
      });
    for (std::thread& thread : threads) thread.join();
  }

  // Abandoned requests end within a step: then only caches are left.
  Sample quiet() const {
    (void)model.generate(canaries[0].prompt, {.max_tokens = 1});
    return sample(seconds());
  }

  // Every page of the cache at once: CHECK stops the program where one is missing.
  bool all_pages_are_free() const {
    const Ids everything(kContext, 1);
    const auto one = [](int64_t, std::span<const float>) { return true; };
    return static_cast<bool>(model.score(everything, 0, one, kContext));
  }

  void run(double most) {
    constexpr double kRound = 3;
    while (seconds() < most) {
      round(std::min(most, seconds() + kRound));
      samples.push_back(quiet());
      const Sample& s = samples.back();
      if (samples.size() % 10 == 1) {
        std::fprintf(stderr,
                     "%6.0f s  %7.1f MiB, of the heap %7.1f MiB  %d files  %d threads  %lld acts\n",
                     s.seconds, s.memory, s.heap, s.n_files, s.n_threads,
                     static_cast<long long>(journal.n_acts()));
      }
    }
  }

  // The minimum of a quarter of the run: a file that is being written at a sample is not a leak.
  int least(int quarter, int Sample::*what) const {
    const size_t n = samples.size();
    int found = samples[quarter * n / 4].*what;
    for (size_t i = quarter * n / 4; i < (quarter + 1) * n / 4; ++i)
      found = std::min(found, samples[i].*what);
    return found;
  }

  const Model model;
  const std::string text, folder;
  const Clock::time_point began = Clock::now();
  Journal journal;
  std::vector<Canary> canaries;
  std::vector<Client> clients;
  std::vector<Sample> samples;
};

bool report(Soak& soak) {
  const std::span<const Sample> half = std::span(soak.samples).subspan(soak.samples.size() / 2);
  const double memory = slope(half, &Sample::memory), heap = slope(half, &Sample::heap);
  std::vector<std::string> wrong;
  const auto expect = [&](bool good, const char* what) {
    if (!good) wrong.emplace_back(what);
  };
  expect(soak.journal.clean(), "some requests went wrong");
  for (const Canary& canary : soak.canaries)
    expect(sings_alike(soak.model, canary), "greedy answers are not what they were at the start");
  expect(soak.all_pages_are_free(), "pages of the cache are missing");
  if (soak.seconds() >= kFromSeconds) {
    expect(std::max(memory, heap) < max_growth(soak.seconds()), "memory grows");
    expect(soak.least(3, &Sample::n_files) <= soak.least(1, &Sample::n_files), "files stay open");
    expect(soak.least(3, &Sample::n_threads) <= soak.least(1, &Sample::n_threads), "threads stay");
  }
  std::printf("%lld acts in %.0f s: %s\n", static_cast<long long>(soak.journal.n_acts()),
              soak.seconds(), soak.journal.counts().c_str());
  std::printf(
      "second half: memory %+.1f MiB an hour, heap %+.1f MiB an hour; %.1f MiB at the end\n",
      memory, heap, soak.samples.back().memory);
  std::fputs(soak.journal.faults().c_str(), stdout);
  for (const std::string& what : wrong) std::printf("soak: FAILED: %s\n", what.c_str());
  if (wrong.empty()) std::printf("soak: passed\n");
  return wrong.empty();
}

int run(const char* model_path, const char* text_path, double seconds) {
  std::string folder = (std::filesystem::temp_directory_path() / "quern_soak_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return std::perror("temporary folder"), 2;
  std::ifstream file(text_path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  bool good = false;
  {
    auto model = Model::load(model_path, {.context = kContext,
                                          .deterministic = true,
                                          .prefix_folder = folder + "/prompts",
                                          .prefix_bytes = int64_t{64} << 20});
    if (!model) {
      std::fprintf(stderr, "%s\n", to_string(model.error()).c_str());
    } else if (text.size() < 1000) {
      std::fprintf(stderr, "%s: too short a text\n", text_path);
    } else {
      Soak soak(*model, std::move(text), folder);
      soak.run(seconds);
      good = report(soak);
    }
  }
  std::filesystem::remove_all(folder);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace quern::soak

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: soak MODEL TEXT SECONDS\n"), 2;
  return quern::soak::run(argv[1], argv[2], std::atof(argv[3]));
}
