// Files of packed weights: what is written is read, and nothing that is damaged, cut or made up
// gets past the checks or makes them read outside of the file.
#include "backend/packed_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "base/checksum.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

class PackedFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 random(1);
    for (Bytes* data : {&first_, &second_, &third_})
      for (std::byte& b : *data) b = static_cast<std::byte>(random());
  }

  PackedContents contents() const {
    return {.key = "the key",
            .source = "/models/a model.gguf",
            .matrices = {{"blk.0.attn_q.weight", Dtype::q4_0, 32, 64, first_},
                         {"empty", Dtype::f16, 0, 7, {}},
                         {"output.weight", Dtype::q6_k, 33, 256, second_},
                         {"last", Dtype::f32, 1, 1, third_}}};
  }
  static bool always(double) { return true; }
  Bytes written() const {
    const auto done = write_packed(path_, contents(), always);
    EXPECT_TRUE(done) << to_string(done.error());
    std::ifstream in(path_, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto* at = reinterpret_cast<const std::byte*>(text.data());
    return {at, at + text.size()};
  }

  TemporaryFolder temporary_{"packed_file"};
  const fs::path& folder_ = temporary_.path();
  const std::string path_ = (folder_ / "weights").string();
  Bytes first_ = Bytes(1216), second_ = Bytes(3000), third_ = Bytes(100);
};

// Where the header keeps its own length and checksum, and what the checksum is of.
constexpr size_t kLengthAt = 16, kSumAt = 24, kSummed = 32;

uint64_t number_at(const Bytes& bytes, size_t at) {
  uint64_t value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}
void set_number(Bytes& bytes, size_t at, uint64_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}
// A header by somebody who knows the format: its checksum is right.
void sign(Bytes& bytes) {
  const auto summed = std::span(bytes).first(number_at(bytes, kLengthAt)).subspan(kSummed);
  set_number(bytes, kSumAt, checksum(summed));
}

TEST_F(PackedFiles, AreReadAsTheyWereWritten) {
  written();
  const auto file = PackedFile::open(path_);
  ASSERT_TRUE(file) << to_string(file.error());
  const PackedContents expected = contents();
  EXPECT_EQ(file->contents.key, expected.key);
  EXPECT_EQ(file->contents.source, expected.source);
  ASSERT_EQ(file->contents.matrices.size(), expected.matrices.size());
  for (size_t i = 0; i < expected.matrices.size(); ++i) {
    const PackedEntry &entry = file->contents.matrices[i], &was = expected.matrices[i];
    EXPECT_EQ(entry.name, was.name);
    EXPECT_EQ(entry.dtype, was.dtype);
    EXPECT_EQ(entry.n_out, was.n_out);
    EXPECT_EQ(entry.n_in, was.n_in);
    ASSERT_EQ(entry.data.size(), was.data.size());
    EXPECT_TRUE(std::equal(entry.data.begin(), entry.data.end(), was.data.begin()));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(entry.data.data()) % 64, 0u);
  }
  EXPECT_EQ(file->find("output.weight"), &file->contents.matrices[2]);
  EXPECT_EQ(file->find("absent"), nullptr);
  EXPECT_TRUE(file->check_data());
}

TEST_F(PackedFiles, AHeaderWithAnyByteChangedIsRefused) {
  Bytes bytes = written();
  ASSERT_TRUE(parse_packed(bytes, "it"));
  const uint64_t length = number_at(bytes, kLengthAt);
  for (size_t i = 0; i < length; ++i) {
    for (const int change : {1, 0x80, 0xff}) {
      bytes[i] ^= static_cast<std::byte>(change);
      const auto parsed = parse_packed(bytes, "it");
      ASSERT_FALSE(parsed) << "byte " << i;
      EXPECT_TRUE(parsed.error().code == Code::corrupt || parsed.error().code == Code::unsupported);
      bytes[i] ^= static_cast<std::byte>(change);
    }
  }
}

TEST_F(PackedFiles, ACutFileIsRefusedWhereverItIsCut) {
  const Bytes bytes = written();
  const size_t length = number_at(bytes, kLengthAt);
  for (size_t n = 0; n < bytes.size(); n += n < length + 100 ? 1 : 41) {
    // A copy of this length, so that a sanitizer sees a read behind it.
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<int64_t>(n));
    ASSERT_FALSE(parse_packed(cut, "it")) << n;
  }
  Bytes longer = bytes;
  longer.push_back({});
  EXPECT_FALSE(parse_packed(longer, "it"));
}

// Every number of the header in turn, with a checksum that fits.
TEST_F(PackedFiles, NoNumberLeadsOutsideTheFile) {
  const Bytes good = written();
  const uint64_t length = number_at(good, kLengthAt);
  for (size_t at = kLengthAt; at + 8 <= length; ++at) {
    for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 32, uint64_t{1} << 63,
                                 ~uint64_t{0}, ~uint64_t{63}, uint64_t{good.size()}}) {
      Bytes bytes = good;
      set_number(bytes, at, value);
      if (number_at(bytes, kLengthAt) > bytes.size() || number_at(bytes, kLengthAt) < kSummed) {
        EXPECT_FALSE(parse_packed(bytes, "it"));
        continue;
      }
      if (at != kSumAt) sign(bytes);
      const auto parsed = parse_packed(bytes, "it");
      if (!parsed) continue;
      for (const PackedEntry& entry : parsed->matrices) {
        ASSERT_GE(entry.data.data(), bytes.data());
        ASSERT_LE(entry.data.data() + entry.data.size(), bytes.data() + bytes.size());
        ASSERT_GE(entry.n_out, 0);
        ASSERT_GE(entry.n_in, 0);
      }
    }
  }
}

TEST_F(PackedFiles, DamagedDataIsFoundWhereItIsLookedFor) {
  const Bytes bytes = written();
  const auto at = static_cast<int64_t>(bytes.size()) - 1000;  // inside output.weight
  std::fstream(path_, std::ios::in | std::ios::out | std::ios::binary)
      .seekp(at)
      .put(static_cast<char>(~std::to_integer<int>(bytes[at])));
  const auto file = PackedFile::open(path_);
  ASSERT_TRUE(file);
  const auto checked = file->check_data();
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().what.find("output.weight"), std::string::npos);
}

TEST_F(PackedFiles, AnotherVersionIsNotRead) {
  Bytes bytes = written();
  bytes[8] = std::byte{99};
  EXPECT_EQ(parse_packed(bytes, "it").error().code, Code::unsupported);
}

TEST_F(PackedFiles, WritingCanBeGivenUp) {
  std::vector<double> shares;
  const auto given_up = write_packed(path_, contents(), [&](double done) {
    shares.push_back(done);
    return shares.size() < 3;
  });
  EXPECT_EQ(given_up.error().code, Code::cancelled);
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(PackedFiles, LargeOnesBeginTheirDataAtALargePage) {
  second_.resize(5 << 20);
  const Bytes bytes = written();
  const auto parsed = parse_packed(bytes, "it");
  ASSERT_TRUE(parsed);
  EXPECT_EQ((parsed->matrices[0].data.data() - bytes.data()) % (2 << 20), 0);
  PackedContents small = contents();
  small.matrices.resize(1);
  ASSERT_TRUE(write_packed(path_, small, always));
  EXPECT_LT(fs::file_size(path_), 10000u);
}

}  // namespace
}  // namespace quern
