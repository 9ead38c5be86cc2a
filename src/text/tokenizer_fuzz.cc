// libFuzzer target: a vocabulary from arbitrary bytes, a text to encode with it, and a chat
// template. Nothing may crash, hang or leak; ids must lie in the vocabulary and come back as bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "text/chat_template.h"
#include "text/stop_strings.h"
#include "text/tokenizer.h"
#include "text/utf8_stream.h"

namespace quern {
namespace {

// Hands out pieces of the input; an exhausted one gives zeros and empty strings.
class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return value;
  }
  std::string string() { return take(byte()); }
  std::string rest() { return take(rest_.size()); }
  bool empty() const { return rest_.empty(); }

 private:
  std::string take(size_t size) {
    const std::string text(rest_.substr(0, size));
    rest_.remove_prefix(text.size());
    return text;
  }
  std::string_view rest_;
};

Vocabulary vocabulary_from(Bytes& bytes) {
  static const char* const kKinds[] = {"gpt2", "llama", "bert", "t5"};
  static const char* const kPres[] = {"smollm",      "llama-bpe", "qwen2",
                                      "deepseek-v3", "default",   "x"};
  Vocabulary v;
  v.kind = kKinds[bytes.byte() % std::size(kKinds)];
  v.pre = kPres[bytes.byte() % std::size(kPres)];
  for (int n = bytes.byte() % 64; n > 0; --n) {
    v.tokens.push_back(bytes.string());
    v.scores.push_back(static_cast<float>(bytes.byte()) - 128);
    v.types.push_back(static_cast<TokenType>(bytes.byte() % 8));
  }
  for (int n = bytes.byte() % 32; n > 0; --n) v.merges.push_back(bytes.string());
  const auto id = [&] { return static_cast<int32_t>(bytes.byte() % 66) - 1; };
  v.bos = id(), v.eos = id(), v.unknown = id(), v.separator = id(), v.cls = id();
  const auto flag = [&] { return static_cast<int8_t>(bytes.byte() % 3 - 1); };
  v.add_bos = flag(), v.add_eos = flag();
  v.add_space_prefix = flag(), v.remove_extra_whitespaces = flag();
  v.lowercase = flag(), v.strip_accents = flag();
  v.clean_text = flag(), v.handle_chinese_chars = flag();
  const std::string map = bytes.string();
  v.precompiled_charsmap.assign(map.begin(), map.end());
  return v;
}

void encode(const Tokenizer& tokenizer, const std::string& text, size_t cut) {
  const TextRange plain = {std::min(cut, text.size()), text.size()};
  auto ids = tokenizer.encode_mixed(text, {&plain, 1}, true);
  if (!ids) return;
  Utf8Stream stream;
  for (const int32_t id : *ids) {
    if (id < 0 || id >= tokenizer.n_vocab()) std::abort();
    if (!is_valid_utf8(stream.push(tokenizer.bytes(id, true)))) std::abort();
  }
  if (!is_valid_utf8(tokenizer.decode(*ids, false))) std::abort();
}

void tokenize(Bytes& bytes) {
  auto tokenizer = Tokenizer::from_vocabulary(vocabulary_from(bytes));
  if (!tokenizer) return;
  const size_t cut = bytes.byte();
  const std::string text = bytes.rest();
  encode(*tokenizer, text, cut);
}

// Tables with damage that a checksum would have caught.
void tokenize_by_tables(Bytes& bytes) {
  auto made = Tokenizer::from_vocabulary(vocabulary_from(bytes));
  if (!made || made->tables().empty()) return;
  const auto tables =
      std::make_shared<std::vector<std::byte>>(made->tables().begin(), made->tables().end());
  for (int n = bytes.byte() % 8; n > 0; --n) {
    const size_t at = bytes.byte() * size_t{256} + bytes.byte();
    (*tables)[at % tables->size()] = static_cast<std::byte>(bytes.byte());
  }
  const size_t cut = bytes.byte();
  const auto tokenizer = Tokenizer::from_tables(*tables, tables);
  if (tokenizer) encode(*tokenizer, bytes.rest(), cut);
}

void render(Bytes& bytes) {
  const std::string content = bytes.string();
  auto made = ChatTemplate::parse(bytes.rest(), "<s>", "</s>");
  if (!made) return;
  std::string quoted;
  for (const char c : to_valid_utf8(content)) {
    if (static_cast<unsigned char>(c) < 0x20) continue;
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  auto out = made->render(R"([{"role":"user","content":")" + quoted + R"("}])", {.now = 0});
  if (!out) return;
  size_t end = 0;
  for (const TextRange& range : out->typed) {
    if (range.first < end || range.last <= range.first || range.last > out->text.size()) {
      std::abort();
    }
    end = range.last;
  }
}

void stop(Bytes& bytes) {
  std::vector<std::string> stops(bytes.byte() % 4);
  for (std::string& one : stops) one = bytes.string();
  StopStrings whole(stops), cut(stops);
  const size_t step = bytes.byte() % 7 + 1;
  const std::string text = bytes.rest();
  StopStrings::Step want = whole.push(text);
  want.text += whole.flush();
  std::string got;
  for (size_t at = 0; at < text.size(); at += step) got += cut.push(text.substr(at, step)).text;
  got += cut.flush();
  if (got != want.text) std::abort();
}

}  // namespace
}  // namespace quern

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  quern::Bytes bytes(data, size);
  void (*const targets[])(quern::Bytes&) = {quern::tokenize, quern::render, quern::stop,
                                            quern::tokenize_by_tables};
  targets[bytes.byte() % std::size(targets)](bytes);
  return 0;
}
