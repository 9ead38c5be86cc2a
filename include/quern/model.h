// A language model, loaded and ready to generate. The whole public C++ API: load, tokenize, chat,
// generate, embed.
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

#include "quern/chat.h"
#include "quern/counts.h"
#include "quern/embeddings.h"
#include "quern/generation.h"
#include "quern/numerics.h"
#include "quern/result.h"
#include "quern/stream.h"
#include "quern/tools.h"

namespace quern {

// Whether packed weights are kept in the user's cache, from where the next load maps them. They
// take about as much disk as the model.
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
  // The same prompt gives the same bits whatever was reused of earlier requests. Else what the
  // model wrote itself is reused as it was computed then, which differs in the last digits from
  // reading it. Costs the reuse of earlier answers.
  bool deterministic = false;
  // Folder in which cached prompts are kept for later runs with the same model and options; those
  // used last stay within prefix_bytes. Files hold keys and values of what was asked: keep the
  // folder as private as that. A bad file costs a note. Empty: in memory only.
  std::string prefix_folder;
  int64_t prefix_bytes = int64_t{16} << 30;
  // Draft model: a small model with the same vocabulary whose draft tokens are verified several at
  // a time where that is faster; no answer changes. Path as for load; empty: none. It takes the
  // memory of its weights and of a cache for as many tokens as the model's.
  std::string draft_model;
  int most_drafts = 16;  // draft tokens verified at a time for one answer, from any source; 0: none
  int max_waiting = 1024;  // answers in the queue, at most; more are refused
  bool tuning = true;      // uses the records of `quern tune`; results are the same
  PackedUse packed_cache = PackedUse::automatic;
  // Called with warnings, perhaps from a thread of the library; may be empty.
  std::function<void(const std::string&)> note;
  // Called from the loading thread with 0..1; may be empty.
  std::function<void(double done, std::string_view what)> progress;
  // The result of the compile step of this name ("all": every step) is passed to dump_out as text,
  // for developers. Empty: nothing.
  std::string dump;
  std::function<void(std::string_view step, std::string_view text)> dump_out;
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
  // unsupported, out_of_memory, invalid_argument (an option; a draft model with other tokens: names
  // both and what differs).
  static Result<Model> load(const std::string& path, const LoadOptions& options = {});

  const ModelInfo& info() const;

  // Never waits for a forward pass. n_waiting is of now, all else as the last one left it.
  EngineCounts counts() const;

  // `base` overridden by the model's files: general.sampling.* of a GGUF file, and a
  // generation_config.json beside it, which takes precedence. Invalid values were reported to
  // LoadOptions::note. generate does not apply this by itself.
  SamplingOptions sampling_defaults(const SamplingOptions& base = {}) const;

  // Text is taken byte for byte. special: control tokens typed in the text count as such.
  Result<std::vector<int32_t>> tokenize(std::string_view text, bool special = false) const;
  std::string detokenize(std::span<const int32_t> ids) const;
  std::string piece(int32_t id) const;  // the vocabulary's spelling
  // The bytes of one token inside a running text, perhaps a part of a character; of control tokens
  // none.
  std::string token_bytes(int32_t id) const;

  // The tokens of a conversation by the model's own template, ready for its answer. Control tokens
  // typed inside messages are plain text unless options.special. With tools the answer may be a
  // call of one, in the model's own notation, which read_answer reads. Errors: unsupported (no
  // template), invalid_argument (the template refused; a part of a message that is no text; a
  // call's arguments, tools or template_kwargs are not the JSON they should be).
  Result<std::vector<int32_t>> chat_prompt(std::span<const Message> messages,
                                           const ChatOptions& options = {}) const;
  Result<std::vector<int32_t>> chat_prompt(std::initializer_list<Message> messages,
                                           const ChatOptions& options = {}) const {
    return chat_prompt(std::span<const Message>(messages.begin(), messages.size()), options);
  }

  // Takes an answer to `prompt` (of chat_prompt, with the same tools) apart into text, reasoning
  // and calls. Without tools only reasoning is told apart. Ids of calls follow from `id_seed`; 0:
  // by chance. Errors: invalid_argument (tools).
  Result<AnswerReader> read_answer(std::span<const int32_t> prompt, const ToolOptions& options,
                                   uint64_t id_seed = 0) const;
  // A grammar (GenerateOptions::grammar) under which an answer to `prompt` uses tools as `options`
  // say, with arguments that fit; of kind `none` where nothing is to be held: without `required`,
  // names and strict tools, with parallel calls. Milliseconds for each tool. Errors:
  // invalid_argument (tools, a name that is no tool's), unsupported (what a strict tool's schema
  // asks for and cannot be enforced: names both).
  Result<GrammarSpec> tool_grammar(std::span<const int32_t> prompt,
                                   const ToolOptions& options) const;

  // Generates after `prompt`. on_delta (may be empty) is called from the calling thread as tokens
  // come, without a lock, so it may use the model; returning false stops with Finish::cancelled,
  // and it must not throw. What the prompt shares with a call that has finished need not be
  // computed again (Timings::cached_n). Errors: invalid_argument (empty prompt, id out of range,
  // option out of range), context_too_long (the prompt is: names both), queue_full (as many wait as
  // LoadOptions::max_waiting says), corrupt: logits contain NaN or Inf.
  Result<Generation> generate(std::span<const int32_t> prompt, const GenerateOptions& options = {},
                              const std::function<bool(const Delta&)>& on_delta = {}) const;

  // Begins options.n answers and returns at once: what can be checked of a request is checked on
  // this thread, and no forward pass is waited for. Each answer is read from its Stream, by any
  // thread; an error that only comes up later is its result.
  // Errors: as generate.
  Result<std::vector<Stream>> submit(std::span<const int32_t> prompt,
                                     const GenerateOptions& options = {}) const;

  // Writes what is cached of `tokens` (a conversation so far) to a file; returns how many of them
  // that are. Errors: invalid_argument, unavailable (disk full, no folder).
  Result<int> save_session(const std::string& path, std::span<const int32_t> tokens,
                           const std::string& cache_salt = "") const;
  // Reads such a file into the cache, so that a prompt which begins with the tokens it returns need
  // not be computed again. Errors: not_found, corrupt, unsupported (another model, numerics or
  // kind of cache), out_of_memory; the model goes on unchanged.
  Result<std::vector<int32_t>> load_session(const std::string& path) const;

  // Teacher-forced pass over `tokens` in one sequence: on_logits(i, logits after token i), i
  // ascending, (n_vocab) each, valid during the call; returning false stops with Code::cancelled.
  // chunk: tokens per forward pass; 0: as many as fit. The first n_prompt tokens are read as a
  // prompt: logits come from the last of them on; 0: from the first token on, as if all were
  // generated. on_logits must not use the model: other calls wait until the pass is over.
  Result<> score(std::span<const int32_t> tokens, int chunk,
                 const std::function<bool(int64_t, std::span<const float>)>& on_logits,
                 int64_t n_prompt = 0) const;

  // A vector of each text, see embeddings.h; strings are tokenized as tokenize does. Many texts in
  // one call share forward passes; a vector's bits depend on its text alone. Generation from other
  // threads goes on between passes, but for a text longer than LoadOptions::max_batch, which is
  // read in one go. Errors: invalid_argument (an empty text, an id out of range: the text is named
  // by its number from 0; dimensions), context_too_long (a text is: names both), out_of_memory,
  // unsupported (the file's own pooling), cancelled, corrupt: hidden states contain NaN or Inf.
  Result<Embeddings> embed(std::span<const std::vector<int32_t>> texts,
                           const EmbedOptions& options = {}) const;
  Result<Embeddings> embed(std::span<const std::string> texts,
                           const EmbedOptions& options = {}) const;

 private:
  struct State;
  explicit Model(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace quern
