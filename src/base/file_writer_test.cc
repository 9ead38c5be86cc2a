#include "base/file_writer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/small_files.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

class WritesFiles : public testing::Test {
 protected:
  static std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
  }
  std::string content() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  int64_t n_files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }

  TemporaryFolder temporary_{"file_writer"};
  const fs::path& folder_ = temporary_.path();
  const std::string path_ = (folder_ / "file").string();
};

TEST_F(WritesFiles, AppearWhenTheyAreWhole) {
  auto writer = FileWriter::create(path_);
  ASSERT_TRUE(writer) << to_string(writer.error());
  ASSERT_TRUE(writer->write(4, bytes("later")));
  ASSERT_TRUE(writer->write(0, bytes("ab")));
  EXPECT_FALSE(fs::exists(path_));
  ASSERT_TRUE(writer->finish());
  EXPECT_EQ(content(), std::string("ab\0\0later", 9));
  EXPECT_EQ(n_files(), 1);
}

TEST_F(WritesFiles, TakeTheOldOnesPlace) {
  std::ofstream(path_) << "old";
  {
    auto writer = FileWriter::create(path_);
    ASSERT_TRUE(writer && writer->write(0, bytes("new")));
    EXPECT_EQ(content(), "old");
    ASSERT_TRUE(writer->finish());
  }
  EXPECT_EQ(content(), "new");
}

TEST_F(WritesFiles, LeaveNothingWhenTheyAreGivenUp) {
  {
    auto writer = FileWriter::create(path_);
    ASSERT_TRUE(writer && writer->write(0, bytes("half")));
    const FileWriter moved = std::move(*writer);
  }
  EXPECT_EQ(n_files(), 0);
}

TEST_F(WritesFiles, TwoAtOnceDoNotMix) {
  auto one = FileWriter::create(path_), two = FileWriter::create(path_);
  ASSERT_TRUE(one && two);
  ASSERT_TRUE(one->write(0, bytes("1111")) && two->write(0, bytes("22")));
  ASSERT_TRUE(one->finish() && two->finish());
  EXPECT_EQ(content(), "22");
}

TEST_F(WritesFiles, SayWhyTheyCannot) {
  const auto refused = FileWriter::create((folder_ / "no" / "file").string());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_NE(refused.error().what.find("No such file"), std::string::npos);
}

// As on a full disk, but for the error's number: nothing half written stays.
TEST_F(WritesFiles, StopWhereNoFileMayGrowAndLeaveNothing) {
  const SmallFiles limit(1000);
  {
    auto writer = FileWriter::create(path_);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->write(0, bytes(std::string(900, 'x'))));
    const auto refused = writer->write(900, bytes(std::string(900, 'x')));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unavailable);
    EXPECT_EQ(refused.error().what, "cannot write: File too large");
    EXPECT_EQ(refused.error().where, path_);
    EXPECT_NE(refused.error().fix.find("ulimit -f"), std::string::npos);
  }
  EXPECT_EQ(n_files(), 0);
}

}  // namespace
}  // namespace quern
