#include "backend/cpu/simd/exercise.h"
#ifdef __AVX512VNNI__
#include "backend/cpu/simd/avx512vnni.h"
#endif

namespace quern::cpu {

bool exercise_avx512vnni([[maybe_unused]] const float* a, [[maybe_unused]] const float* b,
                         [[maybe_unused]] int32_t* out) {
#ifdef __AVX512VNNI__
  exercise<Avx512Vnni>(a, b, out);
  return true;
#else
  return false;
#endif
}

}  // namespace quern::cpu
