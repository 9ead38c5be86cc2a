#include "api/random_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <new>
#include <tuple>

#include "base/same_name.h"
#include "quant/format.h"

namespace quern {

namespace {

// The parts of a layer beside the matrices and norms of a Llama.
enum class Kind { llama, qwen2, bitnet };
struct KindInfo {
  const char* architecture;
  std::vector<const char*> biases, norms;  // norms: of the widths of attention and of the MLP
};
const KindInfo kKinds[] = {
    {"llama", {}, {}},
    {"qwen2", {"attn_q", "attn_k", "attn_v"}, {}},
    {"bitnet-b1.58", {}, {"attn_sub_norm", "ffn_sub_norm"}},
};

// From the models' own config.json on Hugging Face.
struct Shape {
  std::string_view name;
  int64_t n_vocab, n_layers, width, ffn, n_heads, n_kv_heads, head_dim, context;
  double rope_theta;
  bool tied_head;
  Kind kind = Kind::llama;
  double epsilon = 1e-5;

  const KindInfo& info() const { return kKinds[static_cast<int>(kind)]; }
};

constexpr Shape kShapes[] = {
    {"smollm2-135m", 49152, 30, 576, 1536, 9, 3, 64, 8192, 100000, true},
    {"smollm2-360m", 49152, 32, 960, 2560, 15, 5, 64, 8192, 100000, true},
    {"smollm2-1.7b", 49152, 24, 2048, 8192, 32, 32, 64, 8192, 130000, true},
    {"tinyllama-1.1b", 32000, 22, 2048, 5632, 32, 4, 64, 2048, 10000, false},
    {"llama-3.2-1b", 128256, 16, 2048, 8192, 32, 8, 64, 131072, 500000, true},
    {"qwen2.5-1.5b", 151936, 28, 1536, 8960, 12, 2, 128, 32768, 1e6, true, Kind::qwen2, 1e-6},
    {"bitnet-2b-4t", 128256, 30, 2560, 6912, 20, 5, 128, 4096, 500000, true, Kind::bitnet},
    {"llama-3.2-3b", 128256, 28, 3072, 8192, 24, 8, 128, 131072, 500000, true},
    {"llama-2-7b", 32000, 32, 4096, 11008, 32, 32, 128, 4096, 10000, false},
    {"mistral-7b", 32768, 32, 4096, 14336, 32, 8, 128, 32768, 1000000, false},
    {"llama-3.1-8b", 128256, 32, 4096, 14336, 32, 8, 128, 131072, 500000, false},
};

template <class Names>
std::string joined(const Names& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

// xorshift64*: Marsaglia 2003, Vigna 2016. Enough for noise.
class Noise {
 public:
  float next() {  // uniform in [-1, 1)
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    const auto bits = static_cast<int32_t>((state_ * 2685821657736338717ull) >> 40);  // 24 bits
    return static_cast<float>(bits) * 0x1p-23f - 1.0f;
  }

 private:
  uint64_t state_ = 0x9e3779b97f4a7c15ull;
};

class RandomModel : public WeightSource {
 public:
  const std::string& path() const override { return path_; }
  std::string_view format() const override { return "random"; }
  const std::string& architecture() const override { return architecture_; }
  const Metadata& metadata() const override { return metadata_; }
  std::span<const Weight> weights() const override { return weights_; }
  int64_t file_bytes() const override { return bytes_; }

  using Report = std::function<void(double done, std::string_view what)>;
  static Result<std::unique_ptr<WeightSource>> make(const Shape& shape, const Format& format,
                                                    const Format& head, const Report& progress);

 private:
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete[](memory, std::align_val_t{64}); }
  };
  using Block = std::unique_ptr<std::byte[], Free>;

  void describe(const Shape& shape);
  Result<> add_all(const Shape& shape, const Format& format, const Format& head,
                   const Report& progress);
  Result<> add_layer(const Shape& shape, const std::string& layer, const Format& format);
  Result<> add_matrix(const std::string& name, int64_t n_out, int64_t n_in, const Format& format);
  Result<> add_vector(const std::string& name, int64_t n, float value);
  const std::vector<std::byte>& noise(const Format& format, int64_t n_out, int64_t n_in,
                                      int64_t bytes);
  Result<std::byte*> lend(const std::string& name, Dtype dtype, std::vector<int64_t> dims,
                          int64_t bytes);

  std::string path_, architecture_;
  Metadata metadata_;
  std::vector<Weight> weights_;
  std::vector<Block> memory_;
  // What matrices are filled from, by format; of formats that are laid out over the whole tensor,
  // by shape as well.
  std::map<std::tuple<Dtype, int64_t, int64_t>, std::vector<std::byte>> patterns_;
  int64_t bytes_ = 0;
  Noise noise_;
};

void RandomModel::describe(const Shape& shape) {
  architecture_ = shape.info().architecture;
  auto& keys = metadata_.entries;
  keys["general.architecture"] = architecture_;
  keys["general.name"] = path_;
  const std::string of = architecture_ + ".";
  keys[of + "block_count"] = shape.n_layers;
  keys[of + "embedding_length"] = shape.width;
  keys[of + "feed_forward_length"] = shape.ffn;
  keys[of + "attention.head_count"] = shape.n_heads;
  keys[of + "attention.head_count_kv"] = shape.n_kv_heads;
  keys[of + "attention.key_length"] = shape.head_dim;
  keys[of + "attention.value_length"] = shape.head_dim;
  keys[of + "attention.layer_norm_rms_epsilon"] = shape.epsilon;
  keys[of + "context_length"] = shape.context;
  keys[of + "rope.dimension_count"] = shape.head_dim;
  keys[of + "rope.freq_base"] = shape.rope_theta;
  keys[of + "vocab_size"] = shape.n_vocab;
}

Result<std::byte*> RandomModel::lend(const std::string& name, Dtype dtype,
                                     std::vector<int64_t> dims, int64_t bytes) {
  auto* memory = static_cast<std::byte*>(
      ::operator new[](static_cast<size_t>(bytes), std::align_val_t{64}, std::nothrow));
  if (!memory)
    return Error{Code::out_of_memory, "random weights do not fit in memory", path_,
                 "choose a smaller shape or a format of fewer bits"};
  memory_.emplace_back(memory);
  weights_.push_back({name, dtype, std::move(dims), {memory, static_cast<size_t>(bytes)}});
  bytes_ += bytes;
  return memory;
}

// Making noise for billions of weights would take minutes, so about 2^18 weights are made once and
// laid down again and again, each time from another block on. Formats that are laid out over the
// whole tensor are written whole, once per shape.
const std::vector<std::byte>& RandomModel::noise(const Format& format, int64_t n_out, int64_t n_in,
                                                 int64_t bytes) {
  const bool whole = info(format.dtype).bytes == 0;
  constexpr int64_t kPattern = int64_t{1} << 18;
  auto& pattern = patterns_[{format.dtype, whole ? n_out : 0, whole ? n_in : 0}];
  if (!pattern.empty()) return pattern;
  // Keeps activations near 1 in the first layer's width; the norms do the rest.
  const float scale = std::sqrt(3.0f / static_cast<float>(n_in));
  std::vector<float> values(static_cast<size_t>(whole ? n_out * n_in : kPattern));
  for (float& value : values) value = scale * noise_.next();
  if (!whole) bytes = kPattern / info(format.dtype).block * info(format.dtype).bytes;
  pattern.resize(static_cast<size_t>(bytes));
  format.encode(values.data(), std::ssize(values), pattern.data());
  return pattern;
}

Result<> RandomModel::add_matrix(const std::string& name, int64_t n_out, int64_t n_in,
                                 const Format& format) {
  const int64_t bytes = matrix_bytes(format.dtype, n_out, n_in);
  if (bytes < 0)
    return Error{Code::unsupported,
                 "rows of " + std::to_string(n_in) + " weights are not a whole number of " +
                     std::string(info(format.dtype).name) + " blocks",
                 path_ + ", " + name, "choose another --quant, e.g. q4_0 or q8_0"};
  TRY(std::byte * out, lend(name, format.dtype, {n_out, n_in}, bytes));
  const std::vector<std::byte>& pattern = noise(format, n_out, n_in, bytes);
  const int64_t size = std::ssize(pattern), block = info(format.dtype).bytes;
  int64_t from = std::ssize(weights_) * 37 * block % size;
  for (int64_t done = 0; done < bytes;) {
    const int64_t n = std::min(bytes - done, size - from);
    std::memcpy(out + done, pattern.data() + from, static_cast<size_t>(n));
    done += n;
    from = (from + n + 11 * block) % size;
  }
  return Ok{};
}

Result<> RandomModel::add_vector(const std::string& name, int64_t n, float value) {
  TRY(std::byte * out, lend(name, Dtype::f32, {n}, n * 4));
  const std::vector<float> values(static_cast<size_t>(n), value);
  std::memcpy(out, values.data(), values.size() * sizeof(float));
  return Ok{};
}

Result<> RandomModel::add_layer(const Shape& s, const std::string& layer, const Format& format) {
  const int64_t q = s.n_heads * s.head_dim, kv = s.n_kv_heads * s.head_dim;
  const struct {
    std::string_view name;
    int64_t n_out, n_in;
  } matrices[] = {{"attn_q", q, s.width},       {"attn_k", kv, s.width},
                  {"attn_v", kv, s.width},      {"attn_output", s.width, q},
                  {"ffn_gate", s.ffn, s.width}, {"ffn_up", s.ffn, s.width},
                  {"ffn_down", s.width, s.ffn}};
  for (const auto& m : matrices) {
    TRY_OK(add_matrix(layer + std::string(m.name) + ".weight", m.n_out, m.n_in, format));
    for (const char* biased : s.info().biases)
      if (m.name == biased) TRY_OK(add_vector(layer + biased + ".bias", m.n_out, 0.1f));
  }
  TRY_OK(add_vector(layer + "attn_norm.weight", s.width, 1));
  TRY_OK(add_vector(layer + "ffn_norm.weight", s.width, 1));
  int64_t width = q;
  for (const char* norm : s.info().norms) {
    TRY_OK(add_vector(layer + norm + ".weight", width, 1));
    width = s.ffn;
  }
  return Ok{};
}

Result<> RandomModel::add_all(const Shape& s, const Format& format, const Format& head,
                              const Report& progress) {
  TRY_OK(add_matrix("token_embd.weight", s.n_vocab, s.width, head));
  if (!s.tied_head) TRY_OK(add_matrix("output.weight", s.n_vocab, s.width, head));
  TRY_OK(add_vector("output_norm.weight", s.width, 1));
  for (int64_t i = 0; i < s.n_layers; ++i) {
    if (progress)
      progress(static_cast<double>(i) / static_cast<double>(s.n_layers), "making random weights");
    TRY_OK(add_layer(s, "blk." + std::to_string(i) + ".", format));
  }
  patterns_.clear();
  std::sort(weights_.begin(), weights_.end(),
            [](const Weight& a, const Weight& b) { return a.name < b.name; });
  return Ok{};
}

Result<std::unique_ptr<WeightSource>> RandomModel::make(const Shape& shape, const Format& format,
                                                        const Format& head,
                                                        const Report& progress) {
  auto model = std::make_unique<RandomModel>();
  model->path_ = std::string(shape.name) + " " + std::string(info(format.dtype).name) +
                 (&head == &format ? "" : "+" + std::string(info(head.dtype).name)) + " (random)";
  model->describe(shape);
  try {
    TRY_OK(model->add_all(shape, format, head, progress));
  } catch (const std::bad_alloc&) {
    return Error{Code::out_of_memory, "random weights do not fit in memory", model->path_,
                 "choose a smaller shape"};
  }
  return std::unique_ptr<WeightSource>(std::move(model));
}

}  // namespace

std::vector<std::string_view> shape_names() {
  std::vector<std::string_view> names;
  for (const Shape& shape : kShapes) names.push_back(shape.name);
  return names;
}

std::vector<std::string_view> random_format_names() {
  std::vector<std::string_view> names;
  for (const Format* format : formats())
    if (format->encode) names.push_back(info(format->dtype).name);
  return names;
}

namespace {

Result<const Format*> find_writable(std::string_view name) {
  for (const Format* format : formats())
    if (format->encode && same_name(info(format->dtype).name, name)) return format;
  return Error{Code::invalid_argument,
               "'" + std::string(name) + "' is not a format for random weights",
               {},
               "there are: " + joined(random_format_names())};
}

bool is_ternary(Dtype dtype) {
  constexpr Dtype kTernary[] = {Dtype::tq1_0, Dtype::tq2_0, Dtype::i2_s, Dtype::tl1, Dtype::tl2};
  return std::find(std::begin(kTernary), std::end(kTernary), dtype) != std::end(kTernary);
}

}  // namespace

Result<std::unique_ptr<WeightSource>> random_model(
    std::string_view shape, const RandomFormats& formats,
    const std::function<void(double done, std::string_view what)>& progress) {
  const auto* row = std::find_if(std::begin(kShapes), std::end(kShapes),
                                 [&](const Shape& s) { return same_name(s.name, shape); });
  if (row == std::end(kShapes))
    return Error{Code::invalid_argument,
                 "'" + std::string(shape) + "' is not a known shape",
                 {},
                 "there are: " + joined(shape_names())};
  TRY(const Format* format, find_writable(formats.format));
  const Format* head = format;
  if (!formats.head.empty()) {
    TRY(head, find_writable(formats.head));
  } else if (is_ternary(format->dtype)) {
    TRY(head, find_writable("q6_k"));
  }
  return RandomModel::make(*row, *format, *head, progress);
}

}  // namespace quern
