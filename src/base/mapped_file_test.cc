#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace quern {
namespace {

std::string temporary(const char* name) {
  return ::testing::TempDir() + "mapped_file_" + std::to_string(::getpid()) + "_" + name;
}

TEST(MappedFile, LendsTheBytesAndMoves) {
  const std::string path = temporary("plain");
  std::ofstream(path) << "hello";
  auto opened = MappedFile::open(path);
  ASSERT_TRUE(opened) << to_string(opened.error());
  MappedFile file = std::move(*opened);
  ::unlink(path.c_str());  // a deleted file stays readable while it is mapped
  ASSERT_EQ(file.bytes().size(), 5u);
  EXPECT_EQ(file.bytes()[4], std::byte{'o'});
  EXPECT_EQ(file.path(), path);
}

TEST(MappedFile, WhatWasGivenBackCanStillBeRead) {
  const std::string path = temporary("given_back");
  std::ofstream(path) << std::string(100000, 'x');
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  file->give_back(file->bytes());
  file->give_back(file->bytes().subspan(5000, 3));  // less than a page: nothing happens
  file->give_back(file->bytes().last(1));
  for (const std::byte b : file->bytes()) ASSERT_EQ(b, std::byte{'x'});
  ::unlink(path.c_str());
}

TEST(MappedFile, AnEmptyFileIsAnEmptySpan) {
  const std::string path = temporary("empty");
  std::ofstream(path).close();
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_TRUE(file->bytes().empty());
  ::unlink(path.c_str());
}

TEST(MappedFile, RefusesWhatIsNoFileWithoutBlocking) {
  const std::string pipe = temporary("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(MappedFile::open(pipe).error().code, Code::invalid_argument);
  ::unlink(pipe.c_str());
  EXPECT_EQ(MappedFile::open("/dev/zero").error().code, Code::invalid_argument);
  EXPECT_EQ(MappedFile::open("/").error().what, "not a file but a folder");
  EXPECT_EQ(MappedFile::open(temporary("absent")).error().code, Code::not_found);
  EXPECT_EQ(MappedFile::open(std::string("a\0b", 3)).error().code, Code::invalid_argument);
  EXPECT_EQ(MappedFile::open("").error().code, Code::not_found);
}

TEST(MappedFile, SaysThatPermissionIsMissing) {
  const std::string path = temporary("secret");
  std::ofstream(path) << "x";
  ::chmod(path.c_str(), 0);
  const uid_t user = ::geteuid();
  constexpr uid_t kNobody = 65534;
  if (user == 0) {
    ASSERT_EQ(::seteuid(kNobody), 0);  // root may read everything
  }
  const auto refused = MappedFile::open(path);
  if (user == 0) {
    ASSERT_EQ(::seteuid(user), 0);
  }
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::unavailable);
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace quern
