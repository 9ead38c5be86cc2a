// The folders of Quern's caches. The environment is read here and nowhere else in the library.
#pragma once
#include <string>

namespace quern {

// ${XDG_CACHE_HOME:-$HOME/.cache}/quern; ./.cache/quern where there is no home.
std::string user_cache_folder();
// $QUERN_PACKED_CACHE, else the folder `packed` in that of the user. Empty: the user has no home,
// or has set the variable to nothing.
std::string packed_cache_folder();
// The file of `quern tune`'s records, in the user's folder.
std::string tuning_path();

}  // namespace quern
