// Parsing of one GGUF file: header and tensor table, with the checks that all later code relies on.
// (The keys: gguf_keys.cc.)
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/utf8.h"
#include "formats/gguf.h"
#include "formats/gguf_input.h"
#include "formats/gguf_tensor_type.h"
#include "quant/format.h"

namespace quern {
namespace {

constexpr int64_t kMaxAlignment = 1 << 24;
constexpr uint32_t kMaxDims = 4;
constexpr uint64_t kMaxTensors = 1 << 20;  // the largest models have some ten thousand

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, const std::string& name)
      : bytes_(bytes), input_(bytes, name) {}

  Result<GgufFile> parse() {
    TRY_OK(read_header());
    TRY(file_.metadata, read_gguf_keys(input_, n_keys_));
    TRY_OK(read_alignment());
    TRY_OK(read_tensors());
    TRY_OK(place_tensors());
    return std::move(file_);
  }

 private:
  // A tensor as declared by its row of the table, before its bytes are found.
  struct Row {
    Weight weight;
    uint32_t type;
    uint64_t offset;  // into the data
    uint64_t row_at;  // byte of its row in the table, for errors
  };

  Result<Ok> read_header() {
    if (bytes_.empty()) return input_.corrupt(0, "the file is empty");
    char magic[4];
    for (char& c : magic)
      if (!input_.read(c)) return input_.cut_off("its first four bytes");
    if (std::memcmp(magic, kGgufMagic, 4) != 0)
      return input_.corrupt(0, "not a GGUF file: it begins with " + printable({magic, 4}),
                            "give the path of a .gguf model");
    uint32_t version = 0;
    if (!input_.read(version)) return input_.cut_off("the header");
    if (version >> 16 != 0 && (version & 0xffff) == 0)
      return input_.error(Code::unsupported, 4, "a big-endian GGUF file",
                          "convert the model for little-endian machines");
    if (version == 1)
      return input_.error(Code::unsupported, 4,
                          "GGUF version 1, which has not been written since 2023",
                          "convert the model again to version 3");
    if (version != 2 && version != 3)
      return input_.error(Code::unsupported, 4,
                          "GGUF version " + std::to_string(version) + "; 2 and 3 are known",
                          "convert the model to version 3");
    file_.version = version;
    if (!input_.read(n_tensors_) || !input_.read(n_keys_)) return input_.cut_off("the header");
    // A key takes 14 bytes at least (length, one character, type, value), a tensor 25.
    if (n_keys_ > input_.remaining() / 14)
      return input_.corrupt(16, std::to_string(n_keys_) + " keys do not fit in the file");
    if (n_tensors_ > input_.remaining() / 25)
      return input_.corrupt(8, std::to_string(n_tensors_) + " tensors do not fit in the file");
    if (n_tensors_ > kMaxTensors)
      return input_.error(Code::unsupported, 8,
                          std::to_string(n_tensors_) + " tensors; at most " +
                              std::to_string(kMaxTensors) + " are read",
                          kGgufBadWriter);
    return Ok{};
  }

  Result<Ok> read_alignment() {
    alignment_ = file_.metadata.integer("general.alignment").value_or(kGgufDefaultAlignment);
    if (alignment_ < 8 || alignment_ > kMaxAlignment ||
        !std::has_single_bit(static_cast<uint64_t>(alignment_)))
      return Error{Code::corrupt,
                   "general.alignment is " + std::to_string(alignment_) +
                       "; a power of two from 8 to " + std::to_string(kMaxAlignment) + " is valid",
                   input_.name(), kGgufBadWriter};
    return Ok{};
  }

  Result<Ok> read_tensors() {
    for (uint64_t i = 0; i < n_tensors_; ++i) {
      TRY(Row row, read_row(i));
      rows_.push_back(std::move(row));
    }
    return Ok{};
  }

  Result<Row> read_row(uint64_t index) {
    Row row;
    row.row_at = input_.offset();
    TRY(const std::string_view name,
        input_.read_name("the name of tensor " + std::to_string(index)));
    row.weight.name = name;
    const std::string which = "tensor " + printable(name);
    uint32_t n_dims = 0;
    if (!input_.read(n_dims)) return input_.cut_off(which);
    if (n_dims > kMaxDims)
      return input_.corrupt(input_.offset() - 4,
                            which + ": " + std::to_string(n_dims) + " dimensions, at most 4");
    row.weight.dims.assign(std::max(n_dims, 1u), 1);  // a scalar is one row of one
    int64_t elements = 1;
    for (uint32_t d = 0; d < n_dims; ++d) {
      uint64_t dim = 0;
      const uint64_t at = input_.offset();
      if (!input_.read(dim)) return input_.cut_off(which);
      if (dim == 0) return input_.corrupt(at, which + ": dimension " + std::to_string(d) + " is 0");
      if (dim > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) ||
          __builtin_mul_overflow(elements, static_cast<int64_t>(dim), &elements))
        return input_.corrupt(at, which + ": its dimensions exceed 2^63 elements");
      row.weight.dims[n_dims - 1 - d] = static_cast<int64_t>(dim);  // the file's innermost is first
    }
    if (!input_.read(row.type) || !input_.read(row.offset)) return input_.cut_off(which);
    if (row.offset % alignment_ != 0)
      return input_.corrupt(input_.offset() - 8, which + ": offset " + std::to_string(row.offset) +
                                                     " is not a multiple of the alignment " +
                                                     std::to_string(alignment_));
    return row;
  }

  // Finds the bytes of every tensor, in the order of the data, so that overlaps are seen.
  Result<Ok> place_tensors() {
    const uint64_t mask = static_cast<uint64_t>(alignment_) - 1;
    const uint64_t data_at = (input_.offset() + mask) & ~mask;
    const uint64_t data_size = data_at < bytes_.size() ? bytes_.size() - data_at : 0;
    std::stable_sort(rows_.begin(), rows_.end(),
                     [](const Row& a, const Row& b) { return a.offset < b.offset; });
    for (size_t i = 0; i < rows_.size(); ++i) {
      Row& row = rows_[i];
      const uint64_t end = i + 1 < rows_.size() ? rows_[i + 1].offset : data_size;
      const std::string which = "tensor " + printable(row.weight.name);
      if (row.offset > data_size)
        return input_.corrupt(row.row_at, which + " begins at byte " + std::to_string(row.offset) +
                                              " of the data, which has " +
                                              std::to_string(data_size));
      TRY(const int64_t size, tensor_size(row, std::max(end, row.offset) - row.offset));
      if (static_cast<uint64_t>(size) > data_size - row.offset)
        return input_.corrupt(row.row_at,
                              which + " needs " + std::to_string(size) + " bytes, the file has " +
                                  std::to_string(data_size - row.offset) + " left for it");
      if (static_cast<uint64_t>(size) > end - row.offset)
        return input_.corrupt(row.row_at,
                              which + " overlaps tensor " + printable(rows_[i + 1].weight.name));
      row.weight.data = bytes_.subspan(data_at + row.offset, size);
    }
    return collect();
  }

  // The tensor's type and size; `extent` is the room until the next tensor.
  Result<int64_t> tensor_size(Row& row, uint64_t extent) {
    const std::string which = "tensor " + printable(row.weight.name);
    const auto refuse = [&](const Error& why) {
      return input_.error(why.code, row.row_at, which + ": " + why.what, why.fix.c_str());
    };
    const GgufTensor tensor{row.type, row.weight.n_rows(), row.weight.n_cols(), extent, alignment_};
    auto dtype = gguf_tensor_type(tensor, file_.metadata);
    if (!dtype) return refuse(dtype.error());
    row.weight.dtype = *dtype;
    const int64_t size = matrix_bytes(*dtype, tensor.n_rows, tensor.n_cols);
    if (size < 0) return refuse(gguf_shape_error(*dtype, tensor.n_rows, tensor.n_cols));
    return size;
  }

  Result<Ok> collect() {
    std::sort(rows_.begin(), rows_.end(),
              [](const Row& a, const Row& b) { return a.weight.name < b.weight.name; });
    for (size_t i = 1; i < rows_.size(); ++i)
      if (rows_[i].weight.name == rows_[i - 1].weight.name)
        return input_.corrupt(std::max(rows_[i].row_at, rows_[i - 1].row_at),
                              "tensor " + printable(rows_[i].weight.name) + " occurs twice",
                              kGgufBadWriter);
    file_.weights.reserve(rows_.size());
    for (Row& row : rows_) file_.weights.push_back(std::move(row.weight));
    return Ok{};
  }

  std::span<const std::byte> bytes_;
  GgufInput input_;
  GgufFile file_;
  uint64_t n_tensors_ = 0, n_keys_ = 0;
  int64_t alignment_ = kGgufDefaultAlignment;
  std::vector<Row> rows_;
};

}  // namespace

Result<GgufFile> parse_gguf(std::span<const std::byte> bytes, const std::string& name) {
  return Parser(bytes, name).parse();
}

}  // namespace quern
