// Embeddings: vectors of texts, for search, clustering and comparison; similar texts have similar
// vectors. Made by Model::embed (model.h).
//
//   const std::vector<std::string> texts = {"a cat sleeps", "a kitten naps", "shares fell"};
//   auto vectors = model->embed(texts);
//   if (!vectors) { std::cerr << quern::to_string(vectors.error()) << '\n'; return 1; }
//   float alike = std::inner_product((*vectors)[0].begin(), (*vectors)[0].end(),
//                                    (*vectors)[1].begin(), 0.0f);
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace quern {

// How the final hidden states of a text's tokens are pooled into one vector.
enum class Pooling : uint8_t {
  automatic,  // what the model file says (GGUF: <architecture>.pooling_type), else last
  mean,       // the mean of all tokens'
  last,       // the last token's: the only one that has seen the whole text, where attention looks
              // backwards, as in all models that generate
  cls,        // the first token's, for models trained so
};
const char* name(Pooling pooling);  // "auto", "mean", "last", "cls"

struct EmbedOptions {
  Pooling pooling = Pooling::automatic;
  bool normalize = true;  // to length 1: a dot product is then the cosine
  // Only the first so many numbers of each vector, cut before they are normalized, for models that
  // were trained for it (Matryoshka); 0: all.
  int dimensions = 0;
  // Called between forward passes, not always from the calling thread; returning false ends the
  // call with Code::cancelled. May be empty; must not use the model.
  std::function<bool()> keep_going;
};

struct Embeddings {
  Pooling pooling = Pooling::last;  // the one used
  int dimensions = 0;               // of each vector
  std::vector<int> n_tokens;        // of each text
  std::vector<float> values;        // (texts, dimensions)

  size_t size() const { return n_tokens.size(); }  // texts
  std::span<const float> operator[](size_t i) const {
    return std::span(values).subspan(i * dimensions, dimensions);
  }
};

}  // namespace quern
