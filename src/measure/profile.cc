#include "measure/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace quern::measure {
namespace {

struct StepSpan {
  int64_t begin = INT64_MAX, end = 0, busy = 0;
};

// Of each step, over all threads.
std::vector<StepSpan> spans_of(const PassProfile& pass) {
  std::vector<StepSpan> spans(pass.steps.size());
  for (const StepTime& time : pass.times) {
    StepSpan& span = spans[static_cast<size_t>(time.step)];
    span.begin = std::min(span.begin, time.begin_ns);
    span.end = std::max(span.end, time.end_ns);
    span.busy += time.end_ns - time.begin_ns;
  }
  return spans;
}

}  // namespace

void Profile::add(const PassProfile& pass) {
  const std::vector<StepSpan> spans = spans_of(pass);
  int64_t begin = INT64_MAX, end = 0;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].end == 0) continue;  // had nothing to do
    begin = std::min(begin, spans[i].begin), end = std::max(end, spans[i].end);
    Kind& kind = kinds_[pass.steps[i]];
    ++kind.calls;
    kind.seconds += static_cast<double>(spans[i].end - spans[i].begin) / 1e9;
    kind.busy_seconds += static_cast<double>(spans[i].busy) / 1e9;
  }
  if (end == 0) return;
  for (const StepTime& time : pass.times) n_threads_ = std::max(n_threads_, time.thread + 1);
  seconds_ += static_cast<double>(end - begin) / 1e9;
  ++n_passes_;
}

std::string Profile::table() const {
  std::vector<std::pair<std::string, Kind>> rows(kinds_.begin(), kinds_.end());
  std::ranges::sort(
      rows, [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  const auto passes = static_cast<double>(std::max<int64_t>(n_passes_, 1));
  std::string text = fmt::format("{:>6} {:>10} {:>7} {:>8}  {}\n", "calls", "ms a pass", "share",
                                 "waiting", "step");
  double steps = 0;
  for (const auto& [name, kind] : rows) {
    steps += kind.seconds;
    text += fmt::format("{:>6.0f} {:>10.3f} {:>6.1f}% {:>7.1f}%  {}\n",
                        static_cast<double>(kind.calls) / passes, 1e3 * kind.seconds / passes,
                        100 * kind.seconds / seconds_,
                        100 * (1 - kind.busy_seconds / (n_threads_ * kind.seconds)), name);
  }
  text += fmt::format("{:>6} {:>10.3f} {:>6.1f}% {:>8}  waiting between steps\n", "",
                      1e3 * (seconds_ - steps) / passes, 100 * (1 - steps / seconds_), "");
  return text + fmt::format("{:>6} {:>10.3f} {:>6.1f}% {:>8}  a pass, mean of {}\n", "",
                            1e3 * seconds_ / passes, 100.0, "", n_passes_);
}

void ProfileCollector::add(const PassProfile& pass) {
  by_rows_[pass.n_rows].add(pass);
  if (!keep_passes_) return;
  if (passes_.size() == kMaxPasses) passes_.erase(passes_.begin());
  passes_.push_back(pass);
}

std::string ProfileCollector::tables() const {
  std::string text;
  for (const auto& [n_rows, profile] : by_rows_)
    text +=
        fmt::format("\npasses of {} row{}\n{}", n_rows, n_rows == 1 ? "" : "s", profile.table());
  return text;
}

Result<> write_trace(const std::string& path, const std::vector<PassProfile>& passes) {
  std::ofstream out(path);
  if (!out)
    return Error{Code::not_found, std::string("cannot create: ") + std::strerror(errno), path,
                 "choose another place"};
  int64_t start = INT64_MAX;
  for (const PassProfile& pass : passes)
    for (const StepTime& time : pass.times) start = std::min(start, time.begin_ns);
  out << "{\"traceEvents\":[";
  const char* separator = "\n";
  for (const PassProfile& pass : passes) {
    for (const StepTime& time : pass.times) {
      out << separator
          << fmt::format(
                 R"({{"name":"{}","ph":"X","pid":1,"tid":{},"ts":{:.3f},"dur":{:.3f},"args":{{"step":{},"rows":{}}}}})",
                 pass.steps[static_cast<size_t>(time.step)], time.thread,
                 static_cast<double>(time.begin_ns - start) / 1e3,
                 static_cast<double>(time.end_ns - time.begin_ns) / 1e3, time.step, pass.n_rows);
      separator = ",\n";
    }
  }
  out << "\n]}\n";
  out.flush();
  if (!out)
    return Error{Code::unavailable, "the trace could not be written", path, "free some space"};
  return Ok{};
}

}  // namespace quern::measure
