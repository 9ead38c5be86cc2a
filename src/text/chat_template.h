// Chat templates (Jinja): a template renders to the text that jinja2 gives it in transformers, or
// to an error, within limits on steps, memory and nesting (rust/text/src/jinja).
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"

namespace quern {

struct ChatRender {
  std::string text;
  // Where the text came from message contents rather than from the template: special tokens typed
  // there are plain text.
  std::vector<TextRange> typed;
};

struct RenderOptions {
  bool add_generation_prompt = true;
  std::string tools_json;  // a JSON array of tools; empty: none
  std::string documents_json;
  std::string
      kwargs_json;   // a JSON object of further variables ({"enable_thinking": false}); empty: none
  int64_t now = -1;  // Unix seconds (UTC) that strftime_now sees; -1: the clock
};

// Thread-safe after construction; copies are cheap.
class ChatTemplate {
 public:
  // bos/eos/... are the texts of the special tokens, variables of every template. Errors: corrupt
  // (with line).
  static Result<ChatTemplate> parse(std::string_view source, std::string_view bos_token,
                                    std::string_view eos_token, std::string_view unk_token = "",
                                    std::string_view pad_token = "");

  const std::string& source() const;

  // messages: a JSON array as in OpenAI's chat API. Errors: invalid_argument (what raise_exception
  // said, what Python would raise, bad JSON), unsupported (a filter, test or function that is not
  // there, or a text that depends on more than the template and its data, such as an address),
  // out_of_memory (a limit).
  Result<ChatRender> render(std::string_view messages_json,
                            const RenderOptions& options = {}) const;

 private:
  struct State;
  explicit ChatTemplate(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace quern
