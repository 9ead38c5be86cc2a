#include "tuning/record_store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "compile/targets.h"
#include "tuning/recorded.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

const TuningKey kKey = {"Some CPU", "avx2", 4, 1};
const std::string kProduct = "product 576 x 576 q4_1";

TuningRecord record(const std::string& product, const std::string& parameter, int value) {
  return {.key = kKey, .product = product, .parameter = parameter, .value = value, .gain = 0.25};
}

class RecordStoreTest : public testing::Test {
 protected:
  RecordStoreTest()
      : folder_(fs::temp_directory_path() /
                ("quern-records-" +
                 std::to_string(std::hash<std::thread::id>()(std::this_thread::get_id())) + "-" +
                 std::to_string(reinterpret_cast<uintptr_t>(this)))) {}
  ~RecordStoreTest() override { fs::remove_all(folder_); }

  std::string path() const { return (folder_ / "quern" / "tuning.sqlite").string(); }
  RecordStore open(bool must_exist = false) const {
    auto store = RecordStore::open(path(), must_exist);
    EXPECT_TRUE(store) << to_string(store.error());
    return std::move(*store);
  }
  void write(const std::string& text) const {
    fs::create_directories(fs::path(path()).parent_path());
    std::ofstream(path(), std::ios::binary) << text;
  }

  fs::path folder_;
};

TEST_F(RecordStoreTest, GivesBackWhatItWasGivenAndKeepsOtherKeysApart) {
  TuningKey other = kKey;
  other.threads = 8;
  {
    RecordStore store = open();
    ASSERT_TRUE(store.replace(kKey, {kProduct, "b"},
                              {record(kProduct, "chunk_kib", 512), record(kProduct, "ahead", 1280),
                               record("b", "ahead", 2560)}));
    ASSERT_TRUE(store.replace(other, {"b"}, {record("b", "ahead", 10240)}));
  }
  const RecordStore store = open(true);
  const auto records = store.of(kKey);
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 3u);
  EXPECT_EQ((*records)[2].key, kKey);
  EXPECT_EQ((*records)[2].product, kProduct);
  EXPECT_EQ((*records)[2].parameter, "chunk_kib");
  EXPECT_EQ((*records)[2].value, 512);
  EXPECT_EQ((*records)[2].gain, 0.25);
  EXPECT_EQ((*records)[2].measured.size(), std::string("2026-11-22 10:31:00").size());
  EXPECT_EQ(store.all()->size(), 4u);
  for (auto change :
       {+[](TuningKey& k) { k.cpu = "Another"; }, +[](TuningKey& k) { k.isa = "amx"; },
        +[](TuningKey& k) { k.threads = 1; }, +[](TuningKey& k) { k.kernels = 2; }}) {
    TuningKey key = kKey;
    change(key);
    EXPECT_TRUE(store.of(key)->empty());
  }
}

TEST_F(RecordStoreTest, ReplacesWhatItKnewOfAProduct) {
  RecordStore store = open();
  ASSERT_TRUE(store.replace(kKey, {"a", "b"}, {record("a", "ahead", 1), record("b", "ahead", 2)}));
  ASSERT_TRUE(store.replace(kKey, {"a"}, {record("a", "chunk_kib", 3)}));
  auto records = store.of(kKey);
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ((*records)[0].parameter, "chunk_kib");
  ASSERT_TRUE(store.replace(kKey, {"a"}, {}));  // back to the defaults
  EXPECT_EQ(store.of(kKey)->size(), 1u);
  EXPECT_EQ(*store.clear(), 1);
  EXPECT_TRUE(store.all()->empty());
}

// What is refused in the middle leaves everything as it was.
TEST_F(RecordStoreTest, ReplacesAllOrNothing) {
  RecordStore store = open();
  ASSERT_TRUE(store.replace(kKey, {"a"}, {record("a", "ahead", 1)}));
  const auto failed =
      store.replace(kKey, {"a"}, {record("a", "ahead", 2), record("a", "ahead", 3)});
  EXPECT_FALSE(failed);
  EXPECT_EQ((*store.of(kKey))[0].value, 1);
  ASSERT_TRUE(store.replace(kKey, {"a"}, {record("a", "ahead", 4)}));
}

TEST_F(RecordStoreTest, IsWrittenByManyAtOnce) {
  constexpr int kWriters = 4, kTimes = 10;
  std::vector<std::thread> writers;
  std::atomic<int> failures{0};
  for (int w = 0; w < kWriters; ++w)
    writers.emplace_back([&, w] {
      for (int i = 0; i < kTimes; ++i) {
        auto store = RecordStore::open(path(), false);
        const std::string product = std::to_string(w);
        if (!store || !store->replace(kKey, {product}, {record(product, "ahead", i)})) ++failures;
      }
    });
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(failures.load(), 0);
  const auto records = open(true).of(kKey);
  ASSERT_EQ(records->size(), size_t{kWriters});
  for (const TuningRecord& r : *records) EXPECT_EQ(r.value, kTimes - 1);
}

TEST_F(RecordStoreTest, SaysWhatIsWrongWithAFileAndLeavesItAlone) {
  const auto missing = RecordStore::open(path(), true);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);

  write(std::string(5000, 'x'));
  const auto garbage = RecordStore::open(path(), true);
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().code, Code::corrupt);
  EXPECT_EQ(garbage.error().where, path());

  fs::remove(path());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE mine (x)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  const auto foreign = RecordStore::open(path(), false);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Code::corrupt);
  ASSERT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "SELECT x FROM mine", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_NE(sqlite3_exec(db, "SELECT * FROM tuning", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
}

// Ours by its marks, but the table was taken out.
TEST_F(RecordStoreTest, ReportsADamagedDatabase) {
  ASSERT_TRUE(open().replace(kKey, {"a"}, {record("a", "ahead", 1)}));
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "DROP TABLE tuning", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_FALSE(open(true).of(kKey));
  std::string warning;
  EXPECT_EQ(recorded_tuning(default_target(), path(), kKey, warning), nullptr);
  EXPECT_NE(warning, "");
}

TEST_F(RecordStoreTest, TablesHoldWhatRecordsSayAndTheDefaultsForTheRest) {
  std::string warning;
  EXPECT_EQ(recorded_tuning(default_target(), path(), kKey, warning),
            nullptr);  // no file: nothing to say
  EXPECT_EQ(warning, "");
  ASSERT_TRUE(
      open().replace(kKey, {kProduct},
                     {record(kProduct, "chunk_kib", 512), record(kProduct, "no such parameter", 1),
                      record(kProduct, "ahead", 1 << 30)}));  // no value that a search tries
  const auto table = recorded_tuning(default_target(), path(), kKey, warning);
  ASSERT_NE(table, nullptr);
  const auto parameters = default_target().tuning_parameters();
  Tuning expected = usual_tuning(default_target());
  for (size_t p = 0; p < parameters.size(); ++p)
    if (parameters[p].name == "chunk_kib") expected[p] = 512;
  EXPECT_EQ(table->products.at(kProduct), expected);
  EXPECT_NE(expected, usual_tuning(default_target()));
  EXPECT_EQ(warning, "");
  write("garbage, and longer than the hundred bytes of a header of SQLite: " +
        std::string(100, '.'));
  EXPECT_EQ(recorded_tuning(default_target(), path(), kKey, warning), nullptr);
  EXPECT_NE(warning.find("left aside"), std::string::npos);
}

TEST(TuningKey, IsOfThisMachine) {
  const TuningKey key = tuning_key(default_target(), "scalar", 3),
                  usual = tuning_key(default_target(), "", 0);
  EXPECT_EQ(key.isa, "scalar");
  EXPECT_EQ(key.threads, 3);
  EXPECT_EQ(key.kernels, default_target().kernel_version());
  EXPECT_EQ(key.cpu, usual.cpu);
  EXPECT_FALSE(usual.isa.empty());
  EXPECT_GE(usual.threads, 1);
}

}  // namespace
}  // namespace quern
