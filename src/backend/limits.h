// What a machine can do at most: the yardstick of every speed Quern prints.
#pragma once
#include <memory>

#include "base/result.h"

namespace quern {

struct MachineLimits {
  double dram_gbps = 0;  // 10^9 bytes per second read by all threads, far beyond the caches
  double l2_gbps = 0;    // likewise from the second cache and
  double l3_gbps = 0;    // from the third; 0: its size is not known
  // 10^9 operations per second, two a product, of the best exact instructions of the processor for
  // dot products of bytes; of codes of four bits by bytes, which the instructions for bytes compute
  // too, so that this limit is never below that of bytes; and by tiles, 0: none.
  double int8_gops = 0, int4_gops = 0, int8_tiles_gops = 0;
  double f32_gflops = 0;   // likewise, of fused multiply-adds
  double bf16_gflops = 0;  // of bf16 dot products or tiles; 0: none
  // What the figures are of, for people: instructions, and how memory was read.
  const char* int8_by = "";
  const char* int4_by = "";
  const char* dram_by = "";
  bool dram_large_pages = false;
};

// Measures as often as asked: what a shared machine can do changes by the second. Every measurement
// takes about `seconds` and gives 10^9 per second. Not for use by several threads at a time.
class LimitsProbe {
 public:
  virtual ~LimitsProbe() = default;
  virtual double dram_gbps(double seconds) = 0;
  virtual double int8_gops(double seconds) = 0;
  // The best of several short measurements of each kind, some seconds in all: what disturbs one
  // only slows it. Errors: out_of_memory.
  virtual Result<MachineLimits> limits() = 0;
};

}  // namespace quern
