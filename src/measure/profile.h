// Where the time of forward passes goes: a table by kind of step, and a trace for
// chrome://tracing or ui.perfetto.dev.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/executor.h"
#include "base/result.h"

namespace quern::measure {

// Adds up passes. Not thread-safe.
class Profile {
 public:
  void add(const PassProfile& pass);

  // One line per kind of step, the longest first: calls a pass, milliseconds a pass from the first
  // thread's start to the last one's end, the share of the whole, and the share of that time in
  // which threads waited for others. "waiting between steps" is the rest of the pass.
  std::string table() const;
  int64_t n_passes() const { return n_passes_; }

 private:
  struct Kind {
    int64_t calls = 0;
    double seconds = 0, busy_seconds = 0;  // busy: of all threads
  };
  std::map<std::string, Kind> kinds_;
  double seconds_ = 0;
  int64_t n_passes_ = 0;
  int n_threads_ = 1;
};

// A profile for each number of rows a pass had, and the passes themselves where a trace is wanted.
class ProfileCollector {
 public:
  explicit ProfileCollector(bool keep_passes) : keep_passes_(keep_passes) {}
  void add(const PassProfile& pass);
  std::string tables() const;
  const std::vector<PassProfile>& passes() const { return passes_; }

 private:
  static constexpr size_t kMaxPasses = 64;  // of a trace: the last ones
  bool keep_passes_;
  std::map<int, Profile> by_rows_;
  std::vector<PassProfile> passes_;
};

// Writes passes in the Trace Event Format (Chrome's), one lane a thread, times in microseconds.
// Errors: not_found (cannot create), unavailable (disk full).
Result<> write_trace(const std::string& path, const std::vector<PassProfile>& passes);

}  // namespace quern::measure
