// Samples of a process's memory, files and threads, and their growth.
#pragma once
#include <span>

namespace quern::soak {

struct Sample {
  double seconds = 0;  // since the start
  double memory = 0;   // MiB that are no file's: those come and go as the system likes
  double heap = 0;     // MiB that malloc has given out
  int n_files = 0;     // open
  int n_threads = 0;
};

// Of this process. Linux, and glibc's malloc.
Sample sample(double seconds);

// MiB per hour: the line nearest to the samples.
double slope(std::span<const Sample> samples, double Sample::*what);

}  // namespace quern::soak
