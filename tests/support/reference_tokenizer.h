// Real tokenizers from the files that tests/reference/tokenizer_ids.py writes: as tokenizer.json,
// and as the GGUF vocabulary made of it.
#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "support/packed_strings.h"
#include "text/vocabulary.h"

namespace quern::testing {

struct Packed {
  std::vector<std::string> tokens;  // by id; holes are empty
  std::vector<std::pair<std::string, std::string>> merges;
};

// A BPE from its merges: the first merge that makes a token gives it the next of made_ids, or the
// next id that is no base token's.
inline Packed unpacked(const Arrays& arrays) {
  Packed out;
  const std::vector<std::string> base = strings(arrays, "base");
  const std::vector<int32_t> base_ids = ints(arrays, "base_ids");
  const auto put = [&](int32_t id, const std::string& token) {
    out.tokens.resize(std::max(out.tokens.size(), static_cast<size_t>(id) + 1));
    out.tokens[static_cast<size_t>(id)] = token;
  };
  for (size_t i = 0; i < base.size(); ++i) put(base_ids[i], base[i]);
  const bool shares = arrays.contains("merges_of");
  const Arrays owner = shares ? text_reference(strings(arrays, "merges_of").front()) : arrays;
  if (!owner.contains("merges")) return out;
  const auto pairs = owner.at("merges").as<uint8_t>();
  const std::vector<int32_t> made_ids = ints(arrays, "made_ids");
  std::unordered_set<std::string> known(base.begin(), base.end());
  size_t n_made = 0, next = 0;
  for (size_t i = 0; i < pairs.size(); i += 6) {
    const auto token_at = [&](size_t at) -> const std::string& {
      return out.tokens.at(pairs[at] | pairs[at + 1] << 8 | pairs[at + 2] << 16);
    };
    out.merges.emplace_back(token_at(i), token_at(i + 3));
    const std::string token = out.merges.back().first + out.merges.back().second;
    if (!known.insert(token).second) continue;
    while (made_ids.empty() && next < out.tokens.size() && !out.tokens[next].empty()) ++next;
    put(made_ids.empty() ? static_cast<int32_t>(next) : made_ids[n_made++], token);
  }
  return out;
}

inline std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      char digits[3] = "00";
      digits[0] = "01"[c >> 4];
      digits[1] = "0123456789abcdef"[c & 15];
      out += std::string("\\u00") + digits;
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

inline void replace(std::string& text, const std::string& placeholder, const std::string& value) {
  const size_t at = text.find(placeholder);
  if (at != std::string::npos) text.replace(at, placeholder.size(), value);
}

inline std::string json_of(const Arrays& arrays, const Packed& packed) {
  std::string json = strings(arrays, "json").front();
  const std::vector<int32_t> added_only = ints(arrays, "added_only");
  std::string vocabulary = "{", merges = "[";
  for (size_t id = 0; id < packed.tokens.size(); ++id) {
    if (packed.tokens[id].empty()) continue;
    if (std::ranges::binary_search(added_only, static_cast<int32_t>(id))) continue;
    if (vocabulary.size() > 1) vocabulary += ',';
    vocabulary += quoted(packed.tokens[id]) + ':' + std::to_string(id);
  }
  for (const auto& [left, right] : packed.merges) {
    if (merges.size() > 1) merges += ',';
    merges += '[' + quoted(left) + ',' + quoted(right) + ']';
  }
  replace(json, "@VOCAB@", vocabulary + '}');
  replace(json, "@MERGES@", merges + ']');
  return json;
}

inline Vocabulary vocabulary_of(const Arrays& arrays, const Packed& packed) {
  Vocabulary v;
  v.kind = strings(arrays, "kind").front();
  v.pre = strings(arrays, "pre").front();
  v.tokens = packed.tokens;
  v.types.assign(v.tokens.size(), TokenType::normal);
  for (const auto& [name, type] :
       std::map<std::string, TokenType>{{"control", TokenType::control},
                                        {"user", TokenType::user_defined},
                                        {"byte", TokenType::byte},
                                        {"unknown", TokenType::unknown},
                                        {"unused", TokenType::unused}}) {
    for (const int32_t id : ints(arrays, name)) v.types[static_cast<size_t>(id)] = type;
  }
  for (const int32_t id : ints(arrays, "unused")) {
    v.tokens[static_cast<size_t>(id)] = "[PAD" + std::to_string(id) + "]";
  }
  for (const int32_t id : ints(arrays, "unknown")) v.unknown = id;
  if (arrays.contains("scores")) {
    const auto scores = arrays.at("scores").as<float>();
    v.scores.assign(scores.begin(), scores.end());
  } else if (v.kind == "gpt2") {
    for (const auto& [left, right] : packed.merges) v.merges.push_back(left + ' ' + right);
  }
  if (arrays.contains("charsmap")) {
    const auto map = arrays.at("charsmap").as<uint8_t>();
    v.precompiled_charsmap.assign(map.begin(), map.end());
  }
  for (const int32_t flag : ints(arrays, "add_space_prefix")) {
    v.add_space_prefix = static_cast<int8_t>(flag);
  }
  return v;
}

}  // namespace quern::testing
