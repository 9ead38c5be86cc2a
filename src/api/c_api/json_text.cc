#include "api/c_api/json_text.h"

#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace quern::c_api {
namespace {

// Builds a value from a text and stops at the first fault. A field is put behind the earlier ones
// without a look at them, since `seen` tells that it is new: an object of n fields takes n log n.
class Reader final : public nlohmann::json_sax<Json> {
 public:
  explicit Reader(std::string_view name) : name_(name) {}

  const std::optional<Error>& error() const { return error_; }
  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return fail("this is not JSON"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& field) override {
    if (!open_.back().seen.insert(field).second)
      return fail("the field \"" + short_name(field) + "\" is there twice");
    open_.back().key = std::move(field);
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& reason) override {
    constexpr int kOutOfRange = 406;  // nlohmann: a number that no double holds
    return fail(
        std::string(reason.id == kOutOfRange ? "a number that is too large" : "this is not JSON") +
        ", byte " + std::to_string(position));
  }

 private:
  // An object or array that is being read. It is the last of what is open around it, which does not
  // grow meanwhile, so it stays where it is.
  struct Open {
    Json* value;
    std::set<std::string> seen;  // names of an object's fields
    std::string key;             // of the field whose value comes next
  };

  Json* put(Json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    Open& in = open_.back();
    if (in.value->is_array())
      return &in.value->get_ref<Json::array_t&>().emplace_back(std::move(value));
    auto& fields = in.value->get_ref<Json::object_t&>();
    return &fields.emplace_back(std::move(in.key), std::move(value)).second;
  }
  bool add(Json value) {
    put(std::move(value));
    return true;
  }
  bool open(Json empty) {
    if (std::ssize(open_) == kMaxJsonDepth)
      return fail("nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
    open_.push_back({put(std::move(empty)), {}, {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  bool fail(std::string what) {
    error_ = Error{Code::invalid_argument, std::move(what), name_, ""};
    return false;
  }

  std::string name_;
  Json root_;
  std::vector<Open> open_;  // the outermost first
  std::optional<Error> error_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view name) {
  if (text.size() > kMaxJsonBytes) {
    return Error{Code::invalid_argument,
                 std::to_string(text.size()) + " bytes, at most " + std::to_string(kMaxJsonBytes),
                 std::string(name), ""};
  }
  Reader reader(name);
  if (!Json::sax_parse(text, &reader)) return *reader.error();
  return reader.take();
}

std::string to_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace quern::c_api
