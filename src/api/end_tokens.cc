#include "api/end_tokens.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace quern {
namespace {

// The texts of llama.cpp's tables of tokens that end a generation (end of turn, of message, of
// text; padding and the next file of models that fill in the middle), and of generation_config.json
// of models whose files have named another token.
constexpr std::string_view kTexts[] = {
    "<|im_end|>",                               // ChatML
    "<|eot_id|>",                               // Llama 3
    "<|eom_id|>",                               // Llama 3, before a tool's answer
    "<|eot|>",                                  // Llama 4
    "<|eom|>",                                  // Llama 4
    "<|end|>",                                  // Phi 3
    "<|end_of_text|>",                          // Llama 3, Granite
    "<|endoftext|>",                            // GPT-2 and many since
    "<|return|>",                               // gpt-oss
    "<|call|>",                                 // gpt-oss, before a tool's answer
    "<|flush|>",                                // Solar Open
    "<|calls|>",                                // Solar Open
    "<end_of_turn>",                            // Gemma 1 to 3
    "<turn|>",                                  // Gemma 4
    "<|tool_response>",                         // Gemma 4, before a tool's answer
    "<eos>",                                    // Gemma
    "</s>",                                     // Llama 1 and 2, Mistral
    "<EOT>",                                    // Code Llama
    "_<EOT>",                                   // the same, as converters spell it
    "\u2581<EOT>",                              // the same
    "[EOT]",                                    // Kimi K2
    "[EOS]",                                    // Kimi K2
    "[e~[",                                     // MiniMax M2
    "<end_of_utterance>",                       // SmolVLM, Granite Docling
    "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",  // DeepSeek
    "<|end_of_sentence|>",                      // Ernie
    "<|end_of_turn|>",                          // OpenChat, Starling
    "<|endofturn|>",                            // HyperCLOVA X
    "[|endofturn|]",                            // EXAONE
    "<|END_OF_TURN_TOKEN|>",                    // Command R
    "<EOS_TOKEN>",                              // Command R
    "<|eos|>",                                  // Hunyuan
    "<|stop|>",                                 // Functionary, HyperCLOVA X
    "<|assistant_end|>",                        // Apertus
    "<|endofresponse|>",                        // dots.llm1
    "<|role_end|>",                             // Ling
    "<seed:eos>",                               // Seed-OSS
    "<|fim_pad|>",                              // Qwen coder
    "<fim-pad>",                                // SantaCoder
    "<fim_pad>",                                // StarCoder, Granite
    "<PAD>",                                    // Code Llama
    "[PAD]",                                    // Kimi K2
    "<|fim_repo|>",                             // Qwen coder
    "<|repo_name|>",                            // Qwen coder
    "<fim-repo>",                               // SantaCoder
    "<REPO>",                                   // as llama.cpp has it
    "<reponame>",                               // StarCoder, Granite
    "<|file_sep|>",                             // Qwen coder
};

// Where all of one row are tokens, `text` is none of the ends by its text.
struct Exception {
  std::string_view text;
  std::array<std::string_view, 2> beside;
};
constexpr Exception kExceptions[] = {
    {"<|end|>", {"<|return|>", "<|call|>"}},   // gpt-oss
    {"<|end|>", {"<|return|>", "<|calls|>"}},  // as llama.cpp has it
    {"<|end|>", {"<|flush|>", "<|call|>"}},    //
    {"<|end|>", {"<|flush|>", "<|calls|>"}},   // Solar Open
    {"</s>", {"<|tool_response>", ""}},        // Gemma 4
};
constexpr std::string_view kMarkup = "</s>";
constexpr std::string_view kOtherMarkup[] = {"</b>",  "</i>",      "</u>",
                                             "</em>", "</strong>", "</del>"};

// The tokens whose text is asked about, by it.
class Found {
 public:
  explicit Found(const std::vector<std::string>& tokens) {
    std::unordered_set<std::string_view> asked(std::begin(kTexts), std::end(kTexts));
    asked.insert(std::begin(kOtherMarkup), std::end(kOtherMarkup));
    size_t shortest = SIZE_MAX, longest = 0;
    std::array<bool, 256> begins{};  // bytes that some text begins with: few tokens do
    for (const std::string_view text : asked) {
      begins[static_cast<uint8_t>(text.front())] = true;
      shortest = std::min(shortest, text.size());
      longest = std::max(longest, text.size());
    }
    for (size_t id = 0; id < tokens.size(); ++id) {
      const std::string_view text = tokens[id];
      if (text.size() < shortest || text.size() > longest ||
          !begins[static_cast<uint8_t>(text.front())])
        continue;
      const auto at = asked.find(text);
      if (at != asked.end()) ids_[*at].push_back(static_cast<int32_t>(id));
    }
  }
  bool has(std::string_view text) const { return ids_.contains(text); }
  std::vector<int32_t> ids(std::string_view text) const {
    const auto at = ids_.find(text);
    return at == ids_.end() ? std::vector<int32_t>() : at->second;
  }

 private:
  std::unordered_map<std::string_view, std::vector<int32_t>> ids_;
};

bool is_exception(const Found& found, std::string_view text) {
  return std::ranges::any_of(kExceptions, [&](const Exception& row) {
    return row.text == text && std::ranges::all_of(row.beside, [&](std::string_view other) {
             return other.empty() || found.has(other);
           });
  });
}

bool is_markup(const Found& found, std::string_view text) {
  return text == kMarkup && std::ranges::any_of(kOtherMarkup, [&](std::string_view other) {
           return found.has(other);
         });
}

bool is_control(const Vocabulary& v, int32_t id) {
  return !v.types.empty() && v.types[id] == TokenType::control;
}

// Those of `texts` that a merge makes.
std::unordered_set<std::string_view> merged(const Vocabulary& v,
                                            const std::vector<std::string_view>& texts) {
  std::unordered_set<std::string_view> made;
  for (const std::string_view merge : v.merges) {
    for (const std::string_view text : texts) {
      if (merge.size() != text.size() + 1) continue;
      const size_t cut = merge.find(' ', 1);
      if (cut == std::string_view::npos) continue;
      if (text.starts_with(merge.substr(0, cut)) && text.ends_with(merge.substr(cut + 1)))
        made.insert(text);
    }
  }
  return made;
}

// The texts of tokens that may be plain text here.
std::vector<std::string_view> doubtful(const Vocabulary& v, const Found& found) {
  std::vector<std::string_view> texts;
  for (const std::string_view text : kTexts) {
    if (std::ranges::any_of(found.ids(text), [&](int32_t id) { return !is_control(v, id); }))
      texts.push_back(text);
  }
  return texts;
}

std::string why(TokenType type) {
  if (type == TokenType::control) return "its text";
  return type == TokenType::user_defined ? "its text, in the file a user-defined token"
                                         : "its text, in the file an ordinary token";
}

}  // namespace

void add_end(Vocabulary& v, int32_t id, std::string_view why) {
  if (std::ranges::find(v.ends, id, &EndToken::id) == v.ends.end())
    v.ends.push_back({id, std::string(why)});
}

void add_known_ends(Vocabulary& v) {
  const bool typed = !v.types.empty();
  const Found found(v.tokens);
  const auto made_of_text = merged(v, doubtful(v, found));
  for (const std::string_view text : kTexts) {
    const bool is_text = made_of_text.contains(text) || is_markup(found, text);
    for (const int32_t id : found.ids(text)) {
      if (is_text && !is_control(v, id)) continue;
      if (is_exception(found, text)) {
        std::erase_if(v.ends, [&](const EndToken& end) {
          return end.id == id && end.why != "eos_token_id" && end.why != "eos_token_ids";
        });
        continue;
      }
      add_end(v, id, typed ? why(v.types[id]) : "its text");
      if (v.types.empty()) v.types.assign(v.tokens.size(), TokenType::normal);
      v.types[id] = TokenType::control;
    }
  }
}

std::vector<EndToken> all_ends(const Vocabulary& vocabulary, const GenerationDefaults& defaults) {
  std::vector<EndToken> all = vocabulary.ends;
  for (const int32_t id : defaults.end_ids(vocabulary)) {
    if (std::ranges::find(all, id, &EndToken::id) == all.end())
      all.push_back({id, "eos_token_id of generation_config.json"});
  }
  std::ranges::sort(all, {}, &EndToken::id);
  return all;
}

}  // namespace quern
