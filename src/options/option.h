// What an option is: one row for each member of the public option structs, with its limits, its
// help and its name on every surface. Parsing, range checks, --help, JSON and docs/options.md are
// made from these rows, so that a new option is one row (schema.h) and its member.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quern/sampling.h"

namespace quern::options {

// A name that a list may have, and another spelling of it (null: none).
struct KnownName {
  const char* name;
  const char* other_name = nullptr;
};

// What a value may be. Which members count depends on the member's type.
struct Limits {
  double least = 0, most = 0;              // of numbers, and of the biases of a list
  size_t most_entries = 0;                 // of lists
  size_t least_bytes = 0, most_bytes = 0;  // of a text, and of each text of a list
  size_t most_total_bytes = SIZE_MAX;      // of all texts of a list
  bool utf8 = false;                       // texts must be valid UTF-8
  std::span<const KnownName> names = {};   // where not empty: a list has these, each once
};

constexpr Limits numbers(double least, double most) { return {.least = least, .most = most}; }
// Whole numbers of 32 bits from `least` on.
constexpr Limits from(double least) { return {.least = least, .most = INT32_MAX}; }
constexpr Limits texts(size_t entries, size_t least_bytes, size_t most_bytes) {
  return {.most_entries = entries, .least_bytes = least_bytes, .most_bytes = most_bytes};
}
constexpr Limits text(size_t most_bytes) { return {.most_bytes = most_bytes}; }
constexpr Limits ids(size_t entries) { return {.most_entries = entries}; }

// Where --help lists a flag, and which verbs have it (sampling_flags.cc, model_flags.cc).
enum class Group : uint8_t {
  none,  // no flag, or one of single verbs
  answer,
  sampling,
  more_sampling,
  machine,
  compute,
  cache,
  draft,
};

// What the option is called where it is offered; null: it is not. Its name in C JSON is that of the
// row.
struct Names {
  const char* flags = nullptr;       // "-t,--temperature,--temp"; errors name the last one
  const char* flag_value = nullptr;  // what --help calls the value; null: by its type
  // The value that the member's type begins with may have no flag: 0 threads are a flag left out.
  double flag_least = -std::numeric_limits<double>::infinity();
  double flag_unit = 1;    // of how many of the member's units the flag counts
  bool flag_none = false;  // "none" as an entry of a list stands for no entry

  const char* openai = nullptr;
  const char* openai_chat = nullptr;      // another name, of chats alone
  const Limits* openai_limits = nullptr;  // where OpenAI's own are narrower; null: the row's

  const char* gguf = nullptr;               // behind "general.sampling."
  const char* generation_config = nullptr;  // of Hugging Face's file
  bool file_minus_one = false;              // -1 in these files is 0 here

  const char* llama_server = nullptr;  // field of llama-server's /completion
  const char* ollama = nullptr;        // of the "options" of Ollama's API
};

// A member whose values have names.
template <class T>
struct Choice {
  int (*get)(const T&);
  void (*set)(T&, int);
  std::span<const char* const> names;  // by value
};

template <class T>
using Member = std::variant<bool T::*, int T::*, int64_t T::*, uint64_t T::*, float T::*,
                            std::string T::*, std::vector<std::string> T::*,
                            std::vector<int32_t> T::*, std::vector<LogitBias> T::*, Choice<T>>;

// An option of the struct T.
template <class T>
struct Option {
  std::string_view name;  // the member's
  Member<T> member;
  Limits limits = {};
  const char* help;
  Names names = {};
  Group group = Group::none;
  const char* default_text = nullptr;  // where the value alone says too little
  bool c_json = true;                  // whether quern.h's JSON has it
};

template <class T, class V>
T struct_of(V T::*);
template <class T, class V>
V value_of(V T::*);

// choice<&LoadOptions::kv>(kNames)
template <auto kMember>
constexpr auto choice(std::span<const char* const> names) {
  using T = decltype(struct_of(kMember));
  using V = decltype(value_of(kMember));
  return Choice<T>{[](const T& options) { return static_cast<int>(options.*kMember); },
                   [](T& options, int value) { options.*kMember = static_cast<V>(value); }, names};
}

template <class T>
void copy(const Option<T>& option, const T& from, T& to) {
  const auto one = [&](const auto& member) {
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, Choice<T>>)
      member.set(to, member.get(from));
    else
      to.*member = from.*member;
  };
  std::visit(one, option.member);
}

}  // namespace quern::options
