// AVX2, FMA and F16C: x86 since 2013.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/probe_avx2.h"
#include "backend/cpu/simd/avx2.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<Avx2>();
constexpr ProbeKernels with_int4(ProbeKernels probe) {
  probe.int4 = {probe_int4_dots_avx2, "8 x vpmaddubsw, 7 x vpaddw, vpmaddwd, vpaddd of 256 bits"};
  return probe;
}
constexpr ProbeKernels kProbe = with_int4(probe_kernels<Avx2>(
    {probe_int8_dots<Avx2>, "vpmaddubsw, vpmaddwd, vpaddd of 256 bits"}, "vfmadd of 256 bits"));
}  // namespace

constexpr FloatKernels kAvx2Floats = float_kernels<Avx2>();

extern const Kernels kAvx2Kernels;
constinit const Kernels kAvx2Kernels = kernels_of(
    "avx2", [](const CpuFeatures& f) { return has_avx2(f); }, kLinear, kProbe, kAvx2Floats);

}  // namespace quern::cpu
