// quern cache: the packed weights and the tokenizers of earlier starts.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "api/tokenizer_cache.h"
#include "api/user_cache.h"
#include "backend/packed_cache.h"
#include "cli/arguments.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/readable.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace quern::cli {

namespace {

constexpr const char* kSummary =
    "List the packed weights and the tokenizers that earlier starts have kept.\n"
    "Loading a model packs its weights into the layout that the kernels read; where that takes "
    "longer than 0.1 s\nthe result is kept, and the next start maps it. The tokenizer of a "
    "vocabulary of 65,536 tokens or more is kept too.\nFiles can be deleted at any time. The "
    "least recently used ones are deleted when room is needed. The environment\nvariable "
    "QUERN_PACKED_CACHE names another folder.\nExit code 1 if --check finds damage.";

constexpr const char* kExamples =
    "Examples:\n"
    "  quern cache\n"
    "  quern cache --check --json\n"
    "  quern cache --clear";

enum class State { unknown, unusable, whole, damaged };
constexpr const char* kStates[] = {"not checked", "not usable", "whole", "damaged"};

enum class Kind { weights, tokenizer };
constexpr const char* kKinds[] = {"weights", "tokenizer"};

struct Row {
  Kind kind;
  CachedFile file;
  State state = State::unknown;
  bool model_there = false;
};

bool is_whole(Kind kind, const std::string& path) {
  if (kind == Kind::tokenizer) return static_cast<bool>(TokenizerCache::check(path));
  const auto packed = PackedFile::open(path);
  return packed && packed->check_data();
}

Row examine(Kind kind, const CachedFile& file, bool check) {
  std::error_code ignored;
  Row row = {
      .kind = kind, .file = file, .model_there = std::filesystem::exists(file.source, ignored)};
  if (file.source.empty()) row.state = State::unusable;
  if (!check || file.source.empty()) return row;
  row.state = is_whole(kind, file.path) ? State::whole : State::damaged;
  return row;
}

// Weights before tokenizers, of each the last used one first.
std::vector<Row> examine_all(const std::string& folder, bool check) {
  std::vector<Row> rows;
  for (const CachedFile& file : PackedCache(folder).list())
    rows.push_back(examine(Kind::weights, file, check));
  for (const CachedFile& file : TokenizerCache(folder).list())
    rows.push_back(examine(Kind::tokenizer, file, check));
  return rows;
}

Json rows_json(const PackedCache& cache, const std::vector<Row>& rows) {
  Json files = Json::array();
  int64_t bytes = 0;
  for (const Row& row : rows) {
    bytes += row.file.bytes;
    files.push_back({{"path", row.file.path},
                     {"model", row.file.source},
                     {"model_present", row.model_there},
                     {"bytes", row.file.bytes},
                     {"used", row.file.used_s},
                     {"state", kStates[static_cast<int>(row.state)]},
                     {"kind", kKinds[static_cast<int>(row.kind)]}});
  }
  return {{"folder", cache.folder()}, {"limit", cache.limit()}, {"bytes", bytes}, {"files", files}};
}

std::string age_text(int64_t used_s) {
  struct Unit {
    int64_t seconds;
    const char* name;
  };
  constexpr Unit kUnits[] = {{86400, "days"}, {3600, "hours"}, {60, "minutes"}};
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  for (const Unit& unit : kUnits)
    if (now - used_s >= 2 * unit.seconds)
      return fmt::format("{} {} ago", (now - used_s) / unit.seconds, unit.name);
  return "just now";
}

void print_rows(const PackedCache& cache, const std::vector<Row>& rows, bool check) {
  const Palette& colours = palette(STDOUT_FILENO);
  int64_t bytes = 0;
  if (!rows.empty())
    fmt::print("{}{:>10}  {:<10} {:<16} {:<12} {}{}\n", colours.bold, "size", "kind", "last used",
               check ? "state" : "", "model", colours.reset);
  for (const Row& row : rows) {
    const bool say = check || row.state == State::unusable;
    const std::string model = row.file.source.empty() ? row.file.path : row.file.source;
    fmt::print("{:>10}  {:<10} {:<16} {:<12} {}{}\n", bytes_text(row.file.bytes),
               kKinds[static_cast<int>(row.kind)], age_text(row.file.used_s),
               say ? kStates[static_cast<int>(row.state)] : "", shown(model),
               row.file.source.empty() || row.model_there ? "" : " (no longer there)");
    bytes += row.file.bytes;
  }
  fmt::print("{} of at most {} in {}\n", bytes_text(bytes), bytes_text(cache.limit()),
             shown(cache.folder()));
}

Result<int> clear(const PackedCache& cache, bool json) {
  int64_t bytes = 0;
  const TokenizerCache tokenizers(cache.folder());
  for (const CachedFile& file : cache.list()) bytes += file.bytes;
  for (const CachedFile& file : tokenizers.list()) bytes += file.bytes;
  TRY(const int n_weights, cache.clear());
  TRY(const int n_tokenizers, tokenizers.clear());
  const int n = n_weights + n_tokenizers;
  if (json)
    print_json({{"folder", cache.folder()}, {"deleted", n}, {"bytes", bytes}});
  else
    fmt::print("{} files deleted, {}\n", n, bytes_text(bytes));
  return kDone;
}

}  // namespace

Result<int> run_cache(int argc, const char* const* argv) {
  bool erase = false, check = false, json = false;
  Arguments args("cache", kSummary, kExamples);
  args.flag("--clear", erase, "Delete them all");
  args.flag("--check", check, "Read all of them and compare with their checksums");
  args.flag("--json", json, "Print one JSON object");
  args.exclusive({"--clear", "--check"});
  TRY(const bool go, args.parse(argc, argv));
  if (!go) return kDone;
  const PackedCache cache(packed_cache_folder());
  if (cache.folder().empty())
    return Error{Code::not_found,
                 "there is no folder for packed weights",
                 {},
                 "set HOME, or QUERN_PACKED_CACHE to a folder"};
  if (erase) return clear(cache, json);
  const std::vector<Row> rows = examine_all(cache.folder(), check);
  if (json)
    print_json(rows_json(cache, rows), 2);
  else
    print_rows(cache, rows, check);
  for (const Row& row : rows)
    if (row.state == State::damaged) return kFailed;
  return kDone;
}

}  // namespace quern::cli
