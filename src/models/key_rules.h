// The rule of the reader: every key of the architecture's namespace ("llama.*") is read into
// Config, known to be without effect, or refused by name. An ignored key could change results
// silently.
#pragma once
#include <span>
#include <string_view>

#include "models/config.h"

namespace quern {

struct KeyRule {
  std::string_view key;  // without "llama."; "ssm.*": all that begin with "ssm."
  // Whether a value changes nothing; null: none does.
  bool (*harmless)(const MetaValue& value, const Config& config);
  // What other values do, for the error, where some values change nothing. Otherwise the reason.
  const char* what;
};

// "silu", of a key that names the activation.
bool is_silu(const MetaValue& value, const Config& config);

// The rows for all families. Every key of gguf-py's list and of llama.cpp has one, or is read into
// Config.
std::span<const KeyRule> key_rules();

// `own`: the family's rows, which take precedence. Errors: unsupported (the key, its value and what
// it does).
Result<> check_keys(const WeightSource& source, const Config& config, std::span<const KeyRule> own);

}  // namespace quern
