// Flags made from the rows of a schema.
#pragma once
#include <functional>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cli/arguments.h"
#include "options/text.h"

namespace quern::cli {

// The flag of an option, read into `target`, which must outlive Arguments::parse. defaults: what
// --help shows. taken: called when it was typed; may be empty.
template <class T>
void add_option(Arguments& args, const options::Option<T>& option, T& target, const T& defaults,
                std::function<void()> taken = {}) {
  const auto take = [&option, &target,
                     taken = std::move(taken)](const std::vector<std::string>& values) -> Result<> {
    TRY_OK(options::read_typed(option, values, target));
    if (taken) taken();
    return Ok{};
  };
  args.value(option.names.flags, options::help_text(option, defaults), options::value_kind(option),
             options::is_repeated(option), take);
}

// Flags of requests: what is typed is checked at once and put over other options later, when the
// model's are known. Must outlive Arguments::parse.
class OptionFlags {
 public:
  explicit OptionFlags(const options::Schema& schema)
      : schema_(schema), defaults_(options::program_defaults()) {}
  OptionFlags(const OptionFlags&) = delete;
  OptionFlags& operator=(const OptionFlags&) = delete;

  // The flags of all options of a group, in their order.
  void add(Arguments& args, options::Group group) {
    options::any_option(schema_, defaults_, [&](const auto& option, const auto&) {
      if (option.group == group) add_row(args, option);
      return false;
    });
  }
  // The flag of one option.
  void add(Arguments& args, std::string_view name) {
    const bool found =
        options::any_option(schema_, defaults_, [&](const auto& option, const auto&) {
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
  GenerateOptions over(GenerateOptions base) const {
    for (const Given& one : given_) one.put(base);
    return base;
  }

 private:
  struct Given {
    std::string_view name;
    std::function<void(GenerateOptions&)> put;
  };

  template <class T>
  void add_row(Arguments& args, const options::Option<T>& option) {
    const auto put = [this, &option](GenerateOptions& out) {
      options::copy(option, options::part_of<T>(typed_), options::part_of<T>(out));
    };
    add_option(args, option, options::part_of<T>(typed_), options::part_of<T>(defaults_),
               [this, &option, put] {
                 given_.push_back({option.name, put});
               });
  }

  const options::Schema& schema_;
  GenerateOptions defaults_;
  GenerateOptions typed_;
  std::vector<Given> given_;
};

}  // namespace quern::cli
