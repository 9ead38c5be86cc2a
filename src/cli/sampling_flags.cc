#include "cli/sampling_flags.h"

#include <fmt/format.h>

#include <random>
#include <string_view>
#include <variant>

#include "cli/failure.h"
#include "formats/weight_source.h"

namespace quern::cli {

namespace {

using Field = std::variant<float SamplingOptions::*, int SamplingOptions::*>;

struct Row {
  const char* flags;
  const char* key;  // in a GGUF file; empty where there is none
  Field field;
  double least, most;
  const char* help;
};

const Row kRows[] = {
    {"-t,--temperature,--temp", "general.sampling.temp", &SamplingOptions::temperature, 0, 100,
     "0 takes the most likely token; higher is more varied"},
    {"--top-k", "general.sampling.top_k", &SamplingOptions::top_k, 0, 1e9,
     "Only the N most likely tokens; 0: all"},
    {"--top-p", "general.sampling.top_p", &SamplingOptions::top_p, 0, 1,
     "Only the most likely tokens that together reach this probability; 1: all"},
    {"--min-p", "general.sampling.min_p", &SamplingOptions::min_p, 0, 1,
     "Only tokens at least this share as likely as the likeliest; 0: all"},
    {"--repeat-penalty", "general.sampling.penalty_repeat", &SamplingOptions::repeat_penalty, 0.01,
     100, "Divides the odds of recent tokens; 1: off"},
    {"--presence-penalty", "", &SamplingOptions::presence_penalty, -100, 100,
     "Taken off a token that has appeared; 0: off"},
    {"--frequency-penalty", "", &SamplingOptions::frequency_penalty, -100, 100,
     "Taken off for each time a token has appeared; 0: off"},
    {"--penalty-window", "general.sampling.penalty_last_n", &SamplingOptions::penalty_window, -1,
     1e9, "Tokens the penalties look back; -1: all, 0: none"},
};

void set(SamplingOptions& options, const Field& field, double value) {
  std::visit(
      [&](auto member) {
        auto& target = options.*member;
        target = static_cast<std::remove_reference_t<decltype(target)>>(value);
      },
      field);
}

double value_of(const SamplingOptions& options, const Field& field) {
  return std::visit([&](auto member) { return static_cast<double>(options.*member); }, field);
}

std::string help_of(const Row& row) {
  return fmt::format("{} [{:.6g}]", row.help, value_of(kSamplingDefaults, row.field));
}

uint64_t random_seed() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 21 ^ device();  // below 2^53: exact in any JSON reader
}

}  // namespace

void SamplingFlags::add_to(Arguments& args) {
  args.integer("-n,--n-predict,--max-tokens", max_tokens_, -1, INT32_MAX,
               fmt::format("Tokens to generate at most; -1: until the model ends or the context is "
                           "full [{}]",
                           kDefaultTokens));
  given_.resize(std::size(kRows));
  for (size_t i = 0; i < std::size(kRows); ++i) {
    const Row& row = kRows[i];
    if (std::holds_alternative<int SamplingOptions::*>(row.field))
      args.whole_number(row.flags, given_[i], row.least, row.most, help_of(row));
    else
      args.number(row.flags, given_[i], row.least, row.most, help_of(row));
  }
  args.integer("-s,--seed", seed_, "The same seed gives the same text [random]");
  args.texts("--stop", stop_, "Ends the answer before this text; may be repeated");
}

GenerateOptions SamplingFlags::options(const Metadata& file) const {
  GenerateOptions options;
  options.sampling = kSamplingDefaults;
  for (size_t i = 0; i < std::size(kRows); ++i) {
    const Row& row = kRows[i];
    const auto own = *row.key ? file.number(row.key) : std::nullopt;
    if (given_[i])
      set(options.sampling, row.field, *given_[i]);
    else if (own && *own >= row.least && *own <= row.most)
      set(options.sampling, row.field, *own);
  }
  options.sampling.seed = seed_ ? *seed_ : random_seed();
  options.max_tokens = max_tokens_.value_or(kDefaultTokens);
  options.stop = stop_;
  return options;
}

void SamplingFlags::note_cut(const Generation& generation) const {
  if (!max_tokens_ && generation.finish == Finish::length)
    warn(fmt::format("the answer was cut after {} tokens; -n sets another limit, -1 none",
                     generation.ids.size()));
}

Result<GenerateOptions> SamplingFlags::options(const std::string& path) const {
  TRY(const auto source, open_model(path));
  return options(source->metadata());
}

}  // namespace quern::cli
