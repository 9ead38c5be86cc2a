// A language model, loaded and ready to generate. The whole public C++ API: load, tokenize, chat,
// generate.
//
//   auto model = quern::Model::load("smollm2.gguf");
//   if (!model) { std::cerr << quern::to_string(model.error()) << '\n'; return 1; }
//   auto prompt = model->chat_prompt({{"user", "What is the capital of France?"}});
//   auto answer = model->generate(*prompt, {.max_tokens = 64}, [](const quern::Delta& d) {
//     std::cout << d.text << std::flush;
//     return true;
//   });
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "quern/result.h"

namespace quern {

// How exactly a row of activations is multiplied. It follows from the row's role, never from its
// company: rows whose logits are used (generated tokens, the last one of a prompt), and other rows
// of a prompt.
enum class Numerics : uint8_t {
  exact,      // weights decoded to f32, activations and cache f32, plain order: slow, the oracle
  fine,       // int8 in two terms throughout: as good as f32 activations
  automatic,  // prompts in one term, but their keys and values, and rows that are used, in two
  fast,       // one term throughout: the most throughput in a crowd
};
const char* name(Numerics numerics);  // "exact", "fine", "auto", "fast"

// What keys and values are kept in. Exact numerics keep f32.
enum class KvKind : uint8_t {
  automatic,  // f16 for Numerics::fine, else bf16
  bf16,       // the fastest
  f16,        // as good as f32; attention computes in f32
  int8,       // half the memory; 8.25 bits a number, keys rotated
  int4,       // 5 bits a number; clearly coarser, most of all in small models
};
const char* name(KvKind kind);  // "auto", "bf16", "f16", "int8", "int4"

// Whether weights in the form that kernels read are kept in the user's cache, where the next load
// maps them instead of making them again. It takes about as much of the disk as the model.
enum class PackedUse : uint8_t {
  automatic,  // used; kept where packing took longer than 0.1 s
  on,         // always
  off,        // neither used nor kept
};
const char* name(PackedUse use);  // "auto", "on", "off"

struct LoadOptions {
  int threads = 0;  // 0: one per core this process may use
  Numerics numerics = Numerics::automatic;
  KvKind kv = KvKind::automatic;
  int64_t context =
      0;  // tokens the cache holds, all sequences together; 0: the model's own, at most 8192
  int max_batch = 512;  // rows of one forward pass
  std::string isa;      // "avx2": instruction set to use; empty: the best one here
  // Where threads stay: "none" (the system decides), "cores" (each on a core of its own) or CPUs by
  // number, "0-3,8". A thread that generates is pinned too.
  std::string pin = "none";
  bool tuning = true;  // with what `quern tune` found for this machine; results are the same
  PackedUse packed_cache = PackedUse::automatic;
  // Called, perhaps from a thread of the library, with what is worth knowing but stops nothing; may
  // be empty.
  std::function<void(const std::string&)> note;
  // Called from the loading thread with 0..1; may be empty.
  std::function<void(double done, std::string_view what)> progress;
  // After the compile step of this name ("all": every step) its result goes to dump_out as text,
  // for whoever works on Quern. Empty: nothing.
  std::string dump;
  std::function<void(std::string_view step, std::string_view text)> dump_out;
};

struct SamplingOptions {
  float temperature = 0.8f;  // 0: the most likely token
  int top_k = 40;            // 0: all
  float top_p = 0.95f;       // 1: all
  float min_p = 0.05f;       // 0: all
  float repeat_penalty = 1;  // of tokens among the last `penalty_window`; 1: none
  float presence_penalty = 0;
  float frequency_penalty = 0;
  int penalty_window = 64;  // tokens; 0: none, -1: the whole sequence
  uint64_t seed = 0;        // the same seed and request give the same text, alone or in a crowd
};

struct GenerateOptions {
  int max_tokens = -1;  // -1: until the model stops or the context is full
  SamplingOptions sampling;
  std::vector<std::string> stop;  // generation ends before the first of these; they may span tokens
  bool ignore_eos = false;        // for benchmarks
};

// A piece of a running answer. text is whole UTF-8 characters; tokens whose text is still held back
// (half a character, the beginning of a stop string) come with empty text, which follows later.
struct Delta {
  std::string_view text;
  std::span<const int32_t> ids;
};

struct Timings {
  int prompt_n = 0;         // prompt tokens computed
  int cached_n = 0;         // prompt tokens taken from an earlier call
  int predicted_n = 0;      // tokens generated
  double prompt_ms = 0;     // from the first row of the prompt to the first token
  double predicted_ms = 0;  // from the first token to the end: predicted_n - 1 tokens
};

enum class Finish : uint8_t { stop, length, cancelled };
const char* name(Finish finish);  // "stop", "length", "cancelled"

struct Generation {
  std::vector<int32_t> ids;  // generated tokens, without the one that ended the turn
  std::string text;
  Finish finish = Finish::stop;
  Timings timings;
};

struct Message {
  std::string role, content;
};

struct ModelInfo {
  std::string path, format, architecture, name;
  int n_vocab = 0, n_layers = 0, width = 0, context = 0;
  int64_t file_bytes = 0, n_parameters = 0;
  bool has_chat_template = false;
};

// A handle: copies are cheap and share the model. All members are thread-safe; calls of generate
// from several threads run as one batch.
class Model {
 public:
  // path: a GGUF file, the first of its shards, or a folder with one. Errors: not_found, corrupt,
  // unsupported, out_of_memory, invalid_argument (an option).
  static Result<Model> load(const std::string& path, const LoadOptions& options = {});

  const ModelInfo& info() const;

  // Text is taken byte for byte. special: control tokens typed in the text count as such.
  Result<std::vector<int32_t>> tokenize(std::string_view text, bool special = false) const;
  std::string detokenize(std::span<const int32_t> ids) const;
  std::string piece(int32_t id) const;  // the vocabulary's spelling

  // The tokens of a conversation by the model's own template, ready for its answer. Control tokens
  // typed inside messages are plain text unless `special`. Errors: unsupported (no template),
  // invalid_argument (the template refused).
  Result<std::vector<int32_t>> chat_prompt(std::span<const Message> messages,
                                           bool special = false) const;
  Result<std::vector<int32_t>> chat_prompt(std::initializer_list<Message> messages) const {
    return chat_prompt(std::span<const Message>(messages.begin(), messages.size()));
  }

  // Generates after `prompt`. on_delta (may be empty) is called from the calling thread as tokens
  // come, without a lock, so it may use the model; returning false stops with Finish::cancelled,
  // and it must not throw. What the prompt shares with a call that has finished need not be
  // computed again (Timings::cached_n). Errors: invalid_argument (empty prompt, id out of range,
  // option out of range), out_of_memory (prompt longer than the context: names both), corrupt (the
  // model's logits are not numbers).
  Result<Generation> generate(std::span<const int32_t> prompt, const GenerateOptions& options = {},
                              const std::function<bool(const Delta&)>& on_delta = {}) const;

  // Teacher-forced pass over `tokens` in one sequence: on_logits(i, logits after token i), i
  // ascending, (n_vocab) each, valid during the call; returning false stops with Code::cancelled.
  // chunk: tokens per forward pass; 0: as many as fit. The first n_prompt tokens are read as a
  // prompt: logits come from the last of them on; 0: from the first token on, as if all were
  // generated. on_logits must not use the model: other calls wait until the pass is over.
  Result<> score(std::span<const int32_t> tokens, int chunk,
                 const std::function<bool(int64_t, std::span<const float>)>& on_logits,
                 int64_t n_prompt = 0) const;

 private:
  struct State;
  explicit Model(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace quern
