// Reading valid files: every value type, versions, alignment, names, order, memory, size.
#include "formats/gguf.h"

#include <gtest/gtest.h>

#include <cstring>

#include "formats/gguf_writer.h"
#include "quant/format.h"

namespace quern {
namespace {

std::vector<std::byte> pattern(size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 37 + 11);
  return bytes;
}

TEST(Gguf, ReadsEveryValueType) {
  GgufWriter writer;
  writer.add("general.architecture", "llama");
  writer.add<uint8_t>("u8", 255);
  writer.add<int8_t>("i8", -128);
  writer.add<uint16_t>("u16", 65535);
  writer.add<int16_t>("i16", -32768);
  writer.add<uint32_t>("u32", 4294967295u);
  writer.add<int32_t>("i32", -2147483647 - 1);
  writer.add<uint64_t>("u64", 0x7fffffffffffffffu);
  writer.add<int64_t>("i64", -0x7fffffffffffffff - 1);
  writer.add<float>("f32", 0.1f);
  writer.add<double>("f64", 0.1);
  writer.add<bool>("yes", true);
  writer.add<bool>("no", false);
  writer.add("empty", "");
  const std::vector<std::string> tokens = {"a", "", "\xff\xfe", "ünï"};  // tokens are any bytes
  writer.add_array("tokenizer.ggml.tokens", std::span(tokens));
  writer.add_array<int32_t>("ids", std::vector<int32_t>{-1, 7});
  writer.add_array<uint8_t>("blob", std::vector<uint8_t>{0, 255});
  writer.add_array<float>("floats", std::vector<float>{0.5f, -2});
  writer.add_array<uint64_t>("none", std::vector<uint64_t>{});
  const auto bytes = writer.bytes();
  const auto file = parse_gguf(bytes, "m.gguf");
  ASSERT_TRUE(file) << to_string(file.error());
  const Metadata& meta = file->metadata;
  EXPECT_EQ(file->version, 3u);
  EXPECT_EQ(meta.integer("u8"), 255);
  EXPECT_EQ(meta.integer("i8"), -128);
  EXPECT_EQ(meta.integer("u16"), 65535);
  EXPECT_EQ(meta.integer("i16"), -32768);
  EXPECT_EQ(meta.integer("u32"), 4294967295);
  EXPECT_EQ(meta.integer("i32"), -2147483648);
  EXPECT_EQ(meta.integer("u64"), 0x7fffffffffffffff);
  EXPECT_EQ(meta.integer("i64"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(meta.number("f32"), static_cast<double>(0.1f));
  EXPECT_EQ(meta.number("f64"), 0.1);
  EXPECT_EQ(*meta.get<bool>("yes"), true);
  EXPECT_EQ(meta.integer("no"), 0);
  EXPECT_EQ(meta.text("empty"), "");
  EXPECT_EQ(*meta.get<StringArray>("tokenizer.ggml.tokens"), tokens);
  EXPECT_EQ(*meta.get<std::vector<int64_t>>("ids"), (std::vector<int64_t>{-1, 7}));
  EXPECT_EQ(*meta.get<std::vector<int64_t>>("blob"), (std::vector<int64_t>{0, 255}));
  EXPECT_EQ(*meta.get<std::vector<double>>("floats"), (std::vector<double>{0.5, -2}));
  EXPECT_TRUE(meta.get<std::vector<int64_t>>("none")->empty());
  EXPECT_EQ(meta.get<std::string>("u8"), nullptr);
  EXPECT_EQ(meta.integer("absent"), std::nullopt);
  EXPECT_EQ(meta.text("u8"), std::nullopt);
  EXPECT_EQ(meta.number("u16"), 65535.0);
}

TEST(Gguf, LendsTensorsSortedByName) {
  const auto norm = pattern(3 * 4), matrix = pattern(2 * 18), cube = pattern(2 * 3 * 4 * 2);
  for (const int64_t alignment : {8, 32, 4096}) {
    GgufWriter writer(alignment);
    writer.add("general.architecture", "llama");
    writer.add_tensor("z.norm", Dtype::f32, {3}, norm);
    writer.add_tensor("a.matrix", Dtype::q4_0, {2, 32}, matrix);
    writer.add_tensor("m.cube", Dtype::f16, {2, 3, 4}, cube);
    const auto bytes = writer.bytes();
    const auto source = read_gguf(bytes, "memory");
    ASSERT_TRUE(source) << to_string(source.error());
    const auto weights = (*source)->weights();
    ASSERT_EQ(weights.size(), 3u);
    EXPECT_EQ(weights[0].name, "a.matrix");
    EXPECT_EQ(weights[2].name, "z.norm");
    const Weight* found = (*source)->find("m.cube");
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->dims, (std::vector<int64_t>{2, 3, 4}));
    EXPECT_EQ(found->n_rows(), 6);
    EXPECT_EQ(found->n_cols(), 4);
    EXPECT_EQ(found->dtype, Dtype::f16);
    EXPECT_TRUE(std::equal(found->data.begin(), found->data.end(), cube.begin(), cube.end()));
    EXPECT_EQ((found->data.data() - bytes.data()) % alignment, 0);
    const Weight& q4 = weights[0];
    EXPECT_TRUE(std::equal(q4.data.begin(), q4.data.end(), matrix.begin(), matrix.end()));
    EXPECT_EQ((*source)->find("absent"), nullptr);
    EXPECT_EQ((*source)->architecture(), "llama");
    EXPECT_EQ((*source)->format(), "GGUF v3");
    EXPECT_EQ((*source)->file_bytes(), static_cast<int64_t>(bytes.size()));
  }
}

TEST(Gguf, ReadsVersion2) {
  GgufWriter writer;
  writer.add<uint32_t>("llama.block_count", 1);
  auto bytes = writer.bytes();
  bytes[4] = std::byte{2};
  const auto file = parse_gguf(bytes, "m.gguf");
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_EQ(file->version, 2u);
}

TEST(Gguf, ReadsAVocabularyWithoutTensorsAndAnEmptyModel) {
  EXPECT_TRUE(parse_gguf(GgufWriter().bytes(), "m.gguf"));
  GgufWriter writer;
  writer.add("tokenizer.ggml.model", "gpt2");
  EXPECT_TRUE(parse_gguf(writer.bytes(), "m.gguf"));
}

// The last tensor needs its own bytes only: not every writer pads the end of the file.
TEST(Gguf, NeedsNoPaddingAtTheEnd) {
  const auto data = pattern(4);
  GgufWriter writer;
  writer.add_tensor("w", Dtype::f32, {1}, data);
  auto bytes = writer.bytes();
  bytes.resize(bytes.size() - 28);
  const auto file = parse_gguf(bytes, "m.gguf");
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_EQ(file->weights[0].data.size(), 4u);
}

TEST(Gguf, AScalarIsARowOfOne) {
  const auto data = pattern(4);
  GgufWriter writer;
  writer.add_tensor("s", Dtype::f32, {1}, data);
  auto bytes = writer.bytes();
  // Header, name, then n_dims: make it 0 and drop the dimension by moving the rest up.
  const size_t n_dims_at = 24 + 8 + 1;
  bytes[n_dims_at] = std::byte{0};
  std::memmove(&bytes[n_dims_at + 4], &bytes[n_dims_at + 12], 12);
  const auto file = parse_gguf(bytes, "m.gguf");
  ASSERT_TRUE(file) << to_string(file.error());
  EXPECT_EQ(file->weights[0].dims, std::vector<int64_t>{1});
}

// bitnet.cpp's TL2 and ggml's MXFP4 share id 39: the file type, the architecture and the size
// decide.
TEST(Gguf, TellsMxfp4FromTl2) {
  const std::vector<std::byte> mxfp4(17 * 3200 * 3200 / 32);
  const auto dtype = [&](const char* architecture, int file_type) {
    GgufWriter writer;
    writer.add("general.architecture", architecture);
    writer.add<uint32_t>("general.file_type", file_type);
    writer.add_tensor("w", Dtype::mxfp4, {3200, 3200}, mxfp4);
    const auto bytes = writer.bytes();
    const auto file = parse_gguf(bytes, "m.gguf");
    EXPECT_TRUE(file) << to_string(file.error());
    return file ? file->weights[0].dtype : Dtype::count;
  };
  EXPECT_EQ(dtype("gpt-oss", 38), Dtype::mxfp4);
  EXPECT_EQ(dtype("llama", 39), Dtype::mxfp4);
  EXPECT_EQ(dtype("bitnet", 1), Dtype::mxfp4);
}

TEST(Gguf, ReadsTl2UnderItsOldAndItsNewId) {
  const std::vector<std::byte> tl2(matrix_bytes(Dtype::tl2, 3200, 3200));
  for (const char* architecture : {"bitnet", "llama"}) {
    GgufWriter writer;
    writer.add("general.architecture", architecture);
    writer.add<uint32_t>("general.file_type", 39);
    writer.add_tensor("w", Dtype::tl2, {3200, 3200}, tl2);
    auto bytes = writer.bytes();
    size_t type_at = 0;  // of the id in the tensor table, the last 42 before the data
    for (size_t at = 0; at + 4 <= bytes.size() - tl2.size(); ++at) {
      uint32_t value = 0;
      std::memcpy(&value, &bytes[at], 4);
      if (value == 42) type_at = at;
    }
    ASSERT_NE(type_at, 0u);
    for (const uint32_t id : {42u, 39u}) {
      std::memcpy(&bytes[type_at], &id, 4);
      const auto file = parse_gguf(bytes, "m.gguf");
      ASSERT_TRUE(file) << architecture << " " << id << ": " << to_string(file.error());
      EXPECT_EQ(file->weights[0].dtype, Dtype::tl2) << architecture << " " << id;
      EXPECT_EQ(file->weights[0].data.size(), tl2.size());
    }
  }
}

}  // namespace
}  // namespace quern
