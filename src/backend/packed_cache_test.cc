// The folder of packed weights: what is found is what was meant, and the folder stays within
// bounds.
#include "backend/packed_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "support/files_of.h"
#include "support/temporary_folder.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using testing::FilesOf;
using testing::make_tiny_llama;

constexpr int64_t kMatrixBytes = 100'000;

class PackedFolder : public ::testing::Test {
 protected:
  PackedContents contents(const std::string& key) const {
    return {.key = key,
            .source = "/models/" + key,
            .matrices = {{"weight", Dtype::f32, 1, kMatrixBytes / 4, data_}}};
  }
  static bool always(double) { return true; }
  // As if it had been used that many seconds ago.
  static void age(const std::string& path, int64_t seconds) {
    const struct timespec then = {::time(nullptr) - seconds, 0}, times[2] = {then, then};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  std::vector<std::string> sources(const PackedCache& cache) const {
    std::vector<std::string> all;
    for (const CachedFile& file : cache.list()) all.push_back(file.source);
    return all;
  }

  TemporaryFolder temporary_{"packed_cache"};
  const fs::path folder_ = temporary_.path() / "packed";  // not there yet
  std::vector<std::byte> data_ = std::vector<std::byte>(kMatrixBytes, std::byte{7});
};

TEST_F(PackedFolder, GivesBackWhatItWasGiven) {
  const PackedCache cache((folder_ / "made" / "when needed").string());
  EXPECT_EQ(cache.find("a").error().code, Code::not_found);
  EXPECT_TRUE(cache.list().empty());
  const auto stored = cache.store(contents("a"), always);
  ASSERT_TRUE(stored) << to_string(stored.error());
  const auto file = cache.find("a");
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_EQ(file->contents.source, "/models/a");
  EXPECT_EQ(cache.find("b").error().code, Code::not_found);
  struct stat status;
  ASSERT_EQ(::stat(cache.folder().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(PackedFolder, TheNameOfAFileIsNotTrusted) {
  const PackedCache cache(folder_.string());
  ASSERT_TRUE(cache.store(contents("a"), always) && cache.store(contents("b"), always));
  const std::string a = cache.find("a")->map.path(), b = cache.find("b")->map.path();
  fs::rename(b, a);
  EXPECT_EQ(cache.find("a").error().code, Code::not_found);
}

TEST_F(PackedFolder, SaysWhatCannotBeUsed) {
  const PackedCache cache(folder_.string());
  ASSERT_TRUE(cache.store(contents("a"), always));
  fs::resize_file(cache.find("a")->map.path(), 1000);
  EXPECT_EQ(cache.find("a").error().code, Code::corrupt);
  ASSERT_EQ(cache.list().size(), 1u);
  EXPECT_EQ(cache.list()[0].source, "");
  ASSERT_TRUE(cache.store(contents("a"), always));
  EXPECT_TRUE(cache.find("a"));
}

TEST_F(PackedFolder, TheLeastRecentlyUsedGoes) {
  const PackedCache cache(folder_.string(), 3 * kMatrixBytes + 50'000);
  for (const char* key : {"a", "b", "c"}) {
    ASSERT_TRUE(cache.store(contents(key), always));
    age(cache.find(key)->map.path(), 1000 - key[0]);
  }
  EXPECT_EQ(sources(cache), (std::vector<std::string>{"/models/c", "/models/b", "/models/a"}));
  ASSERT_TRUE(cache.find("a"));  // a use
  EXPECT_EQ(sources(cache)[0], "/models/a");
  ASSERT_TRUE(cache.store(contents("d"), always));
  EXPECT_FALSE(cache.find("b"));
  for (const char* key : {"a", "c", "d"}) EXPECT_TRUE(cache.find(key)) << key;
}

TEST_F(PackedFolder, AnEarlierStateOfTheModelGoes) {
  const PackedCache cache(folder_.string());
  ASSERT_TRUE(cache.store(contents("before"), always));
  PackedContents after = contents("after");
  after.source = contents("before").source;
  ASSERT_TRUE(cache.store(after, always));
  EXPECT_FALSE(cache.find("before"));
  EXPECT_TRUE(cache.find("after"));
}

TEST_F(PackedFolder, RefusesWhatIsLargerThanItMayBecome) {
  const PackedCache cache(folder_.string(), kMatrixBytes / 2);
  EXPECT_EQ(cache.store(contents("a"), always).error().code, Code::unavailable);
  EXPECT_TRUE(cache.list().empty());
}

TEST_F(PackedFolder, OthersTemporaryFilesGoWhenTheyAreOld) {
  const PackedCache cache(folder_.string());
  ASSERT_TRUE(cache.store(contents("a"), always));
  const std::string path = cache.find("a")->map.path();
  const std::string fresh = path + ".part-1", old = path + ".part-2";
  std::ofstream(fresh) << "x";
  std::ofstream(old) << "x";
  age(old, 7200);
  ASSERT_TRUE(cache.store(contents("b"), always));
  EXPECT_TRUE(fs::exists(fresh));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(cache.find("a"));
}

TEST_F(PackedFolder, IsClearedOfItsOwnFilesAlone) {
  const PackedCache cache(folder_.string());
  ASSERT_TRUE(cache.store(contents("a"), always) && cache.store(contents("b"), always));
  std::ofstream(folder_ / "mine.txt") << "x";
  const auto n = cache.clear();
  ASSERT_TRUE(n);
  EXPECT_EQ(*n, 2);
  EXPECT_TRUE(cache.list().empty());
  EXPECT_TRUE(fs::exists(folder_ / "mine.txt"));
}

TEST_F(PackedFolder, AFolderThatCannotBeIsAnError) {
  std::ofstream(folder_) << "a file";
  const PackedCache cache((folder_ / "packed").string());
  EXPECT_EQ(cache.store(contents("a"), always).error().code, Code::unavailable);
  EXPECT_EQ(cache.find("a").error().code, Code::not_found);
  fs::remove(folder_);
}

TEST(PackedKey, ChangesWithEveryPartOfTheIdentity) {
  const FileIdentity one = {
      .inode = 1, .bytes = 2, .modified_ns = 3, .changed_ns = 4, .settled = true};
  const auto key = [](std::vector<FileIdentity> files) {
    return packed_key(FilesOf(make_tiny_llama({}), std::move(files)));
  };
  const auto plain = key({one});
  ASSERT_TRUE(plain);
  EXPECT_EQ(key({one}), plain);
  FileIdentity other = one;
  other.inode = 9;
  EXPECT_NE(key({other}), plain);
  other = one;
  other.bytes = 9;
  EXPECT_NE(key({other}), plain);
  other = one;
  other.modified_ns = 9;
  EXPECT_NE(key({other}), plain);
  other = one;
  other.changed_ns = 9;
  EXPECT_NE(key({other}), plain);
  EXPECT_NE(key({one, one}), plain);
}

TEST(PackedKey, ThereIsNoneWhereAChangeMightNotShow) {
  EXPECT_FALSE(packed_key(*make_tiny_llama({})));  // no file at all
  EXPECT_FALSE(packed_key(FilesOf(make_tiny_llama({}), {{.settled = true}, {.settled = false}})));
}

}  // namespace
}  // namespace quern
