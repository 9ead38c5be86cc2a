// f32, f16, bf16: no blocks, no integer form; f32 kernels read them as they are.
#include "quant/plain.h"

#include "base/float16.h"

namespace quern {
namespace {

float same(float f) { return f; }

}  // namespace

extern const Format kF32 = {.dtype = Dtype::f32,
                            .decode = decode_plain<float, same>,
                            .encode = encode_plain<float, same>,
                            .plain = Dtype::f32};
extern const Format kF16 = {.dtype = Dtype::f16,
                            .decode = decode_plain<uint16_t, f16_to_f32>,
                            .encode = encode_plain<uint16_t, f32_to_f16>,
                            .plain = Dtype::f16};
extern const Format kBf16 = {.dtype = Dtype::bf16,
                             .decode = decode_plain<uint16_t, bf16_to_f32>,
                             .encode = encode_plain<uint16_t, f32_to_bf16>,
                             .plain = Dtype::bf16};

}  // namespace quern
