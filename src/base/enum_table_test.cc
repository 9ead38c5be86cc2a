#include "base/enum_table.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace quern {
namespace {

enum class Colour : uint8_t { red, green2, blue };
enum class Counted { a, b, count };
enum class One { int8 };

static_assert(enum_size<Colour>() == 3);
static_assert(enum_size<Counted>() == 2);
static_assert(enum_size<One>() == 1);

constexpr EnumName<Colour> kWhole[] = {
    {Colour::red, "r"}, {Colour::green2, "g"}, {Colour::blue, "b"}};
constexpr EnumName<Colour> kShort[] = {{Colour::red, "r"}, {Colour::green2, "g"}};
constexpr EnumName<Colour> kSwapped[] = {
    {Colour::red, "r"}, {Colour::blue, "b"}, {Colour::green2, "g"}};
constexpr EnumName<Colour> kLong[] = {
    {Colour::red, "r"}, {Colour::green2, "g"}, {Colour::blue, "b"}, {Colour::blue, "b"}};

TEST(EnumTable, SeesRowsThatAreMissingTooManyOrOutOfOrder) {
  static_assert(has_row_for_each(kWhole));
  static_assert(!has_row_for_each(kShort));
  static_assert(!has_row_for_each(kSwapped));
  static_assert(!has_row_for_each(kLong));
  EXPECT_STREQ(row_of(kWhole, Colour::green2).text, "g");
}

TEST(EnumTable, TellsValuesWithANameFromOthers) {
  EXPECT_TRUE(is_enumerator<Colour::green2>());
  EXPECT_FALSE(is_enumerator<static_cast<Colour>(3)>());
  EXPECT_FALSE(is_enumerator<static_cast<Colour>(255)>());
  EXPECT_TRUE(is_enumerator<One::int8>());
}

}  // namespace
}  // namespace quern
