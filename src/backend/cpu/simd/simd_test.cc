// The vocabularies against the scalar one, function by function.
#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "backend/cpu/kernels.h"
#include "backend/cpu/simd/exercise.h"
#include "backend/cpu/simd/scalar.h"

namespace quern::cpu {
namespace {

struct Vocabulary {
  const char* isa;
  bool (*exercise)(const float* a, const float* b, int32_t* out);
};
constexpr Vocabulary kVocabularies[] = {
    {"avx2", exercise_avx2},
    {"avxvnni", exercise_avxvnni},
    {"avx512vnni", exercise_avx512vnni},
    {"neon", exercise_neon},
    {"dotprod", exercise_dotprod},
    {"i8mm", exercise_i8mm},
    {"wasm128", exercise_wasm128},
};

// Numbers of three kinds: whole, fractions, all sizes from 2^-27 to 2^22.
float draw(std::mt19937& random, int kind) {
  const auto bits = static_cast<uint32_t>(random());
  if (kind == 0) return static_cast<float>(static_cast<int32_t>(bits));
  if (kind == 1) return static_cast<float>(static_cast<int32_t>(bits)) * 4e-8f;
  return std::bit_cast<float>((100 + bits % 50) << 23 | (bits & 0x807fff00));
}

TEST(Vocabulary, GivesTheSameBitsOnEveryInstructionSet) {
  std::mt19937 random(1);
  const CpuFeatures features = detect_cpu_features();
  for (int round = 0; round < 3000; ++round) {
    float a[48], b[48];
    for (float& v : a) v = draw(random, round % 3);
    for (float& v : b) v = draw(random, round % 3);
    int32_t want[kExercises * 16], got[kExercises * 16];
    exercise<Scalar>(a, b, want);
    for (const Vocabulary& vocabulary : kVocabularies) {
      if (!find_kernels(vocabulary.isa, features)) continue;
      ASSERT_TRUE(vocabulary.exercise(a, b, got));
      for (int i = 0; i < kExercises * 16; ++i) {
        ASSERT_EQ(got[i], want[i])
            << vocabulary.isa << " exercise " << i / 16 << " lane " << i % 16;
      }
    }
  }
}

}  // namespace
}  // namespace quern::cpu
