// A model's tokenizer and chat template without its weights, from whatever holds them: a GGUF file,
// or a Hugging Face folder (tokenizer.json, tokenizer_config.json, chat_template.jinja).
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/tokenizer_cache.h"
#include "base/result.h"
#include "formats/weight_source.h"
#include "quern/model.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace quern {

// path: a file, or a folder; in a folder tokenizer.json goes before a GGUF file. Errors: not_found,
// corrupt, unsupported. note (may be empty) is told what of the file is passed over.
Result<Tokenizer> load_tokenizer(const std::string& path,
                                 const std::function<void(const std::string&)>& note = {});
Result<ChatTemplate> load_chat_template(const std::string& path);

// The same of a file that is open already and whose vocabulary has been read. What is passed over
// gives a line in `notes` (null: nobody reads them).
// cache_folder: where the tokenizers of earlier starts are looked for (TokenizerCache); empty:
// nowhere. What was made and should be kept there is put into `to_keep`, unless that is null.
Result<Tokenizer> make_tokenizer(const WeightSource& source, const Vocabulary& vocabulary,
                                 std::vector<std::string>* notes = nullptr,
                                 const std::string& cache_folder = {},
                                 std::optional<TokenizerToKeep>* to_keep = nullptr);
Result<ChatTemplate> make_chat_template(const WeightSource& source, const Vocabulary& vocabulary);

// The tokens of a conversation, ready for the model's answer, as Model::chat_prompt. BOS is the
// template's business, as in transformers.
Result<std::vector<int32_t>> chat_ids(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                                      std::span<const Message> messages,
                                      const ChatOptions& options);
inline Result<std::vector<int32_t>> chat_ids(const Tokenizer& tokenizer,
                                             const ChatTemplate& chat_template,
                                             std::span<const Message> messages, bool special) {
  return chat_ids(tokenizer, chat_template, messages, ChatOptions{.special = special});
}

}  // namespace quern
