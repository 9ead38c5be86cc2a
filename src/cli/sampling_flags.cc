#include "cli/sampling_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <variant>

#include "base/same_name.h"
#include "cli/failure.h"
#include "engine/sample/random.h"

namespace quern::cli {

namespace {

using Options = SamplingOptions;
using Field = std::variant<float Options::*, int Options::*>;

struct Row {
  const char* flags;
  Field field;
  double least, most;
  const char* help;
};

struct Group {
  const char* heading;
  std::vector<Row> rows;
};

const std::vector<Group>& groups() {
  static const std::vector<Group> kGroups = {
      {"Sampling",
       {{"-t,--temperature,--temp", &Options::temperature, 0, 100,
         "0 takes the most likely token; higher is more varied"},
        {"--top-k", &Options::top_k, 0, 1e9, "Only the N most likely tokens; 0: all"},
        {"--top-p", &Options::top_p, 0, 1,
         "Only the most likely tokens that together reach this probability; 1: all"},
        {"--min-p", &Options::min_p, 0, 1,
         "Only tokens at least this share as likely as the likeliest; 0: all"},
        {"--repeat-penalty", &Options::repeat_penalty, 0.01, 100,
         "Divides the odds of recent tokens; 1: off"},
        {"--presence-penalty", &Options::presence_penalty, -100, 100,
         "Taken off a token that has appeared; 0: off"},
        {"--frequency-penalty", &Options::frequency_penalty, -100, 100,
         "Taken off for each time a token has appeared; 0: off"},
        {"--repeat-last-n,--penalty-window", &Options::penalty_window, -1, 1e9,
         "Tokens the penalties look back; -1: all, 0: none"}}},
      {"More sampling",
       {{"--dynatemp-range", &Options::dynatemp_range, 0, 100,
         "Temperature moves so far both ways with the entropy; 0: off"},
        {"--dynatemp-exp", &Options::dynatemp_exponent, 0, 100, "How it moves with the entropy"},
        {"--typical-p", &Options::typical_p, 0, 1,
         "Only tokens of typical surprise that together reach this probability; 1: all"},
        {"--top-n-sigma", &Options::top_n_sigma, -1, 100,
         "Only logits within N standard deviations of the largest; -1: all"},
        {"--xtc-probability", &Options::xtc_probability, 0, 1,
         "How often all likely tokens but the last of them are left out; 0: off"},
        {"--xtc-threshold", &Options::xtc_threshold, 0, 1, "What counts as likely there"},
        {"--min-keep", &Options::min_keep, 0, 1e9, "Tokens the filters leave at least"},
        {"--dry-multiplier", &Options::dry_multiplier, 0, 100,
         "DRY: strength of the penalty on going on with a repetition; 0: off"},
        {"--dry-base", &Options::dry_base, 1, 100, "DRY: its growth with each token repeated"},
        {"--dry-allowed-length", &Options::dry_allowed_length, 0, 1e9,
         "DRY: tokens that may repeat freely"},
        {"--dry-penalty-last-n,--dry-window", &Options::dry_window, -1, 1e9,
         "DRY: tokens it looks back; -1: all, 0: none"},
        {"--mirostat", &Options::mirostat, 0, 2,
         "1 or 2: this version of mirostat instead of the filters; 0: off"},
        {"--mirostat-tau", &Options::mirostat_tau, 0, 100, "Surprise it keeps to, in bits"},
        {"--mirostat-eta", &Options::mirostat_eta, 0, 1, "How fast it learns"},
        {"--adaptive-target", &Options::adaptive_target, -1, 1,
         "Draws near this probability; -1: off"},
        {"--adaptive-decay", &Options::adaptive_decay, 0, 0.99,
         "Share of the past in its running average"},
        {"--min-tokens", &Options::min_tokens, 0, 1e9, "No end of the answer before so many"}}},
  };
  return kGroups;
}

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

// "15043=-1.5", "15043=-inf"
Result<LogitBias> read_bias(const std::string& text) {
  const size_t at = std::min(text.find('='), text.size());
  const std::string value = text.substr(std::min(at + 1, text.size()));
  const auto id = read_integer(std::string_view(text).substr(0, at));
  const auto bias = value == "-inf" ? -std::numeric_limits<double>::infinity() : read_number(value);
  if (id && *id >= 0 && *id <= INT32_MAX && bias && *bias <= 1e9 &&
      (*bias >= -1e9 || value == "-inf"))
    return LogitBias{static_cast<int32_t>(*id), static_cast<float>(*bias)};
  return Error{
      Code::invalid_argument,
      fmt::format("--logit-bias is '{}', but must be a token's id, = and a number or -inf", text),
      {},
      "quern tokenize prints ids"};
}

std::vector<std::string> split(std::string_view names) {
  std::vector<std::string> list;
  for (size_t begin = 0; begin <= names.size();) {
    const size_t end = std::min(names.find_first_of(";,", begin), names.size());
    list.emplace_back(names.substr(begin, end - begin));
    begin = end + 1;
  }
  return list;
}

}  // namespace

void SamplingFlags::add_to(Arguments& args) {
  args.heading("Answer");
  args.integer("-n,--n-predict,--max-tokens", max_tokens_, -1, INT32_MAX,
               fmt::format("Tokens to generate at most; -1: until the model ends or the context is "
                           "full [{}]",
                           kDefaultTokens));
  args.integer("-s,--seed", seed_, "The same seed gives the same text; -1: random [-1]");
  args.texts("--stop", stop_,
             "Ends the answer before this text, or at this control token; may be repeated");
  size_t n_rows = 0;
  for (const Group& group : groups()) n_rows += group.rows.size();
  given_.resize(n_rows);
  size_t i = 0;
  for (const Group& group : groups()) {
    args.heading(group.heading);
    for (const Row& row : group.rows) {
      if (std::holds_alternative<int Options::*>(row.field))
        args.whole_number(row.flags, given_[i++], row.least, row.most, help_of(row));
      else
        args.number(row.flags, given_[i++], row.least, row.most, help_of(row));
    }
  }
  args.texts("--dry-sequence-breaker", breakers_,
             "DRY: a repetition ends at this text; may be repeated; none: nowhere [\\n : \" *]");
  args.texts("--logit-bias", biases_,
             "ID=BIAS, added to a token's logit; -inf bans it; may be repeated");
  args.integers("--ban-tokens", banned_, 0, INT32_MAX, "Never these tokens, by id");
  args.integers("--allow-tokens", allowed_, 0, INT32_MAX, "None but these tokens, by id");
  args.text("--samplers", samplers_,
            "The order of the filters; what is not named is off "
            "[penalties;dry;top_n_sigma;top_k;typ_p;top_p;min_p;xtc;temperature]",
            "A;B;...");
  args.heading("Options");
}

Result<GenerateOptions> SamplingFlags::options(const SamplingOptions& base) const {
  GenerateOptions options;
  options.sampling = base;
  size_t i = 0;
  for (const Group& group : groups()) {
    for (const Row& row : group.rows) {
      if (given_[i]) set(options.sampling, row.field, *given_[i]);
      ++i;
    }
  }
  if (!breakers_.empty()) {
    options.sampling.dry_breakers = breakers_;
    std::erase_if(options.sampling.dry_breakers,
                  [](const std::string& text) { return same_name(text, "none"); });
  }
  for (const std::string& text : biases_) {
    TRY(const LogitBias bias, read_bias(text));
    options.sampling.logit_bias.push_back(bias);
  }
  options.sampling.banned.assign(banned_.begin(), banned_.end());
  options.sampling.allowed.assign(allowed_.begin(), allowed_.end());
  if (samplers_) options.sampling.samplers = split(*samplers_);
  options.sampling.seed = drawn_seed(seed_.value_or(kRandomSeed));
  options.max_tokens = max_tokens_.value_or(kDefaultTokens);
  if (std::ranges::any_of(stop_, &std::string::empty))
    return Error{Code::invalid_argument, "--stop is empty", {}, "give it a text, or leave it out"};
  options.stop = stop_;
  return options;
}

Result<GenerateOptions> SamplingFlags::options(const Model& model) const {
  return options(model.sampling_defaults(kSamplingDefaults));
}

void SamplingFlags::note_cut(const Generation& generation) const {
  if (!max_tokens_ && generation.finish == Finish::length)
    warn(fmt::format("the answer was cut after {} tokens; -n sets another limit, -1 none",
                     generation.ids.size()));
}

}  // namespace quern::cli
