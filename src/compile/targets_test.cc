// What every target of this build says of itself holds.
#include "compile/targets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "compile/compilation.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

TEST(Targets, AreFoundByNameInAnyCase) {
  ASSERT_FALSE(targets().empty());
  for (const Target* target : targets()) {
    const auto found = find_target(target->name());
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, target);
  }
  EXPECT_EQ(*find_target(""), &default_target());
  EXPECT_EQ(*find_target("CPU"), *find_target("cpu"));
  const auto none = find_target("abacus");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::unsupported);
  EXPECT_NE(none.error().fix.find("cpu"), std::string::npos);
}

TEST(Targets, ComputeWithAnInstructionSetThatRunsHere) {
  for (const Target* target : targets()) {
    const std::vector<InstructionSet> sets = target->instruction_sets();
    ASSERT_FALSE(sets.empty());
    EXPECT_TRUE(sets.front().runs_here);
    for (const InstructionSet& set : sets) {
      const auto chosen = target->instruction_set(set.name);
      EXPECT_EQ(static_cast<bool>(chosen), set.runs_here) << set.name;
      if (chosen) EXPECT_EQ(*chosen, set.name);
    }
    const auto best = target->instruction_set("");
    ASSERT_TRUE(best);
    EXPECT_TRUE(std::ranges::any_of(
        sets, [&](const InstructionSet& s) { return s.name == *best && s.runs_here; }));
    const auto none = target->instruction_set("vax");
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().fix.find(std::string(sets.front().name)), std::string::npos);
    EXPECT_FALSE(target->probe(1, "vax"));
  }
}

TEST(Targets, NameTheirStepsAndParametersOnce) {
  for (const Target* target : targets()) {
    std::set<std::string_view> steps, parameters;
    for (const CompileStep& step : shared_steps())
      EXPECT_TRUE(steps.insert(step.info.name).second) << step.info.name;
    for (const StepInfo& step : target->steps()) {
      EXPECT_TRUE(steps.insert(step.name).second) << step.name;
      EXPECT_FALSE(step.what.empty());
    }
    for (const TuningParameter& parameter : target->tuning_parameters()) {
      EXPECT_TRUE(parameters.insert(parameter.name).second) << parameter.name;
      EXPECT_EQ(std::ranges::count(parameter.values, parameter.usual), 1) << parameter.name;
    }
    EXPECT_EQ(usual_tuning(*target).size(), parameters.size());
    EXPECT_GE(target->side_by_side(), 1);
  }
}

TEST(Targets, DumpTheirStepsBehindTheSharedOnes) {
  std::vector<std::string> dumped, expected;
  for (const CompileStep& step : shared_steps()) expected.emplace_back(step.info.name);
  for (const StepInfo& step : default_target().steps()) expected.emplace_back(step.name);
  CompileOptions options = {.threads = 1, .max_rows = 4, .dump = "all"};
  options.dump_out = [&](std::string_view step, std::string_view text) {
    dumped.emplace_back(step);
    EXPECT_FALSE(text.empty());
  };
  ASSERT_TRUE(compile(testing::make_tiny_llama({}), options));
  EXPECT_EQ(dumped, expected);
  options.target = "abacus";
  EXPECT_FALSE(compile(testing::make_tiny_llama({}), options));
}

}  // namespace
}  // namespace quern
