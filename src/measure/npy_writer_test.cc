#include "measure/npy_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace quern::measure {
namespace {

TEST(NpyHeader, IsWhatNumpyWrites) {
  const std::string header = npy_header(3, 2);
  EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(header.size() % 64, 0u);
  EXPECT_EQ(static_cast<unsigned char>(header[8]) + 256u * static_cast<unsigned char>(header[9]),
            header.size() - 10);
  EXPECT_EQ(header.substr(10, 59), "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }");
  EXPECT_EQ(header.back(), '\n');
  EXPECT_EQ(npy_header(1000000000000, 1000000).size() % 64, 0u);
}

struct Folder {
  std::filesystem::path path;
  Folder() {  // one of its own for every test: they may run beside each other
    std::string name = testing::TempDir() + "/quern_npy.XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  int64_t files() const { return std::distance(std::filesystem::directory_iterator(path), {}); }
};

TEST(NpyWriter, WritesRowsInOrder) {
  const Folder folder;
  const std::string path = (folder.path / "out.npy").string();
  {
    auto writer = NpyWriter::create(path, 2, 2);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->append(std::vector<float>{1, 2}));
    ASSERT_TRUE(writer->append(std::vector<float>{3, 4}));
    EXPECT_FALSE(std::filesystem::exists(path));  // not before it is whole
    ASSERT_TRUE(writer->finish());
  }
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  ASSERT_EQ(bytes.size(), npy_header(2, 2).size() + 16);
  float values[4];
  std::memcpy(values, bytes.data() + bytes.size() - 16, 16);
  EXPECT_EQ(std::vector<float>(values, values + 4), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(folder.files(), 1);
}

TEST(NpyWriter, LeavesNothingBehindWhenNotFinished) {
  const Folder folder;
  const std::string path = (folder.path / "out.npy").string();
  {
    auto writer = NpyWriter::create(path, 2, 1);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->append(std::vector<float>{1}));
  }
  EXPECT_EQ(folder.files(), 0);
}

TEST(NpyWriter, ReportsAFolderThatIsNotThere) {
  const auto writer = NpyWriter::create("/nowhere/at/all/out.npy", 1, 1);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Code::not_found);
}

TEST(NpyWriter, ReportsAFullDiskAndKeepsTheDevice) {
  auto writer = NpyWriter::create("/dev/full", 1, 1);
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->append(std::vector<float>{1}));  // still in the buffer
  const auto finished = writer->finish();
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, Code::unavailable);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

}  // namespace
}  // namespace quern::measure
