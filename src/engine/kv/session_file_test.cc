#include "engine/kv/session_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>

#include "engine/fake_executor.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

class SessionFile : public testing::Test {
 protected:
  SessionFile() {
    table_.grow(7);
    for (int i = 0; i < 2; ++i) executor_.write_page(0, table_.pages()[i], page(i));
    CHECK(save_session(path_, identity_, session_, table_, executor_), "it can be saved");
  }
  static std::vector<std::byte> page(int i) {
    std::vector<std::byte> bytes(16);
    for (int j = 0; j < 16; ++j) bytes[j] = static_cast<std::byte>(i * 16 + j);
    return bytes;
  }
  Result<Session> restore(const PageIdentity& identity) {
    return restore_session(path_, identity, executor_, tree_, restored_);
  }
  Code failure(const PageIdentity& identity) {
    const auto session = restore(identity);
    if (session) return Code::cancelled;  // none of those that are expected
    EXPECT_TRUE(restored_.pages().empty());
    EXPECT_EQ(pool_.n_free(), 6);
    return session.error().code;
  }
  Code failure() { return failure(identity_); }

  TemporaryFolder folder_{"quern_session"};
  const std::string path_ = (folder_.path() / "session").string();
  FakeExecutor executor_{{.page_tokens = 4, .n_pages = 8}};
  CachePools pools_{executor_};
  PagePool& pool_ = pools_[0];
  PrefixTree tree_{pools_, executor_, 8};
  PageTable table_{pools_}, restored_{pools_};
  const PageIdentity identity_ = page_identity("model", executor_);
  const Session session_{"salt", {1, 2, 3, 4, 5 | 1 << 30, 6, -7}, nullptr};
};

TEST_F(SessionFile, ComesBackAsItWas) {
  const auto session = restore(identity_);
  ASSERT_TRUE(session) << to_string(session.error());
  EXPECT_EQ(session->salt, session_.salt);
  EXPECT_EQ(session->keys, session_.keys);
  ASSERT_EQ(restored_.pages().size(), 2u);
  for (int i = 0; i < 2; ++i) {
    std::vector<std::byte> bytes(16);
    executor_.read_page(0, restored_.pages()[i], bytes);
    EXPECT_EQ(bytes, page(i));
  }
  tree_.keep(session->salt, session->keys, restored_);
  EXPECT_EQ(tree_.take("salt", session_.keys, 7, restored_), 7);
}

TEST_F(SessionFile, EveryShortenedOneIsRefused) {
  const std::string whole = read_file(path_);
  for (size_t n = 0; n < whole.size(); ++n) {
    write_file(path_, whole.substr(0, n));
    ASSERT_EQ(failure(), Code::corrupt) << n << " bytes";
  }
  write_file(path_, whole + "x");
  EXPECT_EQ(failure(), Code::corrupt);
}

TEST_F(SessionFile, EveryFlippedBitIsFound) {
  const std::string whole = read_file(path_);
  const size_t header = whole.size() - 2 * 16;
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    write_file(path_, damaged);
    const auto session = restore(identity_);
    if (session) {  // only in what lies between header and pages
      ASSERT_LT(bit / 8, header);
      ASSERT_GE(bit / 8 + 64, header);
      ASSERT_EQ(session->keys, session_.keys);
      restored_.shrink(0);
      continue;
    }
    const bool version = bit / 8 >= 8 && bit / 8 < 16;
    ASSERT_EQ(session.error().code, version ? Code::unsupported : Code::corrupt) << bit;
    ASSERT_EQ(pool_.n_free(), 6);
  }
}

TEST_F(SessionFile, IsForOneModelAndOneKindOfCache) {
  PageIdentity other = identity_;
  other.model = "other";
  EXPECT_EQ(failure(other), Code::unsupported);
  other = identity_;
  other.layout = "int8";
  EXPECT_EQ(failure(other), Code::unsupported);
  EXPECT_NE(restore(other).error().what.find("int8"), std::string::npos);
  other = identity_;
  other.parts[0].page_bytes = 32;
  EXPECT_EQ(failure(other), Code::unsupported);
  EXPECT_TRUE(restore(identity_));
}

TEST_F(SessionFile, WhatIsNotThereOrNoFileIsAnError) {
  fs::remove(path_);
  EXPECT_EQ(failure(), Code::not_found);
  fs::create_directory(path_);
  EXPECT_EQ(failure(), Code::invalid_argument);
  EXPECT_EQ(save_session(path_ + "/no/such", identity_, session_, table_, executor_).error().code,
            Code::unavailable);
}

TEST_F(SessionFile, NeedsFreeOrIdlePages) {
  PageTable taken(pools_);
  taken.grow(24);
  const auto session = restore(identity_);
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, Code::out_of_memory);
  std::vector<int32_t> keys(24);
  std::iota(keys.begin(), keys.end(), 0);
  tree_.keep("", keys, taken);
  EXPECT_TRUE(restore(identity_));
  EXPECT_EQ(tree_.n_pages(), 4);
}

TEST_F(SessionFile, AnEmptySequenceIsOne) {
  ASSERT_TRUE(save_session(path_, identity_, {"", {}, nullptr}, PageTable(pools_), executor_));
  const auto session = restore(identity_);
  ASSERT_TRUE(session);
  EXPECT_TRUE(session->keys.empty());
}

}  // namespace
}  // namespace quern
