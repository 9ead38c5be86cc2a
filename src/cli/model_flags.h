// The flags that say which model and how to run it, shared by all verbs that load one.
#pragma once
#include <memory>
#include <string>

#include "backend/tuning.h"
#include "cli/arguments.h"
#include "quern/model.h"

namespace quern::cli {

struct ModelFlags {
  std::string model;   // as typed; empty: the default model
  LoadOptions load;    // draft_model: as typed
  bool exact = false;  // short for --numerics exact
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
// --context
void add_context_flag(Arguments& args, ModelFlags& flags);

// --exact counts.
Numerics numerics_of(const ModelFlags& flags);

// The cuts of work that `quern tune` found for this machine; null: none, or --tuning off. Warns on
// standard error of records that cannot be read.
std::shared_ptr<TuningTable> tuning_of(const ModelFlags& flags, int threads);

// What Quern uses, by the names it has: of its own choice where it is left to choose.
std::string isa_in_use(const ModelFlags& flags);
std::string numerics_in_use(const ModelFlags& flags);
int threads_in_use(const ModelFlags& flags);

// Resolves and loads with a progress bar. Errors: as Model::load; not_found for a name that is not
// known.
Result<Model> load_model(const ModelFlags& flags);

// Writes the compiler's dumps to stderr.
void print_dump(std::string_view step, std::string_view text);

}  // namespace quern::cli
