// A model whose weights come from the file of an earlier load computes the same bits, and a file
// that does not hold just these weights is never used.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "backend/packed_cache.h"
#include "compile/compile.h"
#include "support/files_of.h"
#include "support/temporary_folder.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using testing::FilesOf;
using testing::make_tiny_llama;
using testing::TinyLlama;

// Two formats of matrices, and one of vocabulary.
const TinyLlama kShape = {
    .width = 256, .ffn = 512, .head_dim = 64, .linears = Dtype::q4_0, .embedding = Dtype::q6_k};

class PackedReuse : public ::testing::Test {
 protected:
  struct Load {
    std::vector<float> logits;
    std::optional<PackedContents> packed;  // what could be kept; nothing: weights came from a file
    std::vector<std::string> notes;
    std::string program;
  };

  // Loads, computes, and keeps the packed weights if there are any.
  Load load(const TinyLlama& shape = kShape, Numerics numerics = Numerics::automatic,
            bool keep = true) {
    Load result;
    CompileOptions options = {.threads = 2,
                              .numerics = numerics,
                              .max_rows = 16,
                              .cache_tokens = 128,
                              .packed_folder = folder_.string()};
    options.note = [&](const std::string& text) { result.notes.push_back(text); };
    options.packed = [&](PackedContents contents, double seconds) {
      EXPECT_GT(seconds, 0);
      result.packed = std::move(contents);
    };
    options.dump = "emit";
    options.dump_out = [&](std::string_view, std::string_view text) { result.program = text; };
    const auto executor =
        compile(std::make_shared<FilesOf>(make_tiny_llama(shape), std::vector{identity_}), options);
    EXPECT_TRUE(executor) << to_string(executor.error());
    if (!executor) return result;
    const std::vector<int32_t> tokens{1, 7, 3, 90, 4}, pages{0, 1};
    const std::vector<Chunk> chunks{{0, 5, 0, pages, 2}};
    const std::vector<int32_t> used{3, 4};
    result.logits.resize(used.size() * (*executor)->n_vocab());
    EXPECT_TRUE((*executor)->forward({tokens, chunks, used}, result.logits));
    if (keep && result.packed) {
      const auto stored =
          PackedCache(folder_.string()).store(*result.packed, [](double) { return true; });
      EXPECT_TRUE(stored) << to_string(stored.error());
    }
    return result;
  }
  std::string file() const {
    const auto files = PackedCache(folder_.string()).list();
    EXPECT_EQ(files.size(), 1u);
    return files.empty() ? "" : files[0].path;
  }
  // Writes the kept file anew with other contents under its key.
  void replace(const std::function<void(PackedContents&)>& change) {
    auto kept = PackedFile::open(file());
    ASSERT_TRUE(kept);
    change(kept->contents);
    ASSERT_TRUE(write_packed(file(), kept->contents, [](double) { return true; }));
  }
  void expect_packed_anew(const Load& first, const char* why) {
    const Load again = load(kShape, Numerics::automatic, false);
    EXPECT_TRUE(again.packed) << why;
    EXPECT_EQ(again.logits, first.logits) << why;
    EXPECT_EQ(again.notes.size(), 1u) << why;
  }

  TemporaryFolder temporary_{"packed_reuse"};
  const fs::path& folder_ = temporary_.path();
  FileIdentity identity_ = {
      .inode = 5, .bytes = 6, .modified_ns = 7, .changed_ns = 8, .settled = true};
};

TEST_F(PackedReuse, ASecondLoadMapsAndComputesTheSameBits) {
  const Load first = load();
  EXPECT_TRUE(first.packed);
  const Load second = load();
  EXPECT_FALSE(second.packed);
  EXPECT_EQ(second.logits, first.logits);
  EXPECT_NE(second.program.find("mapped from " + file()), std::string::npos);
  EXPECT_TRUE(first.notes.empty() && second.notes.empty());
}

TEST_F(PackedReuse, OneFileServesAllNumerics) {
  const Load automatic = load();
  const Load fine = load(kShape, Numerics::fine);
  EXPECT_FALSE(fine.packed);
  EXPECT_NE(fine.logits, automatic.logits);
  EXPECT_FALSE(load(kShape, Numerics::exact).packed);  // packs nothing
}

TEST_F(PackedReuse, AChangedModelIsPackedAnew) {
  const Load first = load();
  identity_.changed_ns += 1;
  TinyLlama other = kShape;
  other.seed = 2;
  const Load changed = load(other);
  EXPECT_TRUE(changed.packed);
  EXPECT_NE(changed.logits, first.logits);
  EXPECT_TRUE(changed.notes.empty());
  EXPECT_EQ(load(other).logits, changed.logits);
}

TEST_F(PackedReuse, AModelWrittenJustNowIsNotKept) {
  identity_.settled = false;
  EXPECT_FALSE(load().packed);
  EXPECT_TRUE(PackedCache(folder_.string()).list().empty());
}

TEST_F(PackedReuse, WhatIsCutOrNoSuchFileIsPackedAnew) {
  const Load first = load();
  const auto bytes = static_cast<int64_t>(fs::file_size(file()));
  for (const int64_t n : {bytes - 1, bytes / 2, int64_t{40}, int64_t{0}}) {
    fs::resize_file(file(), n);
    expect_packed_anew(first, "cut");
  }
  std::ofstream(file()) << "something else";
  expect_packed_anew(first, "foreign");
}

TEST_F(PackedReuse, AFileOfOtherMatricesIsNotUsed) {
  const Load first = load();
  replace([](PackedContents& c) { c.matrices[0].n_out *= 2; });
  expect_packed_anew(first, "shape");
  load();
  replace([](PackedContents& c) { c.matrices[1].name = "another"; });
  expect_packed_anew(first, "name");
  load();
  replace([](PackedContents& c) { c.matrices[0].dtype = Dtype::q4_1; });
  expect_packed_anew(first, "type");
  load();
  replace([](PackedContents& c) { c.matrices.pop_back(); });
  expect_packed_anew(first, "missing");
  load();
  replace([](PackedContents& c) { c.matrices[0].data = c.matrices[0].data.first(64); });
  expect_packed_anew(first, "length");
}

// As a program with another packed layout would leave it.
TEST_F(PackedReuse, AFilePackedAnotherWayIsNotUsed) {
  const Load first = load();
  for (const Dtype type : {Dtype::q4_0, Dtype::q6_k}) {
    std::vector<std::vector<std::byte>> changed;
    replace([&](PackedContents& c) {
      for (PackedEntry& entry : c.matrices) {
        if (entry.dtype != type) continue;
        changed.emplace_back(entry.data.begin(), entry.data.end());
        for (std::byte& b : changed.back()) b ^= std::byte{1};
        entry.data = changed.back();
      }
    });
    expect_packed_anew(first, "layout");
    load();
  }
}

}  // namespace
}  // namespace quern
