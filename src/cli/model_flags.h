// The flags that say which model and how to run it, shared by all verbs that load one.
#pragma once
#include <memory>
#include <string>

#include "backend/tuning.h"
#include "cli/arguments.h"
#include "quern/model.h"

namespace quern::cli {

struct ModelFlags {
  std::string model;  // as typed; empty: the default model
  int threads = 0;    // 0: one per core this process may use
  std::string numerics = "auto";
  bool deterministic = false;
  bool exact = false;  // short for --numerics exact
  std::string kv = "auto";
  std::string isa;
  std::string pin = "none", tuning = "on";
  std::string packed = "auto";
  std::string prefix_folder;
  std::string draft_model;
  int most_drafts = LoadOptions().most_drafts;
  std::string dump;
};

// MODEL as the first positional (or -m). Every verb that reads a model file has it.
void add_model(Arguments& args, std::string& model);
// --threads, and the compute flags.
void add_machine_flags(Arguments& args, ModelFlags& flags);
// What verbs that generate reuse of earlier prompts: --deterministic, --prefix-cache.
void add_cache_flags(Arguments& args, ModelFlags& flags);
// What verbs that generate guess ahead: --draft-model, --draft.
void add_draft_flags(Arguments& args, ModelFlags& flags);
// --numerics, --kv, --isa, --pin, --tuning, --packed-cache, --dump; --exact too.
void add_compute_flags(Arguments& args, ModelFlags& flags);

// Errors: invalid_argument (no such numerics: names those there are).
Result<Numerics> numerics_of(const ModelFlags& flags);
Result<KvKind> kv_of(const ModelFlags& flags);         // likewise
Result<PackedUse> packed_of(const ModelFlags& flags);  // likewise

// The cuts of work that `quern tune` found for this machine; null: none, or --tuning off. Warns on
// standard error of records that cannot be read. Errors: invalid_argument (neither on nor off).
Result<std::shared_ptr<TuningTable>> tuning_of(const ModelFlags& flags, int threads);

// What Quern uses, by the names it has: of its own choice where it is left to choose.
std::string isa_in_use(const ModelFlags& flags);
std::string numerics_in_use(const ModelFlags& flags);
int threads_in_use(const ModelFlags& flags);

// Resolves and loads with a progress bar. `options` brings what the verb itself decides (context,
// max_batch). Errors: as Model::load; not_found for a name that is not known.
Result<Model> load_model(const ModelFlags& flags, LoadOptions options = {});

// Writes the compiler's dumps to stderr.
void print_dump(std::string_view step, std::string_view text);

}  // namespace quern::cli
