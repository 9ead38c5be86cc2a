// Where the layers meet: file -> tokenizer, template, executor -> engine -> the public API.
#include "quern/model.h"

#include <algorithm>
#include <future>
#include <mutex>
#include <new>
#include <random>
#include <system_error>

#include "api/answer_forms.h"
#include "api/answer_reader.h"
#include "api/end_tokens.h"
#include "api/generation_defaults.h"
#include "api/grammar_constraint.h"
#include "api/keep_later.h"
#include "api/known_models.h"
#include "api/load_text.h"
#include "api/make_embeddings.h"
#include "api/packed_keeper.h"
#include "api/reasoning.h"
#include "api/same_tokens.h"
#include "api/stop_tokens.h"
#include "api/stream_state.h"
#include "api/user_cache.h"
#include "api/vocabulary_from_gguf.h"
#include "backend/packed_cache.h"
#include "base/threads.h"
#include "compile/compile.h"
#include "compile/targets.h"
#include "engine/engine_thread.h"
#include "formats/weight_source.h"
#include "models/config.h"
#include "options/check.h"
#include "tuning/recorded.h"

namespace quern {
namespace {

constexpr int64_t kDefaultContext = 8192;  // tokens; the cache of a larger one costs memory

ModelInfo describe(const WeightSource& source, const Config& config) {
  ModelInfo info;
  info.path = source.path();
  info.format = source.format();
  info.architecture = source.architecture();
  info.name = source.metadata().text("general.name").value_or("");
  info.n_vocab = config.n_vocab;
  info.n_layers = config.n_layers;
  info.width = config.width;
  info.context = config.context;
  info.file_bytes = source.file_bytes();
  for (const Weight& weight : source.weights())
    info.n_parameters += weight.n_rows() * weight.n_cols();
  return info;
}

// Tokens the cache holds.
int64_t cache_tokens(const LoadOptions& options, const Config& config) {
  if (options.context > 0) return options.context;
  return config.context > 0 ? std::min<int64_t>(config.context, kDefaultContext) : kDefaultContext;
}

// Tokens of one sequence at most: no more than the cache holds, also where every layer has a window
// and could go on.
int context_of(const Executor& executor, const LoadOptions& options, const Config& config) {
  const int64_t page = executor.page_tokens();
  const int64_t held = (cache_tokens(options, config) + page - 1) / page * page;
  const int64_t own = config.context > 0 ? config.context : INT32_MAX;
  return static_cast<int>(std::min(own, held));
}

std::string packed_folder(const LoadOptions& options) {
  return options.packed_cache == PackedUse::off ? "" : packed_cache_folder();
}

// Nobody asked for the cache where it is automatic: that it cannot be written is no news then.
std::unique_ptr<PackedKeeper> make_keeper(const LoadOptions& options, PackedContents contents,
                                          double seconds) {
  constexpr double kNoticeable = 0.1;
  const bool always = options.packed_cache == PackedUse::on;
  if (!always && seconds < kNoticeable) return nullptr;
  return std::make_unique<PackedKeeper>(packed_folder(options), std::move(contents), always,
                                        always ? options.note : nullptr);
}

// As above: a failure is no news unless the cache was asked for.
std::unique_ptr<KeepLater> keep_tokenizer(std::optional<TokenizerToKeep> made,
                                          const LoadOptions& options) {
  if (!made) return nullptr;
  const auto note = options.packed_cache == PackedUse::on ? options.note : nullptr;
  return std::make_unique<KeepLater>([made = std::move(*made), note] {
    const Result<> kept = made.keep();
    if (!kept && note) note("the tokenizer is not kept: " + to_string(kept.error()));
  });
}

CompileOptions compile_options(const LoadOptions& options, const Config& config) {
  std::string warning;
  const Target& target = default_target();
  auto tuning = options.tuning
                    ? recorded_tuning(target, tuning_path(),
                                      tuning_key(target, options.isa, options.threads), warning)
                    : nullptr;
  if (!warning.empty() && options.note) options.note(warning);
  return CompileOptions{.threads = options.threads,
                        .numerics = options.numerics,
                        .kv = options.kv,
                        .max_rows = options.max_batch,
                        .cache_tokens = cache_tokens(options, config),
                        .pin = options.pin,
                        .isa = options.isa,
                        .tuning = std::move(tuning),
                        .progress = options.progress,
                        .packed_folder = packed_folder(options),
                        .note = options.note,
                        .dump = options.dump,
                        .dump_out = options.dump_out};
}

// Null: none is asked for.
Result<std::shared_ptr<const WeightSource>> open_draft(const LoadOptions& options) {
  if (options.draft_model.empty()) return std::shared_ptr<const WeightSource>();
  TRY(auto source, open_model(options.draft_model));
  return std::shared_ptr<const WeightSource>(std::move(source));
}

// An executor and what may be kept of its packed weights.
struct Compiled {
  std::unique_ptr<Executor> executor;
  std::unique_ptr<PackedKeeper> keeper;
};

Result<Compiled> compile_and_keep(const std::shared_ptr<const WeightSource>& source,
                                  const Config& config, const LoadOptions& options,
                                  CompileOptions for_compiler) {
  Compiled made;
  for_compiler.packed = [&](PackedContents contents, double seconds) {
    made.keeper = make_keeper(options, std::move(contents), seconds);
  };
  TRY(made.executor, compile(source, config, for_compiler));
  return made;
}

// In the coarsest numerics, since its guesses are checked; every text that fits the model's cache
// fits its own.
Result<Compiled> compile_draft(const std::shared_ptr<const WeightSource>& source,
                               const Config& config, const LoadOptions& options,
                               CompileOptions for_compiler) {
  for_compiler.numerics = Numerics::fast;
  for_compiler.kv = KvKind::automatic;
  for_compiler.progress = {};
  for_compiler.dump.clear();
  return compile_and_keep(source, config, options, std::move(for_compiler));
}

// Null: not asked for, or the weights cannot be told from others.
std::shared_ptr<PrefixStore> make_store(const LoadOptions& options, const std::string& identity,
                                        const Executor& executor) {
  if (options.prefix_folder.empty()) return nullptr;
  if (identity.empty()) {
    if (options.note) options.note("prompts are not kept on disk: the model has just been written");
    return nullptr;
  }
  return std::make_shared<PrefixStore>(
      PrefixStoreOptions{.folder = options.prefix_folder,
                         .identity = page_identity(identity, executor),
                         .most_bytes = options.prefix_bytes,
                         .note = options.note,
                         .hash = {},
                         .write = {}});
}

std::vector<int32_t> all_end_ids(const Vocabulary& vocabulary, const GenerationDefaults& defaults) {
  std::vector<int32_t> ids;
  for (const EndToken& end : all_ends(vocabulary, defaults)) ids.push_back(end.id);
  return ids;
}

}  // namespace

// A file without a usable tokenizer or template still computes: what is missing is said when it is
// asked for.
struct Model::State {
  State(ModelInfo described, const WeightSource& source, const Result<Vocabulary>& vocabulary,
        GenerationDefaults wanted, const LoadOptions& options, std::vector<std::string>& notes)
      : info(std::move(described)),
        defaults(std::move(wanted)),
        tokenizer(vocabulary ? make_tokenizer(source, *vocabulary, &notes, packed_folder(options),
                                              &tokenizer_to_keep)
                             : vocabulary.error()),
        chat_template(vocabulary ? make_chat_template(source, *vocabulary) : vocabulary.error()),
        ends(vocabulary ? all_end_ids(*vocabulary, defaults) : std::vector<int32_t>()),
        grammars(tokenizer, ends),
        stop_tokens(tokenizer),
        pooling(pooling_of(source)),
        tokenizer_keeper(keep_tokenizer(std::move(tokenizer_to_keep), options)) {}

  static Result<Model> load(const std::string& path, const LoadOptions& options);

  struct Asked {
    Request request;
    std::vector<std::string> notes;  // of its answers
  };
  // Compiling a grammar is done here, on the caller's thread.
  Result<Asked> ask(std::span<const int32_t> prompt, const GenerateOptions& options) {
    TRY_OK(options::check(options));
    TRY(Grammars::Made grammar, grammars.make(options.grammar));
    TRY(auto budget, reasoning_budget(tokenizer, options.reasoning, prompt));
    return Asked{{.prompt = {prompt.begin(), prompt.end()},
                  .embeddings = {},
                  .options = options,
                  .constraint = std::move(grammar.constraint),
                  .reasoning = std::move(budget),
                  .stop_tokens = stop_tokens.of(options.stop)},
                 std::move(grammar.notes)};
  }

  // Worked out when it is first asked for: it may render the template.
  const AnswerForms& answer_forms() {
    std::call_once(forms_made, [&] { forms = quern::answer_forms(chat_template); });
    return forms;
  }
  bool opens_reasoning(std::span<const int32_t> prompt) {
    return tokenizer && prompt_opens_reasoning(*tokenizer, prompt, answer_forms().reasoning);
  }

  ModelInfo info;
  GenerationDefaults defaults;
  std::optional<TokenizerToKeep> tokenizer_to_keep;  // until there is a keeper
  Result<Tokenizer> tokenizer;
  Result<ChatTemplate> chat_template;
  std::once_flag forms_made;
  AnswerForms forms;
  std::vector<int32_t> ends;
  Grammars grammars;
  StopTokens stop_tokens;
  Result<Pooling> pooling;                      // of embeddings, as the file says
  Compiled compiled, draft;                     // an executor keeps its file; draft: perhaps none
  std::unique_ptr<KeepLater> tokenizer_keeper;  // perhaps none
  std::unique_ptr<EngineThread> engine;         // uses the executors

  // Keeping may begin: the first answer is out.
  template <class T>
  T after_answer(T result) const {
    for (const Compiled* one : {&compiled, &draft})
      if (one->keeper) one->keeper->start();
    if (tokenizer_keeper) tokenizer_keeper->start();
    return result;
  }
};

namespace {

// What a load throws, as an error.
Error refused_load(const std::string& path) {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return {Code::out_of_memory, "memory ran out while the model was loaded", path,
            "use a smaller model or context, or close other programs"};
  } catch (const std::system_error& error) {
    return {Code::unavailable, std::string("cannot start a thread: ") + error.what(), path,
            "raise the limit on processes"};
  }
}

}  // namespace

Result<Model> Model::load(const std::string& path, const LoadOptions& options) {
  try {
    return State::load(path, options);
  } catch (...) {
    return refused_load(path);
  }
}

Result<Model> Model::State::load(const std::string& path, const LoadOptions& options) {
  TRY_OK(options::check(options::schema().load, options));
  TRY(std::shared_ptr<const WeightSource> source, open_model(path, options.note));
  TRY(const std::shared_ptr<const WeightSource> draft, open_draft(options));
  TRY(const Config config, read_config(*source));
  CompileOptions for_compiler = compile_options(options, config);
  if (options.packed_cache == PackedUse::on && for_compiler.packed_folder.empty() && options.note)
    options.note("packed weights are not kept: there is no folder for them");
  std::vector<std::string> notes;
  auto defaults = GenerationDefaults::read(source->metadata(), source->path(), notes);
  // A large vocabulary takes as long as packing the weights: both at once.
  const auto read_text = [&]() -> Result<std::shared_ptr<State>> {
    const Result<Vocabulary> vocabulary = read_vocabulary(*source, &notes);
    if (!vocabulary && vocabulary.error().code != Code::not_found) return vocabulary.error();
    if (draft) TRY_OK(check_same_tokens(*source, vocabulary, *draft));
    return std::make_shared<State>(describe(*source, config), *source, vocabulary,
                                   std::move(defaults), options, notes);
  };
  auto text = start_thread([&] { return std::async(std::launch::async, read_text); });
  if (draft) {
    TRY(for_compiler.pool, start_pool(for_compiler));  // one of the two works at a time
  }
  auto compiled = compile_and_keep(source, config, options, for_compiler);
  const auto made = text.get();
  if (options.note) std::ranges::for_each(notes, options.note);
  TRY(const std::shared_ptr<State> state, made);
  if (!compiled) return compiled.error();
  state->compiled = std::move(*compiled);
  int draft_context = 0;
  if (draft) {
    TRY(const Config draft_config, read_config(*draft));
    TRY(state->draft, compile_draft(draft, draft_config, options, for_compiler));
    draft_context = draft_config.context;
    if (state->draft.executor->states().n_slots > 0) {
      return Error{Code::unsupported, "a draft model with recurrent layers", options.draft_model,
                   "choose a draft model whose layers all attend"};
    }
  }
  state->info.has_chat_template = static_cast<bool>(state->chat_template);
  const auto bytes = [&tokenizer = state->tokenizer](int32_t id) {
    return tokenizer ? tokenizer->bytes(id, false) : std::string();
  };
  const std::string identity = packed_key(*source).value_or("");
  Executor& executor = *state->compiled.executor;
  state->engine = std::make_unique<EngineThread>(
      executor, EngineOptions{.end_ids = state->ends,
                              .token_bytes = bytes,
                              .context = context_of(executor, options, config),
                              .max_waiting = options.max_waiting,
                              .deterministic = options.deterministic,
                              .store = make_store(options, identity, executor),
                              .model = identity,
                              .draft = state->draft.executor.get(),
                              .draft_context = draft_context,
                              .most_drafts = options.most_drafts});
  return Model(state);
}

const ModelInfo& Model::info() const { return state_->info; }

EngineCounts Model::counts() const { return state_->engine->counts(); }

SamplingOptions Model::sampling_defaults(const SamplingOptions& base) const {
  return state_->defaults.over(base);
}

Result<std::vector<int32_t>> Model::tokenize(std::string_view text, bool special) const {
  if (!state_->tokenizer) return state_->tokenizer.error();
  return state_->tokenizer->encode(text, {.parse_special = special, .add_special = true});
}

std::string Model::detokenize(std::span<const int32_t> ids) const {
  return state_->tokenizer ? state_->tokenizer->decode(ids, false) : "";
}

std::string Model::piece(int32_t id) const {
  return state_->tokenizer ? state_->tokenizer->piece(id) : "";
}

std::string Model::token_bytes(int32_t id) const {
  return state_->tokenizer ? state_->tokenizer->bytes(id, false) : "";
}

Result<std::vector<int32_t>> Model::chat_prompt(std::span<const Message> messages,
                                                const ChatOptions& options) const {
  if (!state_->tokenizer) return state_->tokenizer.error();
  if (!state_->chat_template) return state_->chat_template.error();
  return chat_ids(*state_->tokenizer, *state_->chat_template, messages, options);
}

Result<AnswerReader> Model::read_answer(std::span<const int32_t> prompt, const ToolOptions& options,
                                        uint64_t id_seed) const {
  if (!state_->tokenizer) return state_->tokenizer.error();
  TRY(ToolSet tools, ToolSet::parse(options.tools));
  const AnswerForms& forms = state_->answer_forms();
  std::random_device chance;
  const ParserOptions how = {
      .reasoning_open = state_->opens_reasoning(prompt),
      .calls = !tools.empty(),
      .id_seed = id_seed != 0 ? id_seed : (uint64_t{chance()} << 32u | chance())};
  return AnswerReader(std::unique_ptr<AnswerReader::State>(new AnswerReader::State{
      MarkedText(*state_->tokenizer),
      ToolCallParser(forms.dialect, forms.reasoning,
                     std::make_shared<const ToolSet>(std::move(tools)), how)}));
}

Result<GrammarSpec> Model::tool_grammar(std::span<const int32_t> prompt,
                                        const ToolOptions& options) const {
  const auto can_enforce = [&](const std::string& schema) -> Result<> {
    TRY_OK(state_->grammars.make({.kind = GrammarKind::json_schema, .text = schema}));
    return Ok{};
  };
  return grammar_of_tools(state_->answer_forms(), state_->opens_reasoning(prompt), options,
                          can_enforce);
}

Result<Generation> Model::generate(std::span<const int32_t> prompt, const GenerateOptions& options,
                                   const std::function<bool(const Delta&)>& on_delta) const {
  TRY(State::Asked asked, state_->ask(prompt, options));
  asked.request.options.n = 1;
  auto generation =
      state_->after_answer(state_->engine->generate(std::move(asked.request), on_delta));
  if (generation) generation->notes = std::move(asked.notes);
  return generation;
}

Result<std::vector<Stream>> Model::submit(std::span<const int32_t> prompt,
                                          const GenerateOptions& options) const {
  TRY(State::Asked asked, state_->ask(prompt, options));
  TRY(auto tickets, state_->engine->submit(std::move(asked.request)));
  std::vector<Stream> streams;
  for (EngineThread::Ticket& ticket : tickets) {
    auto state = std::make_unique<Stream::State>();
    state->model = state_;
    state->ticket = std::move(ticket);
    state->result->notes = asked.notes;
    streams.push_back(Stream(std::move(state)));
  }
  return streams;
}

Result<int> Model::save_session(const std::string& path, std::span<const int32_t> tokens,
                                const std::string& cache_salt) const {
  return state_->engine->call(
      [&](Engine& engine) { return engine.save(path, tokens, cache_salt); });
}

Result<std::vector<int32_t>> Model::load_session(const std::string& path) const {
  return state_->engine->call([&](Engine& engine) { return engine.restore(path); });
}

Result<> Model::score(std::span<const int32_t> tokens, int chunk,
                      const std::function<bool(int64_t, std::span<const float>)>& on_logits,
                      int64_t n_prompt) const {
  return state_->after_answer(state_->engine->call(
      [&](Engine& engine) { return engine.score(tokens, chunk, on_logits, n_prompt); }));
}

Result<Embeddings> Model::embed(std::span<const std::vector<int32_t>> texts,
                                const EmbedOptions& options) const {
  State& s = *state_;
  const auto advance = [&s](Embedding& embedding) {
    return s.engine->call([&](Engine& engine) { return engine.advance(embedding); });
  };
  return s.after_answer(make_embeddings(*s.compiled.executor, s.engine->context(), s.pooling, texts,
                                        options, advance));
}

Result<Embeddings> Model::embed(std::span<const std::string> texts,
                                const EmbedOptions& options) const {
  std::vector<std::vector<int32_t>> tokens;
  for (const std::string& text : texts) {
    TRY(std::vector<int32_t> ids, tokenize(text));
    tokens.push_back(std::move(ids));
  }
  return embed(tokens, options);
}

}  // namespace quern
