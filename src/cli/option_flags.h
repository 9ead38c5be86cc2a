// Flags made from the rows of a schema: what is typed is checked at once and put over other values
// later.
#pragma once
#include <functional>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cli/arguments.h"
#include "options/text.h"

namespace quern::cli {

// Whole: GenerateOptions or LoadOptions. Must outlive Arguments::parse.
template <class Whole>
class OptionFlags {
 public:
  // defaults: what --help shows.
  explicit OptionFlags(const options::Schema& schema, Whole defaults)
      : schema_(schema), defaults_(std::move(defaults)) {}
  OptionFlags(const OptionFlags&) = delete;
  OptionFlags& operator=(const OptionFlags&) = delete;

  // The flags of all options of a group, in their order.
  void add(Arguments& args, options::Group group) {
    options::any_option(schema_, static_cast<Whole*>(nullptr), [&](const auto& option) {
      if (option.group == group) add_row(args, option);
      return false;
    });
  }
  // The flag of one option.
  void add(Arguments& args, std::string_view name) {
    const bool found =
        options::any_option(schema_, static_cast<Whole*>(nullptr), [&](const auto& option) {
          if (option.name != name || !option.names.flags) return false;
          add_row(args, option);
          return true;
        });
    CHECK(found, "there is no flag of this option");
  }

  bool given(std::string_view name) const {
    for (const Given& one : given_)
      if (one.name == name) return true;
    return false;
  }

  // `base` with what was typed put over it.
  Whole over(Whole base) const {
    for (const Given& one : given_) one.put(base);
    return base;
  }

 private:
  struct Given {
    std::string_view name;
    std::function<void(Whole&)> put;
  };

  template <class T>
  void add_row(Arguments& args, const options::Option<T>& option) {
    const auto take = [this, &option](const std::vector<std::string>& values) -> Result<> {
      TRY_OK(options::read_typed(option, values, options::part_of<T>(typed_)));
      given_.push_back({option.name, [this, &option](Whole& out) {
                          options::copy(option, options::part_of<T>(typed_),
                                        options::part_of<T>(out));
                        }});
      return Ok{};
    };
    args.value(option.names.flags, options::help_text(option, options::part_of<T>(defaults_)),
               options::value_kind(option), options::is_repeated(option), take);
  }

  const options::Schema& schema_;
  Whole defaults_;
  Whole typed_;
  std::vector<Given> given_;
};

}  // namespace quern::cli
