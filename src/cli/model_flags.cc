#include "cli/model_flags.h"

#include <fmt/format.h>

#include <cstdio>

#include "api/known_models.h"
#include "api/user_cache.h"
#include "base/cpu_features.h"
#include "cli/failure.h"
#include "cli/option_flags.h"
#include "cli/progress.h"
#include "compile/targets.h"
#include "tuning/recorded.h"

namespace quern::cli {
namespace {

using options::Group;

void add_group(Arguments& args, ModelFlags& flags, Group group) {
  for (const auto& option : options::schema().load)
    if (option.group == group) add_option(args, option, flags.load, LoadOptions());
}

}  // namespace

void add_model(Arguments& args, std::string& model) {
  args.text("MODEL,-m,--model", model,
            "A GGUF file, a folder, or a known name; left out: the default model", "PATH");
}

void add_machine_flags(Arguments& args, ModelFlags& flags) {
  add_group(args, flags, Group::machine);
  add_compute_flags(args, flags);
}

void add_cache_flags(Arguments& args, ModelFlags& flags) { add_group(args, flags, Group::cache); }

void add_draft_flags(Arguments& args, ModelFlags& flags) { add_group(args, flags, Group::draft); }

void add_compute_flags(Arguments& args, ModelFlags& flags) {
  add_group(args, flags, Group::compute);
  args.flag("--exact", flags.exact, "The same as --numerics exact");
  args.exclusive({"--numerics", "--exact"});
}

void add_context_flag(Arguments& args, ModelFlags& flags) {
  add_option(args, *options::find(options::schema().load, "context"), flags.load, LoadOptions());
}

Numerics numerics_of(const ModelFlags& flags) {
  return flags.exact ? Numerics::exact : flags.load.numerics;
}

std::shared_ptr<TuningTable> tuning_of(const ModelFlags& flags, int threads) {
  if (!flags.load.tuning) return nullptr;
  std::string warning;
  const Target& target = default_target();
  auto table =
      recorded_tuning(target, tuning_path(), tuning_key(target, flags.load.isa, threads), warning);
  if (!warning.empty()) warn(warning);
  return table;
}

std::string isa_in_use(const ModelFlags& flags) {
  return tuning_key(default_target(), flags.load.isa, flags.load.threads).isa;
}

std::string numerics_in_use(const ModelFlags& flags) { return name(numerics_of(flags)); }

int threads_in_use(const ModelFlags& flags) {
  return flags.load.threads > 0 ? flags.load.threads : detect_cpu_features().n_cpus;
}

Result<Model> load_model(const ModelFlags& flags) {
  TRY(const std::string path, resolve_model(flags.model));
  LoadOptions options = flags.load;
  options.numerics = numerics_of(flags);
  if (!options.draft_model.empty()) {
    TRY(options.draft_model, resolve_model(options.draft_model));
  }
  Progress bar;
  options.note = warn;
  options.dump_out = print_dump;
  options.progress = [&bar](double done, std::string_view what) { bar.update(done, what); };
  return Model::load(path, options);
}

void print_dump(std::string_view step, std::string_view text) {
  fmt::print(stderr, "== {}\n{}{}", step, text, text.ends_with('\n') ? "" : "\n");
}

}  // namespace quern::cli
