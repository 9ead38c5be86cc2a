#include "backend/cpu/simd/exercise.h"
#ifdef __ARM_FEATURE_DOTPROD
#include "backend/cpu/simd/dotprod.h"
#endif

namespace quern::cpu {

bool exercise_dotprod([[maybe_unused]] const float* a, [[maybe_unused]] const float* b,
                      [[maybe_unused]] int32_t* out) {
#ifdef __ARM_FEATURE_DOTPROD
  exercise<NeonDotprod>(a, b, out);
  return true;
#else
  return false;
#endif
}

}  // namespace quern::cpu
