// The options of a request beside sampling. include/quern/generation.h says more of each.
#include "options/names.h"
#include "options/tables.h"

namespace quern::options {
namespace {

using G = GenerateOptions;
using R = ReasoningOptions;

constexpr size_t kStopBytes = 1 << 16;
constexpr double kMostMilliseconds = int64_t{1} << 40;  // 34 years

// OpenAI's API has no number for "no limit".
constexpr Limits kOpenaiTokens = from(0);

const Option<G> kGenerate[] = {
    {.name = "max_tokens",
     .member = &G::max_tokens,
     .limits = from(-1),
     .help = "Tokens to generate at most; -1: until the model ends or the context is full",
     .names = {.flags = "-n,--n-predict,--max-tokens",
               .openai = "max_tokens",
               .openai_chat = "max_completion_tokens",
               .openai_limits = &kOpenaiTokens,
               .llama_server = "n_predict",
               .ollama = "num_predict"},
     .group = Group::answer},
    {.name = "stop",
     .member = &G::stop,
     .limits = {.most_entries = 256,
                .least_bytes = 1,
                .most_bytes = kStopBytes,
                .most_total_bytes = kStopBytes,
                .utf8 = true},
     .help = "Ends the answer before this text, or at this control token; may be repeated",
     .names = {.flags = "--stop", .openai = "stop", .llama_server = "stop", .ollama = "stop"},
     .group = Group::answer,
     .default_text = ""},
    {.name = "stop_ids",
     .member = &G::stop_ids,
     .limits = ids(1024),
     .help = "End tokens beside the model's own, by id"},
    {.name = "ignore_eos",
     .member = &G::ignore_eos,
     .help = "End tokens do not end the answer",
     .names = {.llama_server = "ignore_eos"}},
    {.name = "n",
     .member = &G::n,
     .limits = numbers(1, 128),
     .help =
         "Answers, each of its own, with the seeds from --seed on; they share the prompt's work",
     .names = {.flags = "--n", .openai = "n", .llama_server = "n_cmpl"}},
    {.name = "speculate",
     .member = &G::speculate,
     .help = "Draft tokens are checked several at a time where that is faster; no answer changes"},
    {.name = "priority",
     .member = &G::priority,
     .limits = numbers(INT32_MIN, INT32_MAX),
     .help = "Larger first; a larger one may interrupt a smaller one, which goes on later",
     .names = {.openai = "priority"}},
    {.name = "client",
     .member = &G::client,
     .limits = text(1024),
     .help = "Clients of equal priority share capacity equally"},
    {.name = "deadline_ms",
     .member = &G::deadline_ms,
     .limits = numbers(0, kMostMilliseconds),
     .help = "Time from submission after which the answer is what is there then; the flag counts "
             "seconds, the others milliseconds",
     .names = {.flags = "--deadline", .flag_least = 1, .flag_unit = 1000, .openai = "deadline_ms"},
     .default_text = "none"},
    {.name = "cache_salt",
     .member = &G::cache_salt,
     .limits = text(1024),
     .help = "Requests share cached prompts only with those of the same salt",
     .names = {.openai = "cache_salt"}},
};

const Option<R> kReasoning[] = {
    {.name = "budget",
     .member = &R::budget,
     .limits = from(-1),
     .help = "Tokens of reasoning before the answer; then its end comes. -1: no limit"},
    {.name = "start",
     .member = &R::start,
     .limits = text(1024),
     .help = "What begins the reasoning, as the model's vocabulary spells it"},
    {.name = "end", .member = &R::end, .limits = text(1024), .help = "What ends it"},
    {.name = "message",
     .member = &R::message,
     .limits = text(kStopBytes),
     .help = "Said before the end where the budget forces it"},
};

const Option<GrammarSpec> kGrammar[] = {
    {.name = "kind",
     .member = choice<&GrammarSpec::kind>(grammar_names()),
     .help = "What the text is"},
    {.name = "text",
     .member = &GrammarSpec::text,
     .limits = text(SIZE_MAX),
     .help = "The schema, expression or grammar (docs/grammar.md)"},
    {.name = "compact",
     .member = &GrammarSpec::compact,
     .help = "No white space between the parts of a JSON value"},
};

}  // namespace

std::span<const Option<GenerateOptions>> generate_options() { return kGenerate; }
std::span<const Option<ReasoningOptions>> reasoning_options() { return kReasoning; }
std::span<const Option<GrammarSpec>> grammar_options() { return kGrammar; }

}  // namespace quern::options
