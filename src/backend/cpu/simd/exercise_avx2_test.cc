#include "backend/cpu/simd/exercise.h"
#ifdef __AVX2__
#include "backend/cpu/simd/avx2.h"
#endif

namespace quern::cpu {

bool exercise_avx2([[maybe_unused]] const float* a, [[maybe_unused]] const float* b,
                   [[maybe_unused]] int32_t* out) {
#ifdef __AVX2__
  exercise<Avx2>(a, b, out);
  return true;
#else
  return false;
#endif
}

}  // namespace quern::cpu
