// The keys of a GGUF file and their values.
#include <limits>
#include <type_traits>

#include "base/utf8.h"
#include "formats/gguf.h"
#include "formats/gguf_input.h"

namespace quern {
namespace {

// Memory limit of all keys: six times the largest known vocabulary. A file that is mostly keys is
// not a model, and small elements take more memory here than in the file.
constexpr uint64_t kMaxKeyMemory = 256u << 20;
constexpr uint64_t kEntryMemory = 160;  // of a map's node
constexpr size_t kInPlace = 15;  // characters that a std::string holds without memory of its own:
                                 // strings are charged as if each became one

// The required type of a key where it is present: later code relies on it.
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
    {"tokenizer.ggml.merges", is<StringArray>, "an array of strings"},
    {"tokenizer.ggml.model", is<std::string>, "a string"},
    {"tokenizer.ggml.pre", is<std::string>, "a string"},
    {"tokenizer.ggml.scores", is<std::vector<double>>, "an array of floats"},
    {"tokenizer.ggml.token_type", is<std::vector<int64_t>>, "an array of integers"},
    {"tokenizer.ggml.tokens", is<StringArray>, "an array of strings"},
};

class KeyReader {
 public:
  explicit KeyReader(GgufInput& input) : input_(input) {}

  Result<Metadata> read(uint64_t n_keys) {
    for (uint64_t i = 0; i < n_keys; ++i) TRY_OK(read_key(i));
    TRY_OK(check_known_keys());
    return std::move(metadata_);
  }

 private:
  Result<Ok> read_key(uint64_t index) {
    const uint64_t at = input_.offset();
    TRY(const std::string_view key, input_.read_name("the name of key " + std::to_string(index)));
    TRY_OK(charge(key, 1, kEntryMemory + key.size()));
    uint32_t type = 0;
    if (!input_.read(type)) return input_.cut_off("key " + printable(key));
    TRY(MetaValue value,
        type == static_cast<uint32_t>(GgufValue::array) ? read_array(key) : read_scalar(key, type));
    if (!metadata_.entries.emplace(key, std::move(value)).second)
      return input_.corrupt(at, "key " + printable(key) + " occurs twice", kGgufBadWriter);
    return Ok{};
  }

  // Counts memory before it is allocated.
  Result<Ok> charge(std::string_view key, uint64_t count, uint64_t each) {
    if (count > (kMaxKeyMemory - memory_) / each)
      return input_.error(Code::unsupported, input_.offset(),
                          "key " + printable(key) + ": the keys of the file take more than " +
                              std::to_string(kMaxKeyMemory >> 20) + " MiB",
                          kGgufBadWriter);
    memory_ += count * each;
    return Ok{};
  }

  template <class Stored, class Kept>
  Result<MetaValue> scalar(std::string_view key) {
    Stored stored{};
    if (!input_.read(stored)) return input_.cut_off("key " + printable(key));
    return MetaValue(static_cast<Kept>(stored));
  }

  Result<MetaValue> read_scalar(std::string_view key, uint32_t type) {
    const uint64_t at = input_.offset();
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
        if (!input_.read(value)) return input_.cut_off("key " + printable(key));
        if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
          return too_large(at, key, value);
        return MetaValue(static_cast<int64_t>(value));
      }
      case GgufValue::boolean: {
        uint8_t value = 0;
        if (!input_.read(value)) return input_.cut_off("key " + printable(key));
        if (value > 1)
          return input_.corrupt(at, "key " + printable(key) + ": a bool is neither 0 nor 1");
        return MetaValue(value == 1);
      }
      case GgufValue::string: {
        std::string_view text;
        if (!input_.read(text)) return input_.cut_off("the text of key " + printable(key));
        if (!text.empty()) TRY_OK(charge(key, 1, text.size()));
        return MetaValue(std::string(text));
      }
      default:
        return input_.corrupt(
            at - 4, "key " + printable(key) + " has unknown type " + std::to_string(type));
    }
  }

  Error too_large(uint64_t at, std::string_view key, uint64_t value) const {
    return input_.error(
        Code::unsupported, at,
        "key " + printable(key) + ": " + std::to_string(value) + " is above 2^63 - 1",
        kGgufBadWriter);
  }

  // Elements of one width; the count has been checked against the file.
  template <class Stored, class Kept>
  Result<MetaValue> elements(std::string_view key, uint64_t count) {
    if (count > input_.remaining() / sizeof(Stored)) return lying_count(key, count);
    TRY_OK(charge(key, count, sizeof(Kept)));
    std::vector<Kept> values(count);
    for (Kept& value : values) {
      const uint64_t at = input_.offset();
      Stored stored{};
      input_.read(stored);
      if constexpr (std::is_same_v<Stored, uint64_t>) {
        if (stored > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
          return too_large(at, key, stored);
      }
      value = static_cast<Kept>(stored);
    }
    return MetaValue(std::move(values));
  }

  Result<MetaValue> bools(std::string_view key, uint64_t count) {
    TRY(MetaValue value, (elements<uint8_t, int64_t>(key, count)));
    for (const int64_t v : std::get<std::vector<int64_t>>(value))
      if (v > 1)
        return input_.corrupt(input_.offset() - count,
                              "key " + printable(key) + ": a bool is neither 0 nor 1");
    return value;
  }

  Result<MetaValue> strings(std::string_view key, uint64_t count) {
    if (count > input_.remaining() / 8) return lying_count(key, count);
    TRY_OK(charge(key, count, sizeof(std::string)));
    const uint64_t begin = input_.offset();
    for (uint64_t i = 0; i < count; ++i) {
      std::string_view text;
      if (!input_.read(text))
        return input_.cut_off("element " + std::to_string(i) + " of key " + printable(key));
      if (text.size() > kInPlace) TRY_OK(charge(key, 1, text.size()));
    }
    return MetaValue(StringArray::view(input_.since(begin), count));
  }

  Error lying_count(std::string_view key, uint64_t count) const {
    return input_.corrupt(input_.offset() - 8, "key " + printable(key) + ": " +
                                                   std::to_string(count) +
                                                   " elements do not fit in the file");
  }

  Result<MetaValue> read_array(std::string_view key) {
    uint32_t type = 0;
    uint64_t count = 0;
    const uint64_t at = input_.offset();
    if (!input_.read(type) || !input_.read(count)) return input_.cut_off("key " + printable(key));
    switch (static_cast<GgufValue>(type)) {
      case GgufValue::u8:
        return elements<uint8_t, int64_t>(key, count);
      case GgufValue::i8:
        return elements<int8_t, int64_t>(key, count);
      case GgufValue::boolean:
        return bools(key, count);
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
        return input_.error(Code::unsupported, at, "key " + printable(key) + ": an array of arrays",
                            kGgufBadWriter);
      default:
        return input_.corrupt(
            at, "key " + printable(key) + ": elements of unknown type " + std::to_string(type));
    }
  }

  Result<Ok> check_known_keys() const {
    for (const KnownKey& known : kKnownKeys) {
      const auto entry = metadata_.entries.find(known.key);
      if (entry != metadata_.entries.end() && !known.fits(entry->second))
        return Error{Code::corrupt, "key " + printable(known.key) + " is not " + known.kind,
                     input_.name(), kGgufBadWriter};
    }
    return Ok{};
  }

  GgufInput& input_;
  Metadata metadata_;
  uint64_t memory_ = 0;
};

}  // namespace

Result<Metadata> read_gguf_keys(GgufInput& input, uint64_t n_keys) {
  return KeyReader(input).read(n_keys);
}

}  // namespace quern
