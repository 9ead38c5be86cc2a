// Formats without integer form, in a whole model: f32 kernels compute the bits they compute of the
// decoded weights, whether packed now or by an earlier load.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "backend/packed_cache.h"
#include "compile/compile.h"
#include "quant/format.h"
#include "support/files_of.h"
#include "support/temporary_folder.h"
#include "support/tiny_llama.h"

namespace quern {
namespace {

using testing::FilesOf;
using testing::make_tiny_llama;

// The same model with every matrix decoded to f32.
std::shared_ptr<MemorySource> decoded(const WeightSource& model) {
  auto plain = std::make_shared<MemorySource>("plain", model.architecture());
  plain->metadata() = model.metadata();
  for (const Weight& w : model.weights()) {
    std::vector<std::byte> bytes(w.n_rows() * w.n_cols() * 4);
    find_format(w.dtype)->decode({w.dtype, w.n_rows(), w.n_cols(), w.data}, 0, w.n_rows(),
                                 reinterpret_cast<float*>(bytes.data()));
    plain->add(w.name, Dtype::f32, w.dims, std::move(bytes));
  }
  return plain;
}

std::vector<float> logits(std::shared_ptr<const WeightSource> model, CompileOptions options) {
  options.threads = 2;
  options.max_rows = 8;
  options.cache_tokens = 64;
  const auto executor = compile(std::move(model), options);
  EXPECT_TRUE(executor) << to_string(executor.error());
  if (!executor) return {};
  const std::vector<int32_t> tokens{1, 7, 3, 90, 4}, pages{0}, used{3, 4};
  const std::vector<Chunk> chunks{{0, 5, 0, pages, 2}};
  std::vector<float> out(used.size() * (*executor)->n_vocab());
  EXPECT_TRUE((*executor)->forward({tokens, chunks, used}, out));
  return out;
}

class PlainFormat : public ::testing::TestWithParam<const Format*> {
 protected:
  std::shared_ptr<MemorySource> model() const {
    return make_tiny_llama({.linears = GetParam()->dtype, .embedding = GetParam()->dtype});
  }
};

std::vector<const Format*> plain_formats() {
  std::vector<const Format*> list;
  for (const Format* format : formats())
    if (format->integer.group == 0 && format->encode) list.push_back(format);
  return list;
}
INSTANTIATE_TEST_SUITE_P(All, PlainFormat, ::testing::ValuesIn(plain_formats()),
                         [](const auto& test) {
                           return std::string(quern::info(test.param->dtype).name);
                         });

TEST_P(PlainFormat, GivesTheBitsOfItsDecodedWeights) {
  const auto given = model(), plain = decoded(*given);
  for (const Numerics numerics : {Numerics::exact, Numerics::automatic, Numerics::fast}) {
    const std::vector<float> of_plain = logits(plain, {.numerics = numerics});
    EXPECT_EQ(logits(given, {.numerics = numerics}), of_plain) << static_cast<int>(numerics);
    EXPECT_TRUE(std::ranges::any_of(of_plain, [](float x) { return x != 0; }));
  }
}

TEST_P(PlainFormat, IsMappedFromAnEarlierLoad) {
  TemporaryFolder folder("plain_formats");
  const FileIdentity identity = {
      .inode = 5, .bytes = 6, .modified_ns = 7, .changed_ns = 8, .settled = true};
  const auto source = std::make_shared<FilesOf>(model(), std::vector{identity});
  std::optional<PackedContents> packed;
  CompileOptions options = {.packed_folder = folder.path().string()};
  options.packed = [&](PackedContents contents, double) {
    packed = contents;
    EXPECT_TRUE(PackedCache(folder.path().string()).store(contents, [](double) { return true; }));
  };
  const std::vector<float> first = logits(source, options);
  ASSERT_TRUE(packed);
  packed.reset();
  EXPECT_EQ(logits(source, options), first);
  EXPECT_FALSE(packed) << "packed anew";
}

}  // namespace
}  // namespace quern
