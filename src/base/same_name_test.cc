#include "base/same_name.h"

#include <gtest/gtest.h>

namespace quern {
namespace {

TEST(SameName, IsTheSameInAnyCaseAndNothingElse) {
  constexpr std::string_view kSame[][2] = {{"", ""},
                                           {"q4_k", "Q4_K"},
                                           {"bf16", "Bf16"},
                                           {"smollm2-1.7b", "SmolLM2-1.7B"},
                                           {"@[`{", "@[`{"}};
  for (const auto& [a, b] : kSame) EXPECT_TRUE(same_name(a, b) && same_name(b, a)) << a;
  // Pairs of characters that differ by 32, as upper and lower case do, but are not letters; and
  // other lengths.
  constexpr std::string_view kOther[][2] = {{"@", "`"},      {"[", "{"},    {"q4_k", "q4k"},
                                            {"q4_k", "q4_"}, {"_", "\x7f"}, {"k", "\xe2\x84\xaa"},
                                            {"", "a"}};
  for (const auto& [a, b] : kOther) EXPECT_FALSE(same_name(a, b) || same_name(b, a)) << a;
}

}  // namespace
}  // namespace quern
