#include "backend/cpu/simd/exercise.h"
#ifdef __ARM_NEON
#include "backend/cpu/simd/neon.h"
#endif

namespace quern::cpu {

bool exercise_neon([[maybe_unused]] const float* a, [[maybe_unused]] const float* b,
                   [[maybe_unused]] int32_t* out) {
#ifdef __ARM_NEON
  exercise<Neon>(a, b, out);
  return true;
#else
  return false;
#endif
}

}  // namespace quern::cpu
