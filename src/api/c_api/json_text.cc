#include "api/c_api/json_text.h"

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace quern::c_api {
namespace {

// Reads a text without building anything from it, and stops at the first fault.
class Checker final : public nlohmann::json_sax<Json> {
 public:
  explicit Checker(std::string_view name) : name_(name) {}

  const std::optional<Error>& error() const { return error_; }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return open(); }
  bool start_array(std::size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& field) override {
    if (keys_.back().insert(field).second) return true;
    return fail("the field \"" + short_name(field) + "\" is there twice");
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& reason) override {
    constexpr int kOutOfRange = 406;  // nlohmann: a number that no double holds
    return fail(
        std::string(reason.id == kOutOfRange ? "a number that is too large" : "this is not JSON") +
        ", byte " + std::to_string(position));
  }

 private:
  bool open() {
    keys_.emplace_back();
    return static_cast<int>(keys_.size()) <= kMaxJsonDepth ||
           fail("nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
  }
  bool close() {
    keys_.pop_back();
    return true;
  }
  bool fail(std::string what) {
    error_ = Error{Code::invalid_argument, std::move(what), name_, ""};
    return false;
  }

  std::string name_;
  std::vector<std::set<std::string>> keys_;  // of each open object; arrays have none
  std::optional<Error> error_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view name) {
  if (text.size() > kMaxJsonBytes) {
    return Error{Code::invalid_argument,
                 std::to_string(text.size()) + " bytes, at most " + std::to_string(kMaxJsonBytes),
                 std::string(name), ""};
  }
  Checker checker(name);
  if (!Json::sax_parse(text, &checker)) return *checker.error();
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

std::string short_name(std::string_view name) {
  constexpr size_t kMost = 64;
  if (name.size() <= kMost) return std::string(name);
  size_t n = kMost;
  while (n > 0 && (static_cast<unsigned char>(name[n]) & 0xc0u) == 0x80u) --n;  // not inside of one
  return std::string(name.substr(0, n)) + "...";
}

std::string to_text(const JsonOut& value) {
  return value.dump(-1, ' ', false, JsonOut::error_handler_t::replace);
}

}  // namespace quern::c_api
