// AVX-512 with VNNI: Intel since 2019, AMD since Zen 4.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avx512vnni.h"

namespace quern::cpu {

namespace {
constexpr ProbeKernels kProbe = probe_kernels<Avx512Vnni>(
    {probe_int8_dots<Avx512Vnni>, "vpdpbusd of 512 bits"}, "vfmadd of 512 bits");
}  // namespace

constexpr LinearKernels kAvx512VnniLinear = linear_kernels<Avx512Vnni>();
constexpr FloatKernels kAvx512VnniFloats = float_kernels<Avx512Vnni>();

extern const Kernels kAvx512VnniKernels;
constinit const Kernels kAvx512VnniKernels = kernels_of(
    "avx512vnni", [](const CpuFeatures& f) { return has_avx512vnni(f); }, kAvx512VnniLinear, kProbe,
    kAvx512VnniFloats);

}  // namespace quern::cpu
