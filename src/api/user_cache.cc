#include "api/user_cache.h"

#include <cstdlib>
#include <filesystem>

namespace quern {

namespace fs = std::filesystem;

std::string user_cache_folder() {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  if (xdg && fs::path(xdg).is_absolute())  // the XDG rules ignore a relative one
    return (fs::path(xdg) / "quern").string();
  const char* home = std::getenv("HOME");
  return (fs::path(home ? home : ".") / ".cache" / "quern").string();
}

std::string packed_cache_folder() {
  if (const char* named = std::getenv("QUERN_PACKED_CACHE")) return named;
  const fs::path folder = user_cache_folder();
  return folder.is_absolute() ? (folder / "packed").string() : "";
}

std::string tuning_path() { return (fs::path(user_cache_folder()) / "tuning.sqlite").string(); }

}  // namespace quern
