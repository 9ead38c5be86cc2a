// WebAssembly's vectors of 128 bits: every engine since 2021 to 2023.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/wasm128.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Wasm128>();
constexpr ProbeKernels kProbe =
    probe_kernels<Wasm128>({probe_int8_dots<Wasm128>, "i32x4.dot_i16x8_s"}, "f64x2 operations");
constexpr FloatKernels kFloats = float_kernels<Wasm128>();
}  // namespace

extern const Kernels kWasm128Kernels;
constinit const Kernels kWasm128Kernels = kernels_of(
    "wasm128", [](const CpuFeatures& f) { return f.simd128; }, kLinear, kProbe, kFloats);

}  // namespace quern::cpu
