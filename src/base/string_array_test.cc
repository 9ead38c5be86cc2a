#include "base/string_array.h"

#include <gtest/gtest.h>

namespace quern {
namespace {

std::vector<std::string> list(const StringArray& array) { return {array.begin(), array.end()}; }

TEST(StringArray, HoldsWhatIsPutIn) {
  const std::vector<std::string> texts = {"a", "", std::string("\0b", 2), std::string(1000, 'c')};
  StringArray array;
  EXPECT_TRUE(array.empty());
  EXPECT_EQ(array.begin(), array.end());
  for (const std::string& text : texts) array.push_back(text);
  EXPECT_EQ(array.size(), 4u);
  EXPECT_EQ(list(array), texts);
  EXPECT_EQ(array.at(3), texts[3]);
  EXPECT_EQ(array, StringArray(texts));
  EXPECT_FALSE(array == StringArray{"a"});
}

TEST(StringArray, AViewIsCopiedBeforeItGrows) {
  const StringArray own = {"one", "two"};
  StringArray view = StringArray::view(own.bytes(), own.size());
  EXPECT_EQ(view.bytes().data(), own.bytes().data());
  EXPECT_EQ(view, own);
  const StringArray copy = view;
  view.push_back("three");
  EXPECT_EQ(list(view), (std::vector<std::string>{"one", "two", "three"}));
  EXPECT_EQ(list(copy), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(own.size(), 2u);
  view.clear();
  EXPECT_TRUE(view.empty());
}

TEST(StringArray, ACopyOutlivesItsOriginal) {
  StringArray copy;
  {
    const StringArray short_one = {"x"};
    copy = short_one;
  }
  EXPECT_EQ(list(copy), std::vector<std::string>{"x"});
}

}  // namespace
}  // namespace quern
