// Keeps the packed weights of a load for the next one, when that disturbs nobody: a thread of low
// priority that starts once a first answer is out.
#pragma once
#include <atomic>
#include <functional>
#include <string>

#include "api/keep_later.h"
#include "backend/packed_cache.h"

namespace quern {

class PackedKeeper {
 public:
  // contents view memory that must outlive the keeper. patient: the end waits however long it
  // takes. note (may be empty) is told why they could not be kept, from the keeper's thread.
  PackedKeeper(std::string folder, PackedContents contents, bool patient,
               std::function<void(const std::string&)> note)
      : cache_(std::move(folder)),
        contents_(std::move(contents)),
        patient_(patient),
        note_(std::move(note)) {}
  PackedKeeper(const PackedKeeper&) = delete;
  PackedKeeper& operator=(const PackedKeeper&) = delete;
  // Waits for the work begun, unless that would take longer than a user waits at the end of a
  // program: then nothing is kept.
  ~PackedKeeper();

  void start() { later_.start(); }  // thread-safe; the second call does nothing

 private:
  void work();
  bool keep_going(double begin_s, double done) const;

  const PackedCache cache_;
  const PackedContents contents_;
  const bool patient_;
  const std::function<void(const std::string&)> note_;
  std::atomic<bool> leaving_{false};
  KeepLater later_{[this] { work(); }};  // the last: it uses the others
};

}  // namespace quern
