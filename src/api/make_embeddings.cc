#include "api/make_embeddings.h"

#include <new>
#include <string>

namespace quern {
namespace {

Error bad_dimensions(int dimensions, int width) {
  return Error{Code::invalid_argument,
               "dimensions is " + std::to_string(dimensions) + ", the model's vectors have " +
                   std::to_string(width),
               "", "choose 1 to " + std::to_string(width) + ", or 0 for all"};
}

Result<std::vector<float>> room_for(size_t n_texts, size_t dimensions) {
  try {
    std::vector<float> values;
    if (n_texts > values.max_size() / dimensions) throw std::bad_alloc();
    values.resize(n_texts * dimensions);
    return values;
  } catch (const std::bad_alloc&) {
    return Error{Code::out_of_memory,
                 "no memory for " + std::to_string(n_texts) + " vectors of " +
                     std::to_string(dimensions) + " numbers",
                 "", "give fewer texts at once"};
  }
}

}  // namespace

Result<Pooling> pooling_of(const WeightSource& source) {
  const std::string key = source.architecture() + ".pooling_type";
  constexpr Pooling kKinds[] = {Pooling::last, Pooling::mean, Pooling::cls, Pooling::last};
  const auto kind = source.metadata().integer(key);
  if (!kind) return Pooling::last;
  if (*kind >= 0 && *kind < std::ssize(kKinds)) return kKinds[*kind];
  return Error{Code::unsupported, key + " is " + std::to_string(*kind), source.path(),
               "choose a pooling yourself: mean, last or cls"};
}

Result<Embeddings> make_embeddings(Executor& executor, int context,
                                   const Result<Pooling>& pooling_of_file,
                                   std::span<const std::vector<int32_t>> texts,
                                   const EmbedOptions& options,
                                   const std::function<Result<>(Embedding&)>& advance) {
  const int width = executor.width();
  if (options.dimensions < 0 || options.dimensions > width)
    return bad_dimensions(options.dimensions, width);
  if (options.pooling == Pooling::automatic && !pooling_of_file) return pooling_of_file.error();
  TRY_OK(check_texts(texts, executor.n_vocab(), context));

  Embeddings made;
  made.pooling = options.pooling == Pooling::automatic ? *pooling_of_file : options.pooling;
  made.dimensions = options.dimensions > 0 ? options.dimensions : width;
  for (const auto& text : texts) made.n_tokens.push_back(static_cast<int>(text.size()));
  TRY(made.values, room_for(texts.size(), made.dimensions));
  Embedding embedding(executor, texts, {made.pooling, options.normalize, options.keep_going},
                      made.values);
  while (!embedding.done()) TRY_OK(advance(embedding));
  return made;
}

}  // namespace quern
