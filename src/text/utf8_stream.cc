#include "text/utf8_stream.h"

#include <cstddef>
#include <cstdint>

namespace quern {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Length of a sequence by its first byte and the range its second byte must lie in (Unicode, table
// 3-7: this is what keeps out overlong forms, surrogates and everything above U+10FFFF).
struct Lead {
  uint8_t first, last;
  uint8_t length;
  uint8_t low, high;
};

constexpr Lead kLeads[] = {
    {0x00, 0x7F, 1, 0, 0},       {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

const Lead* find_lead(uint8_t byte) {
  for (const Lead& lead : kLeads) {
    if (byte >= lead.first && byte <= lead.last) return &lead;
  }
  return nullptr;
}

enum class Outcome { complete, invalid, unfinished };

struct Scan {
  Outcome outcome;
  size_t length;  // bytes that belong to the sequence, or to its longest well-formed prefix (>= 1)
};

Scan scan_sequence(std::string_view bytes) {
  const Lead* lead = find_lead(static_cast<uint8_t>(bytes[0]));
  if (lead == nullptr) return {Outcome::invalid, 1};
  for (size_t i = 1; i < lead->length; ++i) {
    if (i == bytes.size()) return {Outcome::unfinished, i};
    const auto byte = static_cast<uint8_t>(bytes[i]);
    const uint8_t low = i == 1 ? lead->low : 0x80;
    const uint8_t high = i == 1 ? lead->high : 0xBF;
    if (byte < low || byte > high) return {Outcome::invalid, i};
  }
  return {Outcome::complete, lead->length};
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  std::string joined = std::move(pending_);
  pending_.clear();
  joined.append(bytes);
  std::string out;
  out.reserve(joined.size());
  for (std::string_view rest = joined; !rest.empty();) {
    const Scan scan = scan_sequence(rest);
    if (scan.outcome == Outcome::unfinished) {
      pending_ = rest;
      break;
    }
    out.append(scan.outcome == Outcome::complete ? rest.substr(0, scan.length) : kReplacement);
    rest.remove_prefix(scan.length);
  }
  return out;
}

std::string Utf8Stream::flush() {
  const bool unfinished = !pending_.empty();
  pending_.clear();
  return std::string(unfinished ? kReplacement : "");
}

std::string to_valid_utf8(std::string_view bytes) {
  Utf8Stream stream;
  std::string out = stream.push(bytes);
  return out += stream.flush();
}

bool is_valid_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Scan scan = scan_sequence(bytes);
    if (scan.outcome != Outcome::complete) return false;
    bytes.remove_prefix(scan.length);
  }
  return true;
}

}  // namespace quern
