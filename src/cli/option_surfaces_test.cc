// One row, every surface: what a value is worth does not depend on where it was written.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "api/c_api/request_json.h"
#include "api/generation_defaults.h"
#include "cli/sampling_flags.h"
#include "openai/request.h"
#include "options/document.h"
#include "options/json.h"
#include "support/temporary_folder.h"

namespace quern::cli {
namespace {

using options::Option;
using options::Schema;

Result<GenerateOptions> from_flags(const std::vector<std::string>& words,
                                   const Schema& schema = options::schema()) {
  SamplingFlags flags(schema);
  Arguments args("test", "", "");
  flags.add_to(args);
  for (const char* name : {"n", "n_probs", "deadline_ms"}) flags.add(args, name);
  std::vector<const char*> argv = {"test"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  TRY(const bool go, args.parse(static_cast<int>(argv.size()), argv.data()));
  EXPECT_TRUE(go);
  return flags.options(SamplingOptions());
}

Result<GenerateOptions> from_c(const std::string& field, const std::string& value,
                               const Schema& schema = options::schema()) {
  TRY(auto request,
      c_api::read_request("{\"prompt\": \"a\", \"" + field + "\": " + value + "}", schema));
  return request.options;
}

Result<GenerateOptions> from_openai(const std::string& field, const std::string& value,
                                    const Schema& schema = options::schema()) {
  TRY(const auto body, openai::parse_json("{\"prompt\": \"a\", \"" + field + "\": " + value + "}"));
  TRY(auto request, openai::read_request(openai::Endpoint::completions, body, {}, schema));
  return request.options;
}

struct FromFile {
  SamplingOptions options;
  std::vector<std::string> notes;
};
FromFile from_file(const Metadata& metadata, const std::string& json,
                   const Schema& schema = options::schema()) {
  const TemporaryFolder folder("option_surfaces");
  if (!json.empty()) std::ofstream(folder.path() / "generation_config.json") << json;
  FromFile read;
  const auto defaults =
      GenerationDefaults::read(metadata, (folder.path() / "m.gguf").string(), read.notes, schema);
  read.options = defaults.over({});
  return read;
}

// Numbers around the limits of an option.
template <class T>
std::vector<double> numbers_of(const Option<T>& option) {
  const bool whole = !std::holds_alternative<float T::*>(option.member);
  const double step = whole ? 1 : 0.01;
  const auto& [least, most] = std::pair(option.limits.least, option.limits.most);
  return {least - step, least, most, most + step, -1e30, 1e30};
}

std::string written(double number) {
  return std::abs(number) < 1e15 && number == std::floor(number)
             ? std::to_string(static_cast<int64_t>(number))
             : options::Json(number).dump();
}

// What each surface that has the option says of a number.
template <class T>
void expect_one_verdict(const Option<T>& option) {
  const bool is_float = std::holds_alternative<float T::*>(option.member);
  const bool is_whole = std::holds_alternative<int T::*>(option.member) ||
                        std::holds_alternative<int64_t T::*>(option.member);
  if (!is_float && !is_whole) return;
  const std::string name(option.name);
  const auto expect = [&](const char* surface, bool taken, bool wanted, const std::string& value) {
    EXPECT_EQ(taken, wanted) << name << " " << value << " " << surface;
  };
  for (const double number : numbers_of(option)) {
    const std::string value = written(number);
    const auto within = [&](double least, double most) {
      return number >= least && number <= most;
    };
    const auto& names = option.names;
    const bool good = within(option.limits.least, option.limits.most);
    expect("C", static_cast<bool>(from_c(name, value)), good, value);
    if (names.flags && names.flag_unit == 1) {
      const double least = std::max(option.limits.least, names.flag_least);
      const auto read = from_flags({options::flag_name(names), value});
      expect("flag", static_cast<bool>(read), within(least, option.limits.most), value);
      if (!read) {
        EXPECT_NE(read.error().what.find(options::flag_name(names)), std::string::npos);
      }
    }
    if (names.openai) {
      const options::Limits& limits = names.openai_limits ? *names.openai_limits : option.limits;
      const auto read = from_openai(names.openai, value);
      expect("OpenAI", static_cast<bool>(read), within(limits.least, limits.most), value);
      if (!read) {
        EXPECT_EQ(read.error().where, names.openai);
      }
    }
    if (names.generation_config && !(names.file_minus_one && number == -1)) {
      const auto read =
          from_file({}, "{\"" + std::string(names.generation_config) + "\": " + value + "}");
      expect("generation_config.json", read.notes.empty(), good, value);
    }
    if (names.gguf && !(names.file_minus_one && number == -1)) {
      Metadata file;
      file.entries[std::string("general.sampling.") + names.gguf] = number;
      expect("GGUF", from_file(file, "").notes.empty(), good, value);
    }
  }
  for (const char* wrong : {"\"1\"", "true", "[]", "{}", "99999999999999999999999e10"}) {
    EXPECT_FALSE(from_c(name, wrong)) << name << wrong;
    if (option.names.openai) {
      EXPECT_FALSE(from_openai(option.names.openai, wrong)) << name << wrong;
    }
  }
  EXPECT_TRUE(from_c(name, "null"));
  if (option.names.openai) {
    EXPECT_TRUE(from_openai(option.names.openai, "null"));
  }
  if (!option.names.flags) return;
  for (const char* wrong : {"", "x", "nan", "inf", "-inf", "1e999", "99999999999999999999999"})
    EXPECT_FALSE(from_flags({options::flag_name(option.names), wrong})) << name << wrong;
}

TEST(OptionSurfaces, EveryNumberHasOneVerdict) {
  for (const auto& option : options::schema().sampling) expect_one_verdict(option);
  for (const auto& option : options::schema().generate) expect_one_verdict(option);
}

TEST(OptionSurfaces, ProgramsInCplusplusGetTheSameVerdict) {
  for (const auto& option : options::schema().sampling) {
    if (const auto* member = std::get_if<float SamplingOptions::*>(&option.member)) {
      constexpr float kInf = std::numeric_limits<float>::infinity();
      for (const float bad : {std::nanf(""), kInf, -kInf}) {
        GenerateOptions o;
        o.sampling.** member = bad;
        const auto outcome = options::check(o);
        ASSERT_FALSE(outcome) << option.name;
        EXPECT_EQ(outcome.error().where, option.name);
      }
    }
    for (const double number : numbers_of(option)) {
      GenerateOptions o;
      const auto* whole = std::get_if<int SamplingOptions::*>(&option.member);
      if (!whole || std::abs(number) > INT32_MAX) continue;
      o.sampling.** whole = static_cast<int>(number);
      EXPECT_EQ(static_cast<bool>(options::check(o)),
                number >= option.limits.least && number <= option.limits.most)
          << option.name << number;
    }
  }
}

TEST(OptionSurfaces, ErrorsSayNameValueAndRange) {
  EXPECT_EQ(from_flags({"--top-p", "1.5"}).error().what,
            "--top-p is '1.5', must be at least 0 and at most 1");
  EXPECT_EQ(from_flags({"--top-p", "x"}).error().what,
            "--top-p is 'x', must be a number, at least 0 and at most 1");
  EXPECT_EQ(from_flags({"--deadline", "0"}).error().what,
            "--deadline is '0', must be a number, at least 0.001 and at most 1.09951e+09");
  EXPECT_EQ(from_c("top_p", "1.5").error().what, "top_p is 1.5, must be at least 0 and at most 1");
  EXPECT_EQ(from_c("top_p", "1.5").error().where, "request.top_p");
  EXPECT_EQ(from_openai("repeat_last_n", "-2").error().what,
            "repeat_last_n is -2, must be at least -1 and at most 2147483647");
  EXPECT_EQ(from_openai("min_p", "\"x\"").error().what,
            "min_p is a value of type string, not a number, at least 0 and at most 1");
  EXPECT_EQ(from_openai("stop", "[\"a\", 3]").error().what,
            "stop: element 1 is a value of type number, not text");
}

// A new option is a row: here it is, and there it is everywhere.
TEST(OptionSurfaces, ARowMoreIsFoundOnAll) {
  const Schema& real = options::schema();
  std::vector<Option<SamplingOptions>> rows(real.sampling.begin(), real.sampling.end());
  rows.push_back({.name = "probe",
                  .member = &SamplingOptions::min_keep,
                  .limits = options::numbers(3, 9),
                  .help = "What a probe does",
                  .names = {.flags = "--probe",
                            .openai = "probe_field",
                            .gguf = "probe_key",
                            .generation_config = "probe_config"},
                  .group = options::Group::more_sampling});
  Schema schema = real;
  schema.sampling = rows;
  constexpr auto kValue = [](const auto& read) { return read->sampling.min_keep; };

  EXPECT_EQ(kValue(from_flags({"--probe", "5"}, schema)), 5);
  EXPECT_EQ(from_flags({"--probe", "2"}, schema).error().what,
            "--probe is '2', must be at least 3 and at most 9");
  EXPECT_EQ(kValue(from_c("probe", "5", schema)), 5);
  EXPECT_EQ(from_c("probe", "10", schema).error().what,
            "probe is 10, must be at least 3 and at most 9");
  EXPECT_EQ(kValue(from_openai("probe_field", "5.0", schema)), 5);
  EXPECT_EQ(from_openai("probe_field", "10", schema).error().where, "probe_field");
  EXPECT_EQ(from_file({}, R"({"probe_config": 5})", schema).options.min_keep, 5);
  Metadata file;
  file.entries["general.sampling.probe_key"] = int64_t{5};
  EXPECT_EQ(from_file(file, "", schema).options.min_keep, 5);
  file.entries["general.sampling.probe_key"] = int64_t{2};
  EXPECT_EQ(from_file(file, "", schema).notes.size(), 1u);
  GenerateOptions o;
  o.sampling.min_keep = 4;
  EXPECT_TRUE(options::check(o, schema));
  EXPECT_EQ(openai::options_json(o, schema)["probe_field"], 4);
  o.sampling.min_keep = 2;
  EXPECT_EQ(options::check(o, schema).error().where, "probe");
  EXPECT_EQ(c_api::default_options(schema)["request"]["probe"], 0);
  const std::string document = options::options_document(schema);
  EXPECT_NE(document.find("| `probe` | integer | 3 to 9 | `0` | `--probe` | `probe` | "
                          "`probe_field` | `general.sampling.probe_key`, `probe_config` | "
                          "What a probe does |"),
            std::string::npos);
  const Option<SamplingOptions>& row = rows.back();
  EXPECT_EQ(options::help_text(row, SamplingOptions()), "What a probe does [0]");
  // And nowhere without it.
  EXPECT_FALSE(from_flags({"--probe", "5"}));
  EXPECT_FALSE(from_c("probe", "5"));
  EXPECT_FALSE(from_openai("probe_field", "5"));
  EXPECT_EQ(from_file({}, R"({"probe_config": 5})").options.min_keep, 0);
}

}  // namespace
}  // namespace quern::cli
