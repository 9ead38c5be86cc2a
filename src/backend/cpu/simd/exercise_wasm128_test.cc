#include "backend/cpu/simd/exercise.h"
#ifdef __wasm_simd128__
#include "backend/cpu/simd/wasm128.h"
#endif

namespace quern::cpu {

bool exercise_wasm128([[maybe_unused]] const float* a, [[maybe_unused]] const float* b,
                      [[maybe_unused]] int32_t* out) {
#ifdef __wasm_simd128__
  exercise<Wasm128>(a, b, out);
  return true;
#else
  return false;
#endif
}

}  // namespace quern::cpu
