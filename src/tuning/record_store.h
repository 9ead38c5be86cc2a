// Records of earlier searches in an SQLite file: which tilings were faster than the defaults, on
// which machine. Safe for many processes at once: readers see one state or the other, and writers
// wait for each other.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

struct sqlite3;

namespace quern {

// The key of a record: all of it must be equal.
struct TuningKey {
  std::string cpu, isa;  // "AMD EPYC 9B45", "avx512vnni"
  int threads = 0;
  int kernels = 0;  // kKernelVersion
  bool operator==(const TuningKey&) const = default;
};

struct TuningRecord {
  TuningKey key;
  std::string product;    // the name describe() gives the step
  std::string parameter;  // of kTuningParameters
  int value = 0;
  double gain = 0;       // of all records of the product together: 0.05 is 5 % more per second
  std::string measured;  // "2026-11-22 10:31:00", UTC; given by the store
  bool operator==(const TuningRecord&) const = default;
};

class RecordStore {
 public:
  // The file is made if it is not there, its folder too, unless `must_exist`. Errors: not_found (no
  // such file, or no place for one), corrupt (not a database, or of something else), unavailable
  // (locked for long, disk full).
  static Result<RecordStore> open(const std::string& path, bool must_exist);

  Result<std::vector<TuningRecord>> all() const;
  Result<std::vector<TuningRecord>> of(const TuningKey& key) const;
  // Replaces everything known of these products under this key, all or nothing. `records` are of
  // this key and of these products; a product without records goes back to the defaults.
  Result<> replace(const TuningKey& key, const std::vector<std::string>& products,
                   const std::vector<TuningRecord>& records);
  Result<int> clear();  // how many there were

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };
  explicit RecordStore(sqlite3* db, std::string path) : db_(db), path_(std::move(path)) {}
  Error error(const std::string& what) const;
  Result<> run(const std::string& sql) const;
  Result<> prepare_tables() const;

  std::unique_ptr<sqlite3, Close> db_;
  std::string path_;
};

}  // namespace quern
