// One question, one streamed answer: the example of include/quern/model.h as a program.
//   chat MODEL.gguf "What is the capital of France?"
#include <iostream>

#include "quern/model.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: chat MODEL.gguf QUESTION\n";
    return 2;
  }
  const auto fail = [](const quern::Error& error) {
    std::cerr << quern::to_string(error) << '\n';
    return 1;
  };
  auto model = quern::Model::load(argv[1]);
  if (!model) return fail(model.error());
  auto prompt = model->chat_prompt({{"user", argv[2]}});
  if (!prompt) return fail(prompt.error());
  auto answer = model->generate(*prompt, {.max_tokens = 256}, [](const quern::Delta& delta) {
    std::cout << delta.text << std::flush;
    return true;
  });
  if (!answer) return fail(answer.error());
  std::cout << '\n';
}
