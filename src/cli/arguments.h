// The command line of one verb: rows of flags, checked strictly. CLI11 splits the words and prints
// the help; what a value may be is decided here, the same way for every flag: no overflow, no NaN,
// no trailing letters, and errors that name the flag.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "options/text.h"

namespace quern::cli {

using options::read_integer;
using options::read_number;

class Arguments {
 public:
  // verb: "tokenize"; examples: lines that follow the options in --help.
  Arguments(std::string_view verb, std::string_view summary, std::string_view examples);
  ~Arguments();

  // --help lists the flags that follow under this heading.
  void heading(const std::string& title);

  // `flags` as CLI11 spells them: "-n,--n-predict" or, for a positional, "MODEL". The targets keep
  // their value unless the flag is given; of a repeated flag the last one counts. They must outlive
  // parse.
  // kind: what --help calls the value.
  void text(const std::string& flags, std::string& target, const std::string& help,
            const char* kind = "TEXT");
  void text(const std::string& flags, std::optional<std::string>& target, const std::string& help,
            const char* kind = "TEXT");
  void texts(const std::string& flags, std::vector<std::string>& target, const std::string& help);
  void flag(const std::string& flags, bool& target, const std::string& help);
  void integer(const std::string& flags, int& target, int64_t least, int64_t most,
               const std::string& help);
  void integer(const std::string& flags, std::optional<int>& target, int64_t least, int64_t most,
               const std::string& help);
  void integer(const std::string& flags, std::optional<uint64_t>& target, const std::string& help);
  void integers(const std::string& flags, std::vector<int>& target, int64_t least, int64_t most,
                const std::string& help);  // separated by commas
  void number(const std::string& flags, std::optional<double>& target, double least, double most,
              const std::string& help);
  // The same for values that must be whole.
  void whole_number(const std::string& flags, std::optional<double>& target, double least,
                    double most, const std::string& help);

  // kind empty: a flag without a value, which `take` gets as "on". repeated: each time a value
  // more; else the last one counts, and is alone. An error's `fix` is filled in.
  void value(const std::string& flags, const std::string& help, const std::string& kind,
             bool repeated, std::function<Result<>(const std::vector<std::string>&)> take);

  // At most one of these flags may be given.
  void exclusive(const std::vector<std::string>& flags);

  // True: go on. False: --help was asked for and printed. Errors: invalid_argument.
  Result<bool> parse(int argc, const char* const* argv);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quern::cli
