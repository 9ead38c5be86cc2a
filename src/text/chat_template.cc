#include "text/chat_template.h"

#include <ctime>

#include "text/rust_error.h"

namespace quern {

struct ChatTemplate::State {
  State(quern_text_template* made, std::string_view text) : object(made), source(text) {}
  ~State() { quern_text_template_free(object); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  quern_text_template* const object;
  const std::string source;
};

Result<ChatTemplate> ChatTemplate::parse(std::string_view source, std::string_view bos_token,
                                         std::string_view eos_token, std::string_view unk_token,
                                         std::string_view pad_token) {
  const quern_text_special_texts special = {view_of(bos_token), view_of(eos_token),
                                            view_of(unk_token), view_of(pad_token)};
  quern_text_template* object = nullptr;
  quern_text_bytes message = {};
  const quern_text_code code =
      quern_text_template_parse(view_of(source), &special, &object, &message);
  if (code != QUERN_TEXT_OK) return rust_error(code, message, "chat template");
  return ChatTemplate(std::make_shared<const State>(object, source));
}

const std::string& ChatTemplate::source() const { return state_->source; }

Result<ChatRender> ChatTemplate::render(std::string_view messages_json,
                                        const RenderOptions& options) const {
  quern_text_render_input input = {};
  input.messages = view_of(messages_json);
  input.tools = view_of(options.tools_json);
  input.documents = view_of(options.documents_json);
  input.kwargs = view_of(options.kwargs_json);
  input.now = options.now >= 0 ? options.now : static_cast<int64_t>(std::time(nullptr));
  input.add_generation_prompt = options.add_generation_prompt;
  quern_text_bytes text = {}, message = {};
  quern_text_ranges typed = {};
  const quern_text_code code =
      quern_text_template_render(state_->object, &input, &text, &typed, &message);
  if (code != QUERN_TEXT_OK) return rust_error(code, message, "chat template");
  ChatRender render;
  render.text = take(text);
  render.typed.reserve(typed.size);
  for (size_t i = 0; i < typed.size; ++i) {
    render.typed.push_back({typed.data[i].first, typed.data[i].last});
  }
  quern_text_free_ranges(typed);
  return render;
}

}  // namespace quern
