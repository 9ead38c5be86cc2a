#include "cli/arguments.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>

namespace quern::cli {

namespace {

std::string range_text(int64_t least, int64_t most) {
  if (most >= std::numeric_limits<int>::max()) return fmt::format("an integer, at least {}", least);
  return fmt::format("an integer from {} to {}", least, most);
}

// With a sign or without.
std::optional<uint64_t> read_64_bits(std::string_view text) {
  if (const auto number = read_integer(text)) return static_cast<uint64_t>(*number);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string longest_name(const std::string& flags) {  // "-n,--n-predict" -> "--n-predict"
  const size_t comma = flags.rfind(',');
  return comma == std::string::npos ? flags : flags.substr(comma + 1);
}

}  // namespace

struct Arguments::State {
  std::string verb;
  CLI::App app;
  std::optional<Error> error;  // the first value that cannot be
  std::vector<std::vector<std::string>> exclusive;
  std::string heading = "Options";

  bool refuse(const std::string& flags, const std::string& value, const std::string& wanted) {
    if (!error)
      error = Error{Code::invalid_argument,
                    fmt::format("{} is '{}', but must be {}", flags, value, wanted),
                    {},
                    fmt::format("quern {} --help lists the flags", verb)};
    return true;  // CLI11 goes on; parse returns the error
  }

  bool take_int(const std::string& flags, const std::string& value, int64_t least, int64_t most,
                const std::function<void(int)>& take) {
    const auto number = read_integer(value);
    if (!number || *number < least || *number > most)
      return refuse(longest_name(flags), value, range_text(least, most));
    take(static_cast<int>(*number));
    return true;
  }

  // Every value reaches `take` as it was typed: CLI11's own conversions read "010" as 8.
  CLI::Option* add(const std::string& flags, const std::string& help, const char* kind,
                   std::function<bool(const std::string&)> take) {
    return app
        .add_option(
            flags, [take](const CLI::results_t& values) { return take(values.back()); }, help)
        ->type_name(kind)
        ->type_size(1)
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->group(heading);
  }
};

Arguments::Arguments(std::string_view verb, std::string_view summary, std::string_view examples)
    : state_(std::make_unique<State>()) {
  state_->verb = verb;
  state_->app.name("quern " + state_->verb);
  state_->app.description(std::string(summary));
  state_->app.footer(std::string(examples));
  state_->app.get_formatter()->column_width(34);
  state_->app.set_help_flag("-h,--help", "Print this and leave");
}

Arguments::~Arguments() = default;

void Arguments::heading(const std::string& title) { state_->heading = title; }

void Arguments::text(const std::string& flags, std::string& target, const std::string& help,
                     const char* kind) {
  state_->add(flags, help, kind, [&target](const std::string& value) {
    target = value;
    return true;
  });
}

void Arguments::text(const std::string& flags, std::optional<std::string>& target,
                     const std::string& help, const char* kind) {
  state_->add(flags, help, kind, [&target](const std::string& value) {
    target = value;
    return true;
  });
}

void Arguments::texts(const std::string& flags, std::vector<std::string>& target,
                      const std::string& help) {
  state_->app
      .add_option(
          flags,
          [&target](const CLI::results_t& values) {
            target = values;
            return true;
          },
          help)
      ->type_name("TEXT")
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(state_->heading);
}

void Arguments::flag(const std::string& flags, bool& target, const std::string& help) {
  state_->app
      .add_flag_callback(
          flags, [&target] { target = true; }, help)
      ->group(state_->heading);
}

void Arguments::integer(const std::string& flags, int& target, int64_t least, int64_t most,
                        const std::string& help) {
  state_->add(flags, help, "N", [this, &target, flags, least, most](const std::string& value) {
    return state_->take_int(flags, value, least, most, [&](int number) { target = number; });
  });
}

void Arguments::integer(const std::string& flags, std::optional<int>& target, int64_t least,
                        int64_t most, const std::string& help) {
  state_->add(flags, help, "N", [this, &target, flags, least, most](const std::string& value) {
    return state_->take_int(flags, value, least, most, [&](int number) { target = number; });
  });
}

void Arguments::integer(const std::string& flags, std::optional<uint64_t>& target,
                        const std::string& help) {
  state_->add(flags, help, "N", [this, &target, flags](const std::string& value) {
    const auto number = read_64_bits(value);
    if (!number)
      return state_->refuse(longest_name(flags), value, "an integer from -2^63 to 2^64 - 1");
    target = *number;
    return true;
  });
}

void Arguments::integers(const std::string& flags, std::vector<int>& target, int64_t least,
                         int64_t most, const std::string& help) {
  state_->add(flags, help, "N,...", [this, &target, flags, least, most](const std::string& value) {
    std::vector<int> numbers;
    for (size_t begin = 0; begin <= value.size();) {
      const size_t end = std::min(value.find(',', begin), value.size());
      const auto number = read_integer(std::string_view(value).substr(begin, end - begin));
      if (!number || *number < least || *number > most)
        return state_->refuse(longest_name(flags), value,
                              range_text(least, most) + ", or several with commas between");
      numbers.push_back(static_cast<int>(*number));
      begin = end + 1;
    }
    target = std::move(numbers);
    return true;
  });
}

void Arguments::number(const std::string& flags, std::optional<double>& target, double least,
                       double most, const std::string& help) {
  state_->add(flags, help, "X", [this, &target, flags, least, most](const std::string& value) {
    const auto number = read_number(value);
    if (!number || *number < least || *number > most)
      return state_->refuse(longest_name(flags), value,
                            fmt::format("a number from {} to {}", least, most));
    target = *number;
    return true;
  });
}

void Arguments::whole_number(const std::string& flags, std::optional<double>& target, double least,
                             double most, const std::string& help) {
  const auto lowest = static_cast<int64_t>(least), highest = static_cast<int64_t>(most);
  state_->add(flags, help, "N", [this, &target, flags, lowest, highest](const std::string& value) {
    const auto number = read_integer(value);
    if (!number || *number < lowest || *number > highest)
      return state_->refuse(longest_name(flags), value, range_text(lowest, highest));
    target = *number;
    return true;
  });
}

void Arguments::value(const std::string& flags, const std::string& help, const std::string& kind,
                      bool repeated,
                      std::function<Result<>(const std::vector<std::string>&)> take) {
  const auto taken = [this, take = std::move(take)](const std::vector<std::string>& values) {
    if (const auto outcome = take(values); !outcome && !state_->error) {
      state_->error = outcome.error();
      if (state_->error->fix.empty())
        state_->error->fix = fmt::format("quern {} --help lists the flags", state_->verb);
    }
    return true;  // CLI11 goes on; parse returns the error
  };
  if (kind.empty()) {
    state_->app
        .add_flag_callback(
            flags, [taken] { taken({"on"}); }, help)
        ->group(state_->heading);
    return;
  }
  using Policy = CLI::MultiOptionPolicy;
  state_->app
      .add_option(
          flags, [taken](const CLI::results_t& values) { return taken(values); }, help)
      ->type_name(kind)
      ->type_size(1)
      ->expected(1)
      ->multi_option_policy(repeated ? Policy::TakeAll : Policy::TakeLast)
      ->group(state_->heading);
}

void Arguments::exclusive(const std::vector<std::string>& flags) {
  state_->exclusive.push_back(flags);
}

Result<bool> Arguments::parse(int argc, const char* const* argv) {
  try {
    state_->app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const std::string help = state_->app.help();
    std::fwrite(help.data(), 1, help.size(), stdout);
    return false;
  } catch (const CLI::Error& error) {
    return Error{Code::invalid_argument,
                 error.what(),
                 {},
                 fmt::format("quern {} --help lists the flags", state_->verb)};
  }
  if (state_->error) return *state_->error;
  for (const auto& group : state_->exclusive) {
    std::vector<std::string> given;
    for (const std::string& flag : group)
      if (state_->app.get_option(flag)->count() > 0) given.push_back(flag);
    if (given.size() > 1)
      return Error{Code::invalid_argument,
                   fmt::format("{} and {} exclude each other", given[0], given[1]),
                   {},
                   "give one of them"};
  }
  return true;
}

}  // namespace quern::cli
