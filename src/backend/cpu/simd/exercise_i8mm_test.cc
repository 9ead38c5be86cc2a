#include "backend/cpu/simd/exercise.h"
#ifdef __ARM_FEATURE_MATMUL_INT8
#include "backend/cpu/simd/i8mm.h"
#endif

namespace quern::cpu {

bool exercise_i8mm([[maybe_unused]] const float* a, [[maybe_unused]] const float* b,
                   [[maybe_unused]] int32_t* out) {
#ifdef __ARM_FEATURE_MATMUL_INT8
  exercise<NeonI8mm>(a, b, out);
  return true;
#else
  return false;
#endif
}

}  // namespace quern::cpu
