#include "base/mapped_file.h"

#include <fcntl.h>
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

TEST(MappedFile, AnyWriteChangesItsIdentity) {
  const std::string path = temporary("identity");
  std::ofstream(path) << "hello";
  const FileIdentity before = MappedFile::open(path)->identity();
  EXPECT_EQ(before.bytes, 5);
  EXPECT_FALSE(before.settled);  // written just now: the next change might get the same time
  const auto same = MappedFile::open(path)->identity();
  EXPECT_EQ(same.inode, before.inode);
  EXPECT_EQ(same.modified_ns, before.modified_ns);
  EXPECT_EQ(same.changed_ns, before.changed_ns);

  ::usleep(20000);  // more than a step of the file system's clock
  std::ofstream(path) << "jello";
  struct timespec times[2] = {};  // even with the old time of modification put back
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = before.modified_ns / 1'000'000'000;
  times[1].tv_nsec = before.modified_ns % 1'000'000'000;
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  const FileIdentity after = MappedFile::open(path)->identity();
  EXPECT_EQ(after.modified_ns, before.modified_ns);
  EXPECT_NE(after.changed_ns, before.changed_ns);
  ::unlink(path.c_str());
  EXPECT_TRUE(MappedFile::open(QUERN_SOURCE_DIR "/LICENSE")->identity().settled);
}

TEST(MappedFile, LargePagesAreOnlyAHint) {
  const std::string path = temporary("large");
  std::ofstream(path) << std::string(5 << 20, 'x');
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  file->want_large_pages();
  for (size_t i = 0; i < file->bytes().size(); i += 4096)
    ASSERT_EQ(file->bytes()[i], std::byte{'x'});
  ::unlink(path.c_str());
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
