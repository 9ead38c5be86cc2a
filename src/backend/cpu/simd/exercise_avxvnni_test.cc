#include "backend/cpu/simd/exercise.h"
#ifdef __AVXVNNI__
#include "backend/cpu/simd/avxvnni.h"
#endif

namespace quern::cpu {

bool exercise_avxvnni([[maybe_unused]] const float* a, [[maybe_unused]] const float* b,
                      [[maybe_unused]] int32_t* out) {
#ifdef __AVXVNNI__
  exercise<AvxVnni>(a, b, out);
  return true;
#else
  return false;
#endif
}

}  // namespace quern::cpu
