// A conversation as a file: JSON in the shape of a chat completion's request, its messages and
// options, so that other programs can read and write it.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "quern/model.h"

namespace quern::cli {

struct SavedChat {
  std::string system;
  std::vector<Message> messages;  // user and assistant in turn
  GenerateOptions options;
};

// The file appears whole or not at all; one that is there is replaced. Errors: unavailable.
Result<> write_chat(const std::string& path, const SavedChat& chat);

// Options that the file leaves out are as in `defaults`. Errors: not_found, invalid_argument (not
// such a file: says what is wrong).
Result<SavedChat> read_chat(const std::string& path, const GenerateOptions& defaults);

}  // namespace quern::cli
