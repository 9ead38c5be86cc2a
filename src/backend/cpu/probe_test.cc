// The probes against independent loops with another number of chains: the operations counted are
// those executed.
#include "backend/cpu/probe.h"

#include <gtest/gtest.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <chrono>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "backend/cpu/kernels.h"
#include "backend/cpu/test_matrix.h"
#include "support/emulated.h"

namespace quern::cpu {
namespace {

TEST(Probe, ReadsEveryByteAlikeOnEveryInstructionSet) {
  constexpr int kBytes = 8192;
  // Prefetches reach beyond what is read.
  testing_support::Aligned<std::byte> data(kBytes + 16384);
  for (int i = 0; i < kBytes; ++i) data.data()[i] = static_cast<std::byte>(i * i ^ i >> 5);
  const CpuFeatures features = detect_cpu_features();
  const int32_t want = all_kernels().front()->probe.reads[0].run(data.data(), kBytes);
  for (const Kernels* kernels : all_kernels()) {
    if (!kernels->supported(features)) continue;
    for (const ReadProbe& read : kernels->probe.reads)
      EXPECT_EQ(read.run(data.data(), kBytes), want) << kernels->isa << ", " << read.name;
  }
  for (const int at : {0, 2047, 2048, 5000, kBytes - 1}) {
    data.data()[at] ^= std::byte{1};
    for (const ReadProbe& read : all_kernels().front()->probe.reads)
      EXPECT_NE(read.run(data.data(), kBytes), want) << read.name << " at " << at;
    data.data()[at] ^= std::byte{1};
  }
}

// Operations of one round, from the instructions that tools/check_probe_loops.py finds in it: how
// many, and what each does.
struct Round {
  const char* isa;
  OperationProbe ProbeKernels::*probe;
  int64_t instructions, operations;
};
constexpr Round kRounds[] = {
    {"avx2", &ProbeKernels::int8, 12, 2 * 32},
    {"avx2", &ProbeKernels::int4, 32, 2 * 32},
    {"avx2", &ProbeKernels::f32, 12, 2 * 8},
    {"avxvnni", &ProbeKernels::int8, 12, 2 * 32},
    {"avx512vnni", &ProbeKernels::int8, 12, 2 * 64},
    {"avx512vnni", &ProbeKernels::f32, 12, 2 * 16},
    {"avx512bf16", &ProbeKernels::bf16, 12, 2 * 32},
    {"amx", &ProbeKernels::int8, 12, 2 * 64},
    {"amx", &ProbeKernels::bf16, 4, 2 * 16 * 16 * 32},
    {"amx", &ProbeKernels::int8_tiles, 4, 2 * 16 * 16 * 64},
    {"neon", &ProbeKernels::int8, 24, 2 * 8},   // smull, smlal2
    {"neon", &ProbeKernels::int4, 192, 2 * 8},  // smull, smlal, smlal2
    {"neon", &ProbeKernels::f32, 24, 2 * 4},
    {"dotprod", &ProbeKernels::int8, 24, 2 * 16},
    {"i8mm", &ProbeKernels::int8, 12, 2 * 32},
};

TEST(Probe, CountsTheOperationsOfItsInstructions) {
  const CpuFeatures features = detect_cpu_features();
  for (const Round& round : kRounds) {
    const Kernels* kernels = find_kernels(round.isa, features);
    if (!kernels) continue;
    EXPECT_EQ((kernels->probe.*round.probe).run(3), 3 * round.instructions * round.operations)
        << round.isa;
  }
}

#if defined(__x86_64__)
// Second methods: n rounds, which return their operations. Assembly with the loop in it, so that
// what is executed is what is written; 8 chains where the probes have 12.
#define QUERN_EIGHT(one) one("0") one("1") one("2") one("3") one("4") one("5") one("6") one("7")
#define QUERN_ZERO(i) "vpxor %%xmm" i ", %%xmm" i ", %%xmm" i "\n"
#define QUERN_LOOP(body)                                                                       \
  asm volatile(QUERN_EIGHT(QUERN_ZERO) QUERN_ZERO("8") QUERN_ZERO("9")                         \
                   QUERN_ZERO("10") "1:\n" body "dec %0\n jnz 1b\n vzeroupper\n"               \
               : "+r"(n)                                                                       \
               :                                                                               \
               : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
                 "xmm9", "xmm10", "xmm11")

int64_t avx2_int8(int64_t n) {
  const int64_t operations = n * 8 * 2 * 32;
#define QUERN_ONE(i)                                                          \
  "vpmaddubsw %%ymm9, %%ymm8, %%ymm11\n vpmaddwd %%ymm10, %%ymm11, %%ymm11\n" \
  "vpaddd %%ymm11, %%ymm" i ", %%ymm" i "\n"
  QUERN_LOOP(QUERN_EIGHT(QUERN_ONE));
#undef QUERN_ONE
  return operations;
}

// One instruction, QUERN_ONE, sixteen times a round.
#define QUERN_SECOND(name, per_instruction)                    \
  int64_t name(int64_t n) {                                    \
    const int64_t operations = n * 16 * 2 * (per_instruction); \
    QUERN_LOOP(QUERN_EIGHT(QUERN_ONE) QUERN_EIGHT(QUERN_ONE)); \
    return operations;                                         \
  }
#define QUERN_ONE(i) "vfmadd231ps %%ymm8, %%ymm9, %%ymm" i "\n"
QUERN_SECOND(avx2_fma, 8)
#undef QUERN_ONE
#define QUERN_ONE(i) "%{vex%} vpdpbusd %%ymm9, %%ymm8, %%ymm" i "\n"
QUERN_SECOND(avxvnni_int8, 32)
#undef QUERN_ONE
#define QUERN_ONE(i) "vpdpbusd %%zmm9, %%zmm8, %%zmm" i "\n"
QUERN_SECOND(avx512_int8, 64)
#undef QUERN_ONE
#define QUERN_ONE(i) "vfmadd231ps %%zmm8, %%zmm9, %%zmm" i "\n"
QUERN_SECOND(avx512_fma, 16)
#undef QUERN_ONE

struct Second {
  const char* isa;
  OperationProbe ProbeKernels::*probe;
  int64_t (*run)(int64_t rounds);
};
constexpr Second kSeconds[] = {
    {"avx2", &ProbeKernels::int8, avx2_int8},
    {"avx2", &ProbeKernels::f32, avx2_fma},
    {"avxvnni", &ProbeKernels::int8, avxvnni_int8},
    {"avx512vnni", &ProbeKernels::int8, avx512_int8},
    {"avx512vnni", &ProbeKernels::f32, avx512_fma},
};

// Builds with sanitizers, and those for debuggers.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define QUERN_CHECKED true
#endif
#endif
#if !defined(NDEBUG) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#undef QUERN_CHECKED
#define QUERN_CHECKED true
#endif
#ifndef QUERN_CHECKED
#define QUERN_CHECKED false
#endif
constexpr bool kChecked = QUERN_CHECKED;

// Of the processor time of this thread, so that other programs do not count.
double operations_per_second(const std::function<int64_t(int64_t)>& run) {
  const auto now = [] {
    timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double begin = now();
  const auto done = static_cast<double>(run(20000));
  return done / (now() - begin);
}

// A loop that had lost chains would be two to twelve times too fast in every comparison; a correct
// one agrees as soon as neither is disturbed: other guests of the machine slow either at random.
template <class F, class G>
::testing::AssertionResult agree(F first, G second) {
  constexpr int kMaxTries = 200;
  std::vector<double> ratios;
  for (int i = 0; i < kMaxTries; ++i) {
    ratios.push_back(first() / second());
    if (ratios.back() > 1 / 1.5 && ratios.back() < 1.5) return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << "the ratio was " << ratios.front() << " to " << ratios.back() << " in all tries";
}

TEST(Probe, AgreesWithAssembly) {
  if (runs_emulated()) GTEST_SKIP() << "an emulator's rates are its own";
  if (kChecked) GTEST_SKIP() << "the probes are not compiled to be fast";
  const CpuFeatures features = detect_cpu_features();
  for (const Second& second : kSeconds) {
    const Kernels* kernels = find_kernels(second.isa, features);
    if (!kernels) continue;
    EXPECT_TRUE(agree([&] { return operations_per_second((kernels->probe.*second.probe).run); },
                      [&] { return operations_per_second(second.run); }))
        << second.isa;
  }
}
#endif

}  // namespace
}  // namespace quern::cpu
