// Parsing of one GGUF file: header, keys, tensor table, and the checks that let everyone else trust
// them.
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/utf8.h"
#include "formats/byte_cursor.h"
#include "formats/gguf.h"
#include "formats/gguf_tensor_type.h"
#include "quant/format.h"

namespace quern {
namespace {

constexpr const char* kDamaged = "the file is damaged or incomplete: download it again";
constexpr const char* kBadWriter = "convert the model again with a tool that writes valid GGUF";
constexpr uint64_t kMaxKeyBytes = 65535;     // of the specification
constexpr uint64_t kMaxElements = 1u << 24;  // of one array: 60 times the largest vocabulary known
constexpr int64_t kMaxAlignment = 1 << 24;
constexpr uint32_t kMaxDims = 4;

// What a key must be where it is present: later code relies on it.
struct KnownKey {
  std::string_view key;
  bool (*fits)(const MetaValue&);
  const char* kind;
};
template <class T>
bool is(const MetaValue& value) {
  return std::holds_alternative<T>(value);
}
constexpr KnownKey kKnownKeys[] = {
    {"general.alignment", is<int64_t>, "an integer"},
    {"general.architecture", is<std::string>, "a string"},
    {"general.file_type", is<int64_t>, "an integer"},
    {"general.name", is<std::string>, "a string"},
    {"split.count", is<int64_t>, "an integer"},
    {"split.no", is<int64_t>, "an integer"},
    {"split.tensors.count", is<int64_t>, "an integer"},
    {"tokenizer.chat_template", is<std::string>, "a string"},
    {"tokenizer.ggml.merges", is<std::vector<std::string>>, "an array of strings"},
    {"tokenizer.ggml.model", is<std::string>, "a string"},
    {"tokenizer.ggml.pre", is<std::string>, "a string"},
    {"tokenizer.ggml.scores", is<std::vector<double>>, "an array of floats"},
    {"tokenizer.ggml.token_type", is<std::vector<int64_t>>, "an array of integers"},
    {"tokenizer.ggml.tokens", is<std::vector<std::string>>, "an array of strings"},
};

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, const std::string& name)
      : bytes_(bytes), name_(name), cursor_(bytes) {}

  Result<GgufFile> parse() {
    TRY_OK(read_header());
    for (uint64_t i = 0; i < n_keys_; ++i) TRY_OK(read_key(i));
    TRY_OK(check_known_keys());
    TRY_OK(read_alignment());
    TRY_OK(read_tensors());
    TRY_OK(place_tensors());
    return std::move(file_);
  }

 private:
  // A tensor as its row of the table says, until its bytes are found.
  struct Row {
    Weight weight;
    uint32_t type;
    uint64_t offset;  // into the data
    uint64_t row_at;  // byte of its row in the table, for errors
  };

  Error error(Code code, uint64_t at, std::string what, const char* fix) const {
    return {code, std::move(what), name_ + ", byte " + std::to_string(at), fix};
  }
  Error corrupt(uint64_t at, std::string what, const char* fix = kDamaged) const {
    return error(Code::corrupt, at, std::move(what), fix);
  }
  Error cut_off(const std::string& what) const {
    return corrupt(cursor_.offset(), "the file ends within " + what);
  }

  Result<Ok> read_header() {
    if (bytes_.empty()) return corrupt(0, "the file is empty");
    char magic[4];
    for (char& c : magic)
      if (!cursor_.read(c)) return cut_off("its first four bytes");
    if (std::memcmp(magic, kGgufMagic, 4) != 0)
      return corrupt(0, "not a GGUF file: it begins with " + printable({magic, 4}),
                     "give the path of a .gguf model");
    uint32_t version = 0;
    if (!cursor_.read(version)) return cut_off("the header");
    if (version >> 16 != 0 && (version & 0xffff) == 0)
      return error(Code::unsupported, 4, "a big-endian GGUF file",
                   "convert the model for little-endian machines");
    if (version == 1)
      return error(Code::unsupported, 4, "GGUF version 1, which nobody has written since 2023",
                   "convert the model again to version 3");
    if (version != 2 && version != 3)
      return error(Code::unsupported, 4,
                   "GGUF version " + std::to_string(version) + "; 2 and 3 are known",
                   "convert the model to version 3");
    file_.version = version;
    if (!cursor_.read(n_tensors_) || !cursor_.read(n_keys_)) return cut_off("the header");
    // A key takes 14 bytes at least (length, one character, type, value), a tensor 25.
    if (n_keys_ > cursor_.remaining() / 14)
      return corrupt(16, std::to_string(n_keys_) + " keys do not fit in the file");
    if (n_tensors_ > cursor_.remaining() / 25)
      return corrupt(8, std::to_string(n_tensors_) + " tensors do not fit in the file");
    return Ok{};
  }

  // Keys and tensor names: present, short, readable.
  Result<std::string_view> read_name(const std::string& what) {
    const uint64_t at = cursor_.offset();
    std::string_view text;
    if (!cursor_.read(text)) return cut_off(what);
    if (text.empty()) return corrupt(at, what + " is empty", kBadWriter);
    if (text.size() > kMaxKeyBytes)
      return corrupt(at, what + " is " + std::to_string(text.size()) + " bytes long");
    if (!is_utf8(text) ||
        std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 32 || c == 127; }))
      return corrupt(at, what + " is not plain UTF-8 text: " + printable(text));
    return text;
  }

  Result<Ok> read_key(uint64_t index) {
    const uint64_t at = cursor_.offset();
    TRY(const std::string_view key, read_name("the name of key " + std::to_string(index)));
    uint32_t type = 0;
    if (!cursor_.read(type)) return cut_off("key " + printable(key));
    TRY(MetaValue value,
        type == static_cast<uint32_t>(GgufValue::array) ? read_array(key) : read_scalar(key, type));
    if (!file_.metadata.entries.emplace(key, std::move(value)).second)
      return corrupt(at, "key " + printable(key) + " stands twice", kBadWriter);
    return Ok{};
  }

  template <class Stored, class Kept>
  Result<MetaValue> scalar(std::string_view key) {
    Stored stored{};
    if (!cursor_.read(stored)) return cut_off("key " + printable(key));
    return MetaValue(static_cast<Kept>(stored));
  }

  Result<MetaValue> read_scalar(std::string_view key, uint32_t type) {
    const uint64_t at = cursor_.offset();
    switch (static_cast<GgufValue>(type)) {
      case GgufValue::u8:
        return scalar<uint8_t, int64_t>(key);
      case GgufValue::i8:
        return scalar<int8_t, int64_t>(key);
      case GgufValue::u16:
        return scalar<uint16_t, int64_t>(key);
      case GgufValue::i16:
        return scalar<int16_t, int64_t>(key);
      case GgufValue::u32:
        return scalar<uint32_t, int64_t>(key);
      case GgufValue::i32:
        return scalar<int32_t, int64_t>(key);
      case GgufValue::i64:
        return scalar<int64_t, int64_t>(key);
      case GgufValue::f32:
        return scalar<float, double>(key);
      case GgufValue::f64:
        return scalar<double, double>(key);
      case GgufValue::u64: {
        uint64_t value = 0;
        if (!cursor_.read(value)) return cut_off("key " + printable(key));
        if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
          return too_large(at, key, value);
        return MetaValue(static_cast<int64_t>(value));
      }
      case GgufValue::boolean: {
        uint8_t value = 0;
        if (!cursor_.read(value)) return cut_off("key " + printable(key));
        if (value > 1) return corrupt(at, "key " + printable(key) + ": a bool is neither 0 nor 1");
        return MetaValue(value == 1);
      }
      case GgufValue::string: {
        std::string_view text;
        if (!cursor_.read(text)) return cut_off("the text of key " + printable(key));
        return MetaValue(std::string(text));
      }
      default:
        return corrupt(at - 4,
                       "key " + printable(key) + " has unknown type " + std::to_string(type));
    }
  }

  Error too_large(uint64_t at, std::string_view key, uint64_t value) const {
    return error(Code::unsupported, at,
                 "key " + printable(key) + ": " + std::to_string(value) + " is above 2^63 - 1",
                 kBadWriter);
  }

  // Elements of one width; the count has been checked against the file.
  template <class Stored, class Kept>
  Result<MetaValue> elements(std::string_view key, uint64_t count) {
    if (count > cursor_.remaining() / sizeof(Stored)) return lying_count(key, count);
    std::vector<Kept> values(count);
    for (Kept& value : values) {
      const uint64_t at = cursor_.offset();
      Stored stored{};
      cursor_.read(stored);
      if constexpr (std::is_same_v<Stored, uint64_t>) {
        if (stored > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
          return too_large(at, key, stored);
      }
      value = static_cast<Kept>(stored);
    }
    return MetaValue(std::move(values));
  }

  Result<MetaValue> strings(std::string_view key, uint64_t count) {
    if (count > cursor_.remaining() / 8) return lying_count(key, count);
    std::vector<std::string> values;
    values.reserve(count);
    for (uint64_t i = 0; i < count; ++i) {
      std::string_view text;
      if (!cursor_.read(text))
        return cut_off("element " + std::to_string(i) + " of key " + printable(key));
      values.emplace_back(text);
    }
    return MetaValue(std::move(values));
  }

  Error lying_count(std::string_view key, uint64_t count) const {
    return corrupt(cursor_.offset() - 8, "key " + printable(key) + ": " + std::to_string(count) +
                                             " elements do not fit in the file");
  }

  Result<MetaValue> read_array(std::string_view key) {
    uint32_t type = 0;
    uint64_t count = 0;
    const uint64_t at = cursor_.offset();
    if (!cursor_.read(type) || !cursor_.read(count)) return cut_off("key " + printable(key));
    if (count > kMaxElements && count <= cursor_.remaining())
      return error(Code::unsupported, at + 4,
                   "key " + printable(key) + ": an array of " + std::to_string(count) +
                       " elements; at most " + std::to_string(kMaxElements) + " are read",
                   kBadWriter);
    switch (static_cast<GgufValue>(type)) {
      case GgufValue::u8:
        return elements<uint8_t, int64_t>(key, count);
      case GgufValue::i8:
        return elements<int8_t, int64_t>(key, count);
      case GgufValue::boolean:
        return elements<uint8_t, int64_t>(key, count);
      case GgufValue::u16:
        return elements<uint16_t, int64_t>(key, count);
      case GgufValue::i16:
        return elements<int16_t, int64_t>(key, count);
      case GgufValue::u32:
        return elements<uint32_t, int64_t>(key, count);
      case GgufValue::i32:
        return elements<int32_t, int64_t>(key, count);
      case GgufValue::u64:
        return elements<uint64_t, int64_t>(key, count);
      case GgufValue::i64:
        return elements<int64_t, int64_t>(key, count);
      case GgufValue::f32:
        return elements<float, double>(key, count);
      case GgufValue::f64:
        return elements<double, double>(key, count);
      case GgufValue::string:
        return strings(key, count);
      case GgufValue::array:
        return error(Code::unsupported, at, "key " + printable(key) + ": an array of arrays",
                     kBadWriter);
      default:
        return corrupt(
            at, "key " + printable(key) + ": elements of unknown type " + std::to_string(type));
    }
  }

  Result<Ok> check_known_keys() const {
    for (const KnownKey& known : kKnownKeys) {
      const auto entry = file_.metadata.entries.find(known.key);
      if (entry != file_.metadata.entries.end() && !known.fits(entry->second))
        return Error{Code::corrupt, "key " + printable(known.key) + " is not " + known.kind, name_,
                     kBadWriter};
    }
    return Ok{};
  }

  Result<Ok> read_alignment() {
    alignment_ = file_.metadata.integer("general.alignment").value_or(kGgufDefaultAlignment);
    if (alignment_ < 8 || alignment_ > kMaxAlignment ||
        !std::has_single_bit(static_cast<uint64_t>(alignment_)))
      return Error{Code::corrupt,
                   "general.alignment is " + std::to_string(alignment_) +
                       "; a power of two from 8 to " + std::to_string(kMaxAlignment) + " is valid",
                   name_, kBadWriter};
    return Ok{};
  }

  Result<Ok> read_tensors() {
    rows_.reserve(n_tensors_);
    for (uint64_t i = 0; i < n_tensors_; ++i) {
      TRY(Row row, read_row(i));
      rows_.push_back(std::move(row));
    }
    return Ok{};
  }

  Result<Row> read_row(uint64_t index) {
    Row row;
    row.row_at = cursor_.offset();
    TRY(const std::string_view name, read_name("the name of tensor " + std::to_string(index)));
    row.weight.name = name;
    const std::string which = "tensor " + printable(name);
    uint32_t n_dims = 0;
    if (!cursor_.read(n_dims)) return cut_off(which);
    if (n_dims > kMaxDims)
      return corrupt(cursor_.offset() - 4,
                     which + ": " + std::to_string(n_dims) + " dimensions, at most 4");
    row.weight.dims.assign(std::max(n_dims, 1u), 1);  // a scalar is one row of one
    int64_t elements = 1;
    for (uint32_t d = 0; d < n_dims; ++d) {
      uint64_t dim = 0;
      const uint64_t at = cursor_.offset();
      if (!cursor_.read(dim)) return cut_off(which);
      if (dim == 0) return corrupt(at, which + ": dimension " + std::to_string(d) + " is 0");
      if (dim > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) ||
          __builtin_mul_overflow(elements, static_cast<int64_t>(dim), &elements))
        return corrupt(at, which + ": its dimensions exceed 2^63 elements");
      row.weight.dims[n_dims - 1 - d] = static_cast<int64_t>(dim);  // the file's innermost is first
    }
    if (!cursor_.read(row.type) || !cursor_.read(row.offset)) return cut_off(which);
    if (row.offset % alignment_ != 0)
      return corrupt(cursor_.offset() - 8, which + ": offset " + std::to_string(row.offset) +
                                               " is not a multiple of the alignment " +
                                               std::to_string(alignment_));
    return row;
  }

  // Finds the bytes of every tensor, in the order of the data, where overlaps show.
  Result<Ok> place_tensors() {
    const uint64_t mask = static_cast<uint64_t>(alignment_) - 1;
    const uint64_t data_at = (cursor_.offset() + mask) & ~mask;
    const uint64_t data_size = data_at < bytes_.size() ? bytes_.size() - data_at : 0;
    std::stable_sort(rows_.begin(), rows_.end(),
                     [](const Row& a, const Row& b) { return a.offset < b.offset; });
    for (size_t i = 0; i < rows_.size(); ++i) {
      Row& row = rows_[i];
      const uint64_t end = i + 1 < rows_.size() ? rows_[i + 1].offset : data_size;
      const std::string which = "tensor " + printable(row.weight.name);
      if (row.offset > data_size)
        return corrupt(row.row_at, which + " begins at byte " + std::to_string(row.offset) +
                                       " of the data, which has " + std::to_string(data_size));
      TRY(const int64_t size, tensor_size(row, std::max(end, row.offset) - row.offset));
      if (static_cast<uint64_t>(size) > data_size - row.offset)
        return corrupt(row.row_at, which + " needs " + std::to_string(size) +
                                       " bytes, the file has " +
                                       std::to_string(data_size - row.offset) + " left for it");
      if (static_cast<uint64_t>(size) > end - row.offset)
        return corrupt(row.row_at,
                       which + " overlaps tensor " + printable(rows_[i + 1].weight.name));
      row.weight.data = bytes_.subspan(data_at + row.offset, size);
    }
    return collect();
  }

  // The tensor's type and size; `extent` is the room until the next tensor.
  Result<int64_t> tensor_size(Row& row, uint64_t extent) {
    const std::string which = "tensor " + printable(row.weight.name);
    const auto refuse = [&](const Error& why) {
      return error(why.code, row.row_at, which + ": " + why.what, why.fix.c_str());
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
        return corrupt(std::max(rows_[i].row_at, rows_[i - 1].row_at),
                       "tensor " + printable(rows_[i].weight.name) + " stands twice", kBadWriter);
    file_.weights.reserve(rows_.size());
    for (Row& row : rows_) file_.weights.push_back(std::move(row.weight));
    return Ok{};
  }

  std::span<const std::byte> bytes_;
  const std::string& name_;
  ByteCursor cursor_;
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
