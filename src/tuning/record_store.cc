#include "tuning/record_store.h"

#include <sqlite3.h>

#include <filesystem>

namespace quern {
namespace {

// Marks a file as ours (SQLite's application_id), and the layout of its tables (user_version).
constexpr int kApplication = 0x5175726e;  // "Qurn"
constexpr int kLayout = 1;
constexpr int kPatienceMs = 5000;  // while another process writes

constexpr const char* kTable =
    "CREATE TABLE IF NOT EXISTS tuning ("
    " cpu TEXT NOT NULL, isa TEXT NOT NULL, threads INTEGER NOT NULL, kernels INTEGER NOT NULL,"
    " product TEXT NOT NULL, parameter TEXT NOT NULL, value INTEGER NOT NULL, gain REAL NOT NULL,"
    " measured TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,"
    " PRIMARY KEY (cpu, isa, threads, kernels, product, parameter)) WITHOUT ROWID";
constexpr const char* kSelect =
    "SELECT cpu, isa, threads, kernels, product, parameter, value, gain, measured FROM tuning ";
constexpr const char* kOfKey = "cpu = ?1 AND isa = ?2 AND threads = ?3 AND kernels = ?4";

class Statement {
 public:
  Statement(sqlite3* db, const std::string& sql) {
    code_ = sqlite3_prepare_v2(db, sql.c_str(), -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  bool good() const { return code_ == SQLITE_OK || code_ == SQLITE_ROW || code_ == SQLITE_DONE; }
  void bind(int at, const std::string& text) {
    sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }
  void bind(int at, int value) { sqlite3_bind_int(statement_, at, value); }
  void bind(int at, double value) { sqlite3_bind_double(statement_, at, value); }
  void bind(const TuningKey& key) {
    bind(1, key.cpu), bind(2, key.isa), bind(3, key.threads), bind(4, key.kernels);
  }
  // Whether there is another row.
  bool step() {
    if (good()) code_ = sqlite3_step(statement_);
    return code_ == SQLITE_ROW;
  }
  std::string text(int column) const {
    const unsigned char* text = sqlite3_column_text(statement_, column);
    return text ? reinterpret_cast<const char*>(text) : "";
  }
  int integer(int column) const { return sqlite3_column_int(statement_, column); }
  double real(int column) const { return sqlite3_column_double(statement_, column); }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int code_;
};

TuningRecord record_of(const Statement& row) {
  return {.key = {row.text(0), row.text(1), row.integer(2), row.integer(3)},
          .product = row.text(4),
          .parameter = row.text(5),
          .value = row.integer(6),
          .gain = row.real(7),
          .measured = row.text(8)};
}

int pragma(sqlite3* db, const std::string& name) {
  Statement statement(db, "PRAGMA " + name);
  return statement.step() ? statement.integer(0) : -1;
}

}  // namespace

void RecordStore::Close::operator()(sqlite3* db) const { sqlite3_close(db); }

Error RecordStore::error(const std::string& what) const {
  const int code = sqlite3_errcode(db_.get()) & 0xff;
  const std::string why = what + ": " + sqlite3_errmsg(db_.get());
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_ERROR)
    return {Code::corrupt, why, path_, "delete the file, and search again if you like"};
  if (code == SQLITE_CANTOPEN) return {Code::not_found, why, path_, "quern tune makes it"};
  return {Code::unavailable, why, path_, "try again, or free some space"};
}

Result<> RecordStore::run(const std::string& sql) const {
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return error("records of the tuner");
  return Ok{};
}

// A new file is initialized; a file of another program stays as it is. Two processes may open a new
// file at once: the transaction decides. The journal stays SQLite's usual one: changing to a
// write-ahead log, and leaving it, fails beside others without waiting for them.
Result<> RecordStore::prepare_tables() const {
  const int marked = pragma(db_.get(), "application_id");
  if (marked < 0) return error("records of the tuner");
  if (marked != kApplication) {
    TRY_OK(run("BEGIN IMMEDIATE"));
    const bool empty = pragma(db_.get(), "schema_version") == 0;
    if (!empty && pragma(db_.get(), "application_id") != kApplication)
      return Error{Code::corrupt, "a database, but not one of records of the tuner", path_,
                   "move it away, and search again if you like"};
    if (empty)
      TRY_OK(run("PRAGMA application_id = " + std::to_string(kApplication) +
                 "; PRAGMA user_version = " + std::to_string(kLayout) + "; " + kTable));
    TRY_OK(run("COMMIT"));
  }
  if (pragma(db_.get(), "user_version") == kLayout) return Ok{};
  return Error{Code::corrupt, "records of another version of Quern", path_,
               "delete the file, and search again if you like"};
}

Result<RecordStore> RecordStore::open(const std::string& path, bool must_exist) {
  std::error_code ignored;  // what is wrong shows when the file is opened
  if (!must_exist)
    std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | (must_exist ? 0 : SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  RecordStore store(db, path);
  if (!db) return Error{Code::out_of_memory, "no memory for a database", path, ""};
  if (code != SQLITE_OK) return store.error("records of the tuner");
  sqlite3_busy_timeout(db, kPatienceMs);
  TRY_OK(store.prepare_tables());
  return store;
}

Result<std::vector<TuningRecord>> RecordStore::all() const {
  Statement rows(db_.get(), std::string(kSelect) + "ORDER BY 1, 2, 3, 4, 5, 6");
  std::vector<TuningRecord> records;
  while (rows.step()) records.push_back(record_of(rows));
  if (!rows.good()) return error("records of the tuner");
  return records;
}

Result<std::vector<TuningRecord>> RecordStore::of(const TuningKey& key) const {
  Statement rows(db_.get(), std::string(kSelect) + "WHERE " + kOfKey + " ORDER BY 5, 6");
  rows.bind(key);
  std::vector<TuningRecord> records;
  while (rows.step()) records.push_back(record_of(rows));
  if (!rows.good()) return error("records of the tuner");
  return records;
}

Result<> RecordStore::replace(const TuningKey& key, const std::vector<std::string>& products,
                              const std::vector<TuningRecord>& records) {
  TRY_OK(run("BEGIN IMMEDIATE"));
  bool good = true;
  for (const std::string& product : products) {
    Statement gone(db_.get(),
                   std::string("DELETE FROM tuning WHERE ") + kOfKey + " AND product = ?5");
    gone.bind(key), gone.bind(5, product), gone.step();
    good = good && gone.good();
  }
  for (const TuningRecord& record : records) {
    Statement put(db_.get(),
                  "INSERT INTO tuning (cpu, isa, threads, kernels, product, parameter, value, gain)"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    put.bind(key), put.bind(5, record.product), put.bind(6, record.parameter);
    put.bind(7, record.value), put.bind(8, record.gain), put.step();
    good = good && put.good();
  }
  if (good) return run("COMMIT");
  const Error why = error("records of the tuner");
  sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  return why;
}

Result<int> RecordStore::clear() {
  TRY_OK(run("DELETE FROM tuning"));
  return sqlite3_changes(db_.get());
}

}  // namespace quern
