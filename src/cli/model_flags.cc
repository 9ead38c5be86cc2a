#include "cli/model_flags.h"

#include <fmt/format.h>

#include <cstdio>

#include "api/known_models.h"
#include "api/user_cache.h"
#include "base/cpu_features.h"
#include "base/same_name.h"
#include "base/thread_pool.h"
#include "cli/failure.h"
#include "cli/progress.h"
#include "compile/targets.h"
#include "tuning/recorded.h"

namespace quern::cli {
namespace {

Result<bool> uses_tuning(const ModelFlags& flags) {
  for (const bool use : {true, false})
    if (same_name(flags.tuning, use ? "on" : "off")) return use;
  return Error{Code::invalid_argument,
               fmt::format("no such tuning: '{}'", flags.tuning),
               {},
               "there are: on, off"};
}

}  // namespace

void add_model(Arguments& args, std::string& model) {
  args.text("MODEL,-m,--model", model,
            "A GGUF file, a folder, or a known name; left out: the default model", "PATH");
}

void add_machine_flags(Arguments& args, ModelFlags& flags) {
  args.integer("--threads", flags.threads, 1, ThreadPool::kMaxThreads,
               "Threads that compute [one per core this process may use]");
  add_compute_flags(args, flags);
}

void add_cache_flags(Arguments& args, ModelFlags& flags) {
  args.flag("--deterministic", flags.deterministic,
            "The same prompt gives the same bits whatever was answered before; costs the reuse of "
            "earlier answers in a conversation");
  args.text("--prefix-cache", flags.prefix_folder,
            "Keep cached prompts in this folder, for later runs with the same model and flags",
            "FOLDER");
}

void add_draft_flags(Arguments& args, ModelFlags& flags) {
  args.text("--draft-model", flags.draft_model,
            "A small model with the same tokens that guesses ahead: a GGUF file, a folder, or a "
            "known name. Guesses are checked where that is faster; no answer changes",
            "PATH");
  args.integer("--draft", flags.most_drafts, 0, LoadOptions().most_drafts,
               "Guesses checked at a time, from earlier text or a draft model's, at most; 0: none "
               "[16]");
}

void add_compute_flags(Arguments& args, ModelFlags& flags) {
  args.text("--numerics", flags.numerics,
            "exact: f32 throughout, slow, the reference; fine: int8 in two terms, as good as f32; "
            "fast: int8 in one term; auto: prompts in one, keys, values and answers in two [auto]",
            "NAME");
  args.flag("--exact", flags.exact, "The same as --numerics exact");
  args.exclusive({"--numerics", "--exact"});
  args.text(
      "--kv", flags.kv,
      "Keys and values in bf16, f16 (as good as f32), int8 (half the memory) or int4 (coarse) "
      "[auto: f16 for --numerics fine, else bf16]",
      "NAME");
  args.text("--isa", flags.isa, "Instruction set to use, of those `quern doctor` lists [the best]",
            "NAME");
  args.text(
      "--pin", flags.pin,
      "Keep threads on CPUs: cores (one on each core), or a list like 0-3,8; for machines that "
      "do nothing else [none]",
      "none|cores|LIST");
  args.text(
      "--tuning", flags.tuning,
      "on: with what `quern tune` found for this machine, if anything; off: with the defaults. "
      "Results are the same [on]",
      "on|off");
  args.text("--packed-cache", flags.packed,
            "Weights packed by earlier starts, in the user's cache (`quern cache`): on, off, or "
            "auto: used, and kept where packing took longer than 0.1 s [auto]",
            "WHEN");
  args.text("--dump", flags.dump,
            "Print the result of the compile step of this name to stderr; all: of every step",
            "STEP");
}

Result<Numerics> numerics_of(const ModelFlags& flags) {
  if (flags.exact) return Numerics::exact;
  for (const auto numerics : {Numerics::exact, Numerics::fine, Numerics::automatic, Numerics::fast})
    if (same_name(flags.numerics, name(numerics))) return numerics;
  return Error{Code::invalid_argument,
               fmt::format("no numerics '{}'", flags.numerics),
               {},
               "there are: exact, fine, auto, fast"};
}

Result<KvKind> kv_of(const ModelFlags& flags) {
  for (const auto kind : {KvKind::automatic, KvKind::bf16, KvKind::f16, KvKind::int8, KvKind::int4})
    if (same_name(flags.kv, name(kind))) return kind;
  return Error{Code::invalid_argument,
               fmt::format("no kind of keys and values '{}'", flags.kv),
               {},
               "there are: auto, bf16, f16, int8, int4"};
}

Result<std::shared_ptr<TuningTable>> tuning_of(const ModelFlags& flags, int threads) {
  TRY(const bool use, uses_tuning(flags));
  if (!use) return std::shared_ptr<TuningTable>();
  std::string warning;
  const Target& target = default_target();
  auto table =
      recorded_tuning(target, tuning_path(), tuning_key(target, flags.isa, threads), warning);
  if (!warning.empty()) warn(warning);
  return table;
}

Result<PackedUse> packed_of(const ModelFlags& flags) {
  for (const auto use : {PackedUse::automatic, PackedUse::on, PackedUse::off})
    if (same_name(flags.packed, name(use))) return use;
  return Error{Code::invalid_argument,
               fmt::format("no use of packed weights '{}'", flags.packed),
               {},
               "there are: auto, on, off"};
}

std::string isa_in_use(const ModelFlags& flags) {
  return tuning_key(default_target(), flags.isa, flags.threads).isa;
}

std::string numerics_in_use(const ModelFlags& flags) {
  const auto numerics = numerics_of(flags);
  return numerics ? name(*numerics) : flags.numerics;
}

int threads_in_use(const ModelFlags& flags) {
  return flags.threads > 0 ? flags.threads : detect_cpu_features().n_cpus;
}

Result<Model> load_model(const ModelFlags& flags, LoadOptions options) {
  TRY(const std::string path, resolve_model(flags.model));
  Progress bar;
  options.threads = flags.threads;
  TRY(options.numerics, numerics_of(flags));
  TRY(options.kv, kv_of(flags));
  TRY(options.packed_cache, packed_of(flags));
  options.note = warn;
  options.deterministic = flags.deterministic;
  options.prefix_folder = flags.prefix_folder;
  if (!flags.draft_model.empty()) {
    TRY(options.draft_model, resolve_model(flags.draft_model));
  }
  options.most_drafts = flags.most_drafts;
  options.isa = flags.isa;
  options.pin = flags.pin;
  TRY(options.tuning, uses_tuning(flags));
  options.dump = flags.dump;
  options.dump_out = print_dump;
  options.progress = [&bar](double done, std::string_view what) { bar.update(done, what); };
  return Model::load(path, options);
}

void print_dump(std::string_view step, std::string_view text) {
  fmt::print(stderr, "== {}\n{}{}", step, text, text.ends_with('\n') ? "" : "\n");
}

}  // namespace quern::cli
