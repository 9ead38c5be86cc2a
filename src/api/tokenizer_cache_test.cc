#include "api/tokenizer_cache.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "api/load_text.h"
#include "api/vocabulary_from_gguf.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

// A vocabulary that is just worth keeping, in a file whose identity a test can change.
class Source : public WeightSource {
 public:
  explicit Source(size_t n_tokens = TokenizerCache::kSmallVocabulary) {
    std::vector<std::string> tokens;
    for (int byte = '!'; byte <= '~'; ++byte) tokens.push_back(std::string(1, byte));
    StringArray merges;
    const size_t n_characters = tokens.size();
    for (size_t i = 0; tokens.size() < n_tokens; ++i) {
      const std::string &left = tokens[i / n_characters], &right = tokens[i % n_characters];
      merges.push_back(left + " " + right);
      tokens.push_back(left + right);
    }
    metadata_.entries["tokenizer.ggml.model"] = std::string("gpt2");
    metadata_.entries["tokenizer.ggml.pre"] = std::string("smollm");
    metadata_.entries["tokenizer.ggml.tokens"] = StringArray(tokens);
    metadata_.entries["tokenizer.ggml.merges"] = std::move(merges);
  }
  const std::string& path() const override { return path_; }
  std::string_view format() const override { return "test"; }
  const std::string& architecture() const override { return path_; }
  const Metadata& metadata() const override { return metadata_; }
  std::span<const Weight> weights() const override { return {}; }
  int64_t file_bytes() const override { return 0; }
  std::vector<FileIdentity> files() const override { return {identity}; }

  Metadata& change() { return metadata_; }
  FileIdentity identity = {
      .inode = 1, .bytes = 2, .modified_ns = 3, .changed_ns = 4, .settled = true};

 private:
  std::string path_ = "folder/model.gguf";
  Metadata metadata_;
};

std::string key_of(const Source& source) {
  const auto vocabulary = read_vocabulary(source);
  EXPECT_TRUE(vocabulary) << to_string(vocabulary.error());
  return tokenizer_key(source, *vocabulary).value_or("");
}

class TokenizerCacheTest : public testing::Test {
 protected:
  // What a load does; the notes go to notes_.
  Tokenizer loaded(const Source& source, bool keep = true) {
    const auto vocabulary = read_vocabulary(source);
    EXPECT_TRUE(vocabulary) << to_string(vocabulary.error());
    std::optional<TokenizerToKeep> made;
    notes_.clear();
    auto tokenizer = make_tokenizer(source, *vocabulary, &notes_, folder_, &made);
    EXPECT_TRUE(tokenizer) << to_string(tokenizer.error());
    made_ = made.has_value();
    if (made && keep) EXPECT_TRUE(made->keep());
    return *tokenizer;
  }
  std::string only_file() const {
    const auto files = cache().list();
    EXPECT_EQ(files.size(), 1u);
    return files.empty() ? "" : files[0].path;
  }
  TokenizerCache cache() const { return TokenizerCache(folder_); }

  TemporaryFolder temporary_{"tokenizer_cache"};
  const std::string folder_ = (temporary_.path() / "packed").string();
  std::vector<std::string> notes_;
  bool made_ = false;
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST_F(TokenizerCacheTest, TheSecondStartFindsWhatTheFirstKept) {
  const Source source;
  const Tokenizer fresh = loaded(source);
  EXPECT_TRUE(made_);
  const Tokenizer kept = loaded(source);
  EXPECT_FALSE(made_);
  EXPECT_TRUE(notes_.empty());
  ASSERT_EQ(kept.n_vocab(), fresh.n_vocab());
  for (int32_t id = -1; id <= kept.n_vocab(); id += 97) {
    EXPECT_EQ(kept.piece(id), fresh.piece(id));
    EXPECT_EQ(kept.bytes(id, true), fresh.bytes(id, true));
  }
  for (const char* text : {"", "Hello, world!", "(((())))--~~", "\xff\xfe x"})
    EXPECT_EQ(*kept.encode(text), *fresh.encode(text)) << text;
  const CachedFile file = cache().list().at(0);
  EXPECT_EQ(file.source, source.path());
  EXPECT_GT(file.bytes, 1 << 20);
  EXPECT_TRUE(TokenizerCache::check(file.path));
}

TEST_F(TokenizerCacheTest, ATokenizerOutlivesItsFile) {
  const Source source;
  loaded(source);
  const Tokenizer kept = loaded(source);
  EXPECT_EQ(*cache().clear(), 1);
  EXPECT_EQ(kept.piece(0), "!");
  EXPECT_TRUE(kept.encode("still here"));
}

TEST(TokenizerKey, ChangesWithTheFileAndWithTheVocabulary) {
  const Source source;
  const std::string key = key_of(source);
  ASSERT_FALSE(key.empty());
  EXPECT_EQ(key_of(Source()), key);
  using Change = std::function<void(Source&)>;
  const std::pair<const char*, Change> kChanges[] = {
      {"inode", [](Source& s) { s.identity.inode = 9; }},
      {"size", [](Source& s) { s.identity.bytes = 9; }},
      {"time", [](Source& s) { s.identity.modified_ns = 9; }},
      {"time of change", [](Source& s) { s.identity.changed_ns = 9; }},
      {"pre", [](Source& s) { s.change().entries["tokenizer.ggml.pre"] = std::string("gpt-2"); }},
      {"bos", [](Source& s) { s.change().entries["tokenizer.ggml.bos_token_id"] = int64_t{1}; }},
      {"bos flag", [](Source& s) { s.change().entries["tokenizer.ggml.add_bos_token"] = true; }},
      {"merges",
       [](Source& s) {
         std::get<StringArray>(s.change().entries["tokenizer.ggml.merges"]).push_back("! !!");
       }},
      {"types",
       [](Source& s) {
         std::vector<int64_t> types(TokenizerCache::kSmallVocabulary, 1);
         types[7] = 4;
         s.change().entries["tokenizer.ggml.token_type"] = types;
       }},
  };
  for (const auto& [what, change] : kChanges) {
    Source changed;
    change(changed);
    EXPECT_NE(key_of(changed), key) << what;
    EXPECT_NE(key_of(changed), "") << what;
  }
}

TEST(TokenizerKey, IsNothingWhereNothingShouldBeKept) {
  EXPECT_EQ(key_of(Source(TokenizerCache::kSmallVocabulary - 1)), "");
  Source unsettled;
  unsettled.identity.settled = false;
  EXPECT_EQ(key_of(unsettled), "");
}

TEST_F(TokenizerCacheTest, DamageCostsANoteAndNothingElse) {
  const Source source;
  const Tokenizer fresh = loaded(source);
  const std::string path = only_file(), whole = read(path);
  const size_t header = whole.size() - fresh.tables().size();
  const auto expect_refused = [&](const std::string& bytes, const std::string& what) {
    write(path, bytes);
    const auto found = cache().find(key_of(source));
    EXPECT_FALSE(found) << what;
    EXPECT_FALSE(TokenizerCache::check(path)) << what;
  };
  for (const size_t length : {size_t{0}, size_t{7}, size_t{31}, header - 1, header, header + 40,
                              whole.size() / 2, whole.size() - 1})
    expect_refused(whole.substr(0, length), "cut to " + std::to_string(length));
  expect_refused(whole + "x", "longer");
  for (size_t at = 0; at < header; at += at < 32 ? 1 : 11) {
    std::string bytes = whole;
    bytes[at] ^= 0x10;
    expect_refused(bytes, "header byte " + std::to_string(at));
  }
  for (size_t i = 0; i < 24; ++i) {
    std::string bytes = whole;
    const size_t at = header + i * 2654435761u % fresh.tables().size();
    bytes[at] ^= static_cast<char>(1 << i % 8);
    expect_refused(bytes, "data byte " + std::to_string(at));
  }
  // A load says so once, and makes it anew.
  const Tokenizer again = loaded(source);
  EXPECT_TRUE(made_);
  ASSERT_EQ(notes_.size(), 1u);
  EXPECT_NE(notes_[0].find(fs::path(path).filename().string()), std::string::npos);
  EXPECT_EQ(*again.encode("Hello"), *fresh.encode("Hello"));
  loaded(source);
  EXPECT_FALSE(made_);
  EXPECT_TRUE(notes_.empty());
}

// A whole file with the right name that holds something else.
TEST_F(TokenizerCacheTest, AFileOfAnotherKeyIsNotTaken) {
  const Source source;
  const Tokenizer fresh = loaded(source);
  const std::string path = only_file();
  ASSERT_TRUE(cache().store("another key", "x", fresh.tables()));
  for (const CachedFile& file : cache().list())
    if (file.path != path) fs::rename(file.path, path);
  const auto found = cache().find(key_of(source));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::not_found);
}

TEST_F(TokenizerCacheTest, TablesThatAreNoneAreRefused) {
  ASSERT_TRUE(cache().store("key", "x", std::as_bytes(std::span("no tables at all"))));
  const auto found = cache().find("key");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::corrupt);
}

TEST_F(TokenizerCacheTest, ReplacesThoseOfTheSameModelAndBoundsTheirNumber) {
  const std::string_view text = "tables";
  const auto bytes = std::as_bytes(std::span(text));
  ASSERT_TRUE(cache().store("one", "model", bytes));
  ASSERT_TRUE(cache().store("two", "model", bytes));
  EXPECT_EQ(cache().list().size(), 1u);
  for (size_t i = 0; i < TokenizerCache::kMostFiles + 3; ++i)
    ASSERT_TRUE(cache().store(std::to_string(i), "model " + std::to_string(i), bytes));
  EXPECT_EQ(cache().list().size(), TokenizerCache::kMostFiles);
}

TEST_F(TokenizerCacheTest, AFolderThatCannotBeIsAnError) {
  const auto stored = TokenizerCache("/dev/null/packed").store("key", "model", {});
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, Code::unavailable);
  EXPECT_FALSE(TokenizerCache("/dev/null/packed").find("key"));
  EXPECT_TRUE(TokenizerCache("/dev/null/packed").list().empty());
}

}  // namespace
}  // namespace quern
