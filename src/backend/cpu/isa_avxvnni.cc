// AVX2 with VNNI. Everything but integer products is avx2's.
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/simd/avxvnni.h"

namespace quern::cpu {

namespace {
constexpr LinearKernels kLinear = linear_kernels<AvxVnni>();
constexpr ProbeKernels kProbe = probe_kernels<AvxVnni>(
    {probe_int8_dots<AvxVnni>, "vpdpbusd of 256 bits"}, "vfmadd of 256 bits");
}  // namespace

extern const Kernels kAvxVnniKernels;
constinit const Kernels kAvxVnniKernels = kernels_of(
    "avxvnni", [](const CpuFeatures& f) { return has_avx2(f) && f.avxvnni; }, kLinear, kProbe,
    kAvx2Floats);

}  // namespace quern::cpu
