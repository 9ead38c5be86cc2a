#include "formats/gguf_tensor_type.h"

#include <string>

#include "quant/format.h"

namespace quern {
namespace {

constexpr uint32_t kMxfp4OrTl2 = 39;

// general.file_type, where ggml and bitnet.cpp's fork gave the same number to different things.
constexpr int64_t kFileTypeMxfp4OrTl1 = 38, kFileTypeNvfp4OrTl2 = 39;

// Ids that occur in GGUF files and that Quern does not read.
struct OtherType {
  uint32_t id;
  const char* name;
};
constexpr OtherType kOtherTypes[] = {
    {4, "Q4_2, removed in 2023"},
    {5, "Q4_3, removed in 2023"},
    {9, "Q8_1, an activation format"},
    {31, "Q4_0_4_4, removed in 2024"},
    {32, "Q4_0_4_8, removed in 2024"},
    {33, "Q4_0_8_8, removed in 2024"},
    {37, "I8_S, an activation format"},
    {40, "NVFP4"},
    {41, "Q1_0"},
    {134, "IQ1_BN of ik_llama.cpp"},
    {135, "IQ2_BN of ik_llama.cpp"},
    {335, "IQ2_BN_R4 of ik_llama.cpp"},
};

Error unsupported(uint32_t id) {
  std::string type = "type id " + std::to_string(id);
  for (const OtherType& other : kOtherTypes)
    if (other.id == id) type += " (" + std::string(other.name) + ")";
  return {Code::unsupported, type + " is not supported", "",
          "use a file of another quantization, such as Q4_K_M or Q8_0"};
}

// bitnet.cpp's first fork wrote TL2 under the number that ggml later gave to MXFP4. Files of type
// TL1 never hold id 39, so file type 38 means MXFP4; otherwise, where the fork is possible (its
// architecture or its file type), the room the tensor takes in the file decides: the two sizes
// differ by a factor of 2.5.
Result<Dtype> mxfp4_or_tl2(const GgufTensor& tensor, const Metadata& metadata) {
  const int64_t file_type = metadata.integer("general.file_type").value_or(-1);
  const auto* architecture = metadata.get<std::string>("general.architecture");
  const bool bitnet = architecture != nullptr && architecture->starts_with("bitnet");
  if (file_type == kFileTypeMxfp4OrTl1 || (!bitnet && file_type != kFileTypeNvfp4OrTl2))
    return Dtype::mxfp4;
  const auto fills_extent = [&](Dtype dtype) {
    const int64_t size = matrix_bytes(dtype, tensor.n_rows, tensor.n_cols);
    return size >= 0 && static_cast<uint64_t>(size) <= tensor.extent &&
           tensor.extent - static_cast<uint64_t>(size) < static_cast<uint64_t>(tensor.alignment);
  };
  const bool mxfp4 = fills_extent(Dtype::mxfp4), tl2 = fills_extent(Dtype::tl2);
  if (mxfp4 != tl2) return mxfp4 ? Dtype::mxfp4 : Dtype::tl2;
  return Error{
      Code::unsupported,
      "type id 39 means MXFP4 or bitnet.cpp's TL2, and the size of this tensor fits neither", "",
      "use a file of type I2_S"};
}

}  // namespace

Result<Dtype> gguf_tensor_type(const GgufTensor& tensor, const Metadata& metadata) {
  if (tensor.type == kMxfp4OrTl2) return mxfp4_or_tl2(tensor, metadata);
  for (int d = 0; d < static_cast<int>(Dtype::count); ++d)
    if (kDtypes[d].gguf == static_cast<int64_t>(tensor.type)) return static_cast<Dtype>(d);
  return unsupported(tensor.type);
}

Error gguf_shape_error(Dtype dtype, int64_t n_rows, int64_t n_cols) {
  const DtypeInfo& row = info(dtype);
  const std::string shape = std::to_string(n_rows) + " x " + std::to_string(n_cols);
  const bool has_blocks = row.bytes > 0 || dtype == Dtype::i2_s;
  if (has_blocks && n_cols % row.block != 0)
    return {Code::corrupt,
            "rows of " + std::to_string(n_cols) + " are not whole blocks of " +
                std::string(row.name) + " (" + std::to_string(row.block) + ")",
            "", "the file is damaged, or its writer was: download or convert it again"};
  if (dtype == Dtype::tl1 || dtype == Dtype::tl2)
    return {Code::unsupported,
            "the " + std::string(row.name) + " layout of " + shape +
                " is not known (bitnet.cpp compiled it in; the file does not say)",
            "", "use a file of type I2_S"};
  return {Code::corrupt, shape + " weights of " + std::string(row.name) + " exceed 2^62 bytes", "",
          "the file is damaged: download it again"};
}

}  // namespace quern
