#include "cli/sampling_flags.h"

#include <fmt/format.h>

#include "cli/failure.h"
#include "engine/sample/random.h"

namespace quern::cli {

void SamplingFlags::add_to(Arguments& args) {
  constexpr struct {
    options::Group group;
    const char* heading;
  } kGroups[] = {{options::Group::answer, "Answer"},
                 {options::Group::sampling, "Sampling"},
                 {options::Group::more_sampling, "More sampling"}};
  for (const auto& [group, heading] : kGroups) {
    args.heading(heading);
    flags_.add(args, group);
  }
  args.heading("Options");
}

GenerateOptions SamplingFlags::options(const SamplingOptions& base) const {
  GenerateOptions wanted = options::program_defaults();
  const uint64_t seed = wanted.sampling.seed;  // of a request, not of a model
  wanted.sampling = base;
  wanted.sampling.seed = seed;
  wanted = flags_.over(std::move(wanted));
  wanted.sampling.seed = drawn_seed(wanted.sampling.seed);
  return wanted;
}

GenerateOptions SamplingFlags::options(const Model& model) const {
  return options(model.sampling_defaults(options::program_defaults().sampling));
}

void SamplingFlags::note_cut(const Generation& generation) const {
  if (!given("max_tokens") && generation.finish == Finish::length)
    warn(fmt::format("the answer was cut after {} tokens; -n sets another limit, -1 none",
                     generation.ids.size()));
}

}  // namespace quern::cli
