#include "soak/watch.h"

#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace quern::soak {
namespace {

constexpr double kMiB = 1 << 20;

double anonymous_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    double kib = 0;
    if (word == "RssAnon:" && status >> kib) return kib / 1024;
  }
  return 0;
}

int entries_of(const char* folder) {
  const std::filesystem::directory_iterator all(folder);
  return static_cast<int>(std::distance(begin(all), end(all)));
}

}  // namespace

Sample sample(double seconds) {
  const struct mallinfo2 heap = mallinfo2();
  return {.seconds = seconds,
          .memory = anonymous_mib(),
          .heap = static_cast<double>(heap.uordblks + heap.hblkhd) / kMiB,
          .n_files = entries_of("/proc/self/fd"),
          .n_threads = entries_of("/proc/self/task")};
}

double slope(std::span<const Sample> samples, double Sample::*what) {
  double t = 0, y = 0, tt = 0, ty = 0;
  for (const Sample& s : samples) t += s.seconds, y += s.*what;
  t /= static_cast<double>(samples.size()), y /= static_cast<double>(samples.size());
  for (const Sample& s : samples) {
    tt += (s.seconds - t) * (s.seconds - t);
    ty += (s.seconds - t) * (s.*what - y);
  }
  return tt > 0 ? ty / tt * 3600 : 0;
}

}  // namespace quern::soak
