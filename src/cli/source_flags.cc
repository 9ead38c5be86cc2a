#include "cli/source_flags.h"

#include <fmt/format.h>

#include "api/known_models.h"
#include "api/random_model.h"
#include "cli/failure.h"
#include "cli/progress.h"

namespace quern::cli {

void add_source_flags(Arguments& args, SourceFlags& flags) {
  add_model(args, flags.model.model);
  std::string shapes, formats;
  for (const auto name : shape_names()) shapes += fmt::format(" {}", name);
  for (const auto name : random_format_names()) formats += fmt::format(" {}", name);
  args.text("--shape", flags.shape, "Random weights of this shape instead of a file:" + shapes,
            "NAME");
  args.text("--quant", flags.quant, "Their number format [q4_0]:" + formats, "NAME");
  args.text("--head-quant", flags.head_quant,
            "That of the vocabulary matrices [as --quant; q6_k where that is ternary]", "NAME");
  args.exclusive({"MODEL", "--shape"});
}

Result<> check_source(const SourceFlags& flags) {
  if (flags.shape.empty() && !(flags.quant.empty() && flags.head_quant.empty()))
    return Error{Code::invalid_argument,
                 std::string(flags.quant.empty() ? "--head-quant" : "--quant") + " needs --shape",
                 {},
                 "a file's format is what it is; name a shape for random weights"};
  return Ok{};
}

Result<std::shared_ptr<const WeightSource>> open_source(const SourceFlags& flags) {
  if (!flags.shape.empty()) {
    Progress bar;
    TRY(auto random,
        random_model(flags.shape, {flags.quant.empty() ? "q4_0" : flags.quant, flags.head_quant},
                     [&bar](double done, std::string_view what) { bar.update(done, what); }));
    return std::shared_ptr<const WeightSource>(std::move(random));
  }
  TRY(const std::string path, resolve_model(flags.model.model));
  TRY(auto file, open_model(path, warn));
  return std::shared_ptr<const WeightSource>(std::move(file));
}

}  // namespace quern::cli
