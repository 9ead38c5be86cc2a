// Malformed files: each must give a typed error that says what and where, without a large
// allocation. One row per case; the property tests at the end cover the cases not listed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "support/allocations.h"

namespace quern {
namespace {

constexpr uint64_t kHuge = uint64_t{1} << 63;
constexpr uint32_t kU8 = 0, kU32 = 4, kF32 = 6, kBool = 7, kString = 8, kArray = 9, kU64 = 10;
constexpr uint32_t kTypeF32 = 0, kTypeQ4_0 = 2;

// A file written field by field, right or wrong.
class Raw {
 public:
  Raw& u8(uint8_t v) { return put(&v, 1); }
  Raw& u32(uint32_t v) { return put(&v, 4); }
  Raw& u64(uint64_t v) { return put(&v, 8); }
  Raw& f32(float v) { return put(&v, 4); }
  Raw& text(std::string_view s) { return put(s.data(), s.size()); }
  Raw& string(std::string_view s) { return u64(s.size()).text(s); }
  Raw& zeros(size_t n) { return bytes_.resize(bytes_.size() + n), *this; }
  Raw& header(uint64_t n_tensors, uint64_t n_keys, uint32_t version = 3) {
    return text("GGUF").u32(version).u64(n_tensors).u64(n_keys);
  }
  Raw& key(std::string_view name, uint32_t type) { return string(name).u32(type); }
  Raw& array(std::string_view name, uint32_t type, uint64_t count) {
    return key(name, kArray).u32(type).u64(count);
  }
  Raw& tensor(std::string_view name, std::vector<uint64_t> dims, uint32_t type, uint64_t offset) {
    string(name).u32(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims) u64(dim);
    return u32(type).u64(offset);
  }
  // Padding to where the data begins, then that many bytes of it.
  Raw& data(size_t n, size_t alignment = 32) {
    return zeros(-bytes_.size() & (alignment - 1)).zeros(n);
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  Raw& put(const void* from, size_t n) {
    const auto* at = static_cast<const std::byte*>(from);
    for (size_t i = 0; i < n; ++i) bytes_.push_back(at[i]);
    return *this;
  }
  std::vector<std::byte> bytes_;
};

// parse_gguf on a copy of exactly that size, so that the sanitizer sees a read beyond the end.
Result<GgufFile> parse(std::span<const std::byte> bytes, std::vector<std::byte>& copy) {
  copy.assign(bytes.begin(), bytes.end());
  copy.shrink_to_fit();
  testing::forget_allocations();
  return parse_gguf(copy, "bad.gguf");
}

struct Case {
  const char* name;
  Code code;
  const char* says;   // part of `what`
  const char* where;  // the whole of `where`
  Raw file;
};

const Case kCases[] =
    {
        // the header
        {"EmptyFile", Code::corrupt, "the file is empty", "bad.gguf, byte 0", Raw()},
        {"FourBytes", Code::corrupt, "ends within the header", "bad.gguf, byte 4",
         Raw().text("GGUF")},
        {"ThreeBytes", Code::corrupt, "ends within its first four bytes", "bad.gguf, byte 3",
         Raw().text("GGU")},
        {"BadMagic", Code::corrupt, "not a GGUF file: it begins with 'GGUX'", "bad.gguf, byte 0",
         Raw().text("GGUX").u32(3).u64(0).u64(0)},
        {"MagicOfControlCharacters", Code::corrupt, "'\\x1b[2J'", "bad.gguf, byte 0",
         Raw().text("\x1b[2J").u32(3).u64(0).u64(0)},
        {"Version0", Code::unsupported, "GGUF version 0", "bad.gguf, byte 4",
         Raw().header(0, 0, 0)},
        {"Version1", Code::unsupported, "GGUF version 1", "bad.gguf, byte 4",
         Raw().header(0, 0, 1)},
        {"VersionOfTheFuture", Code::unsupported, "GGUF version 4", "bad.gguf, byte 4",
         Raw().header(0, 0, 4)},
        {"BigEndian", Code::unsupported, "big-endian", "bad.gguf, byte 4",
         Raw().header(0, 0, 0x03000000)},
        {"HugeKeyCount", Code::corrupt, "keys do not fit", "bad.gguf, byte 16",
         Raw().header(0, ~uint64_t{0})},
        {"KeyCountBeyondTheFile", Code::corrupt, "9 keys do not fit", "bad.gguf, byte 16",
         Raw().header(0, 9).zeros(100)},
        {"HugeTensorCount", Code::corrupt, "tensors do not fit", "bad.gguf, byte 8",
         Raw().header(kHuge, 0)},
        {"TensorCountBeyondTheFile", Code::corrupt, "tensors do not fit", "bad.gguf, byte 8",
         Raw().header(1000, 0).zeros(1000)},
        // keys
        {"KeyLength2To63", Code::corrupt, "ends within the name of key 0", "bad.gguf, byte 24",
         Raw().header(0, 1).u64(kHuge).zeros(32)},
        {"KeyLengthAllOnes", Code::corrupt, "ends within the name of key 0", "bad.gguf, byte 24",
         Raw().header(0, 1).u64(~uint64_t{0}).zeros(32)},
        {"KeyTooLong", Code::corrupt, "is 65536 bytes long", "bad.gguf, byte 24",
         Raw().header(0, 1).key(std::string(65536, 'k'), kU8).u8(1)},
        {"EmptyKey", Code::corrupt, "the name of key 0 is empty", "bad.gguf, byte 24",
         Raw().header(0, 1).key("", kU8).u8(1).zeros(8)},
        {"KeyNotUtf8", Code::corrupt, "'\\xff'", "bad.gguf, byte 24",
         Raw().header(0, 1).key("\xff", kU8).u8(1)},
        {"KeyOfControlCharacters", Code::corrupt, "'a\\x0ab'", "bad.gguf, byte 24",
         Raw().header(0, 1).key("a\nb", kU8).u8(1)},
        {"KeyWithNul", Code::corrupt, "'a\\x00b'", "bad.gguf, byte 24",
         Raw().header(0, 1).key(std::string_view("a\0b", 3), kU8).u8(1)},
        {"UnknownValueType", Code::corrupt, "key 'k' has unknown type 13", "bad.gguf, byte 33",
         Raw().header(0, 1).key("k", 13).u8(1)},
        {"ValueCutOff", Code::corrupt, "ends within key 'k'", "bad.gguf, byte 37",
         Raw().header(0, 1).key("k", kU64).u32(1)},
        {"DuplicateKey", Code::corrupt, "key 'k' occurs twice", "bad.gguf, byte 38",
         Raw().header(0, 2).key("k", kU8).u8(1).key("k", kU8).u8(2)},
        {"BoolOfTwo", Code::corrupt, "neither 0 nor 1", "bad.gguf, byte 37",
         Raw().header(0, 1).key("k", kBool).u8(2)},
        {"U64AboveI64", Code::unsupported, "9223372036854775808 is above", "bad.gguf, byte 37",
         Raw().header(0, 1).key("k", kU64).u64(kHuge)},
        {"StringLength2To63", Code::corrupt, "ends within the text of key 'k'", "bad.gguf, byte 37",
         Raw().header(0, 1).key("k", kString).u64(kHuge).zeros(8)},
        {"StringLength4GiB", Code::corrupt, "ends within the text of key 'k'", "bad.gguf, byte 37",
         Raw().header(0, 1).key("k", kString).u64(uint64_t{1} << 32).zeros(8)},
        {"StringOneByteTooLong", Code::corrupt, "ends within the text of key 'k'",
         "bad.gguf, byte 37", Raw().header(0, 1).key("k", kString).u64(9).zeros(8)},
        // arrays
        {"NestedArray", Code::unsupported, "an array of arrays", "bad.gguf, byte 37",
         Raw().header(0, 1).array("k", kArray, 1).u32(kU8).u64(1).u8(1)},
        {"DeeplyNestedArray", Code::unsupported, "an array of arrays", "bad.gguf, byte 37",
         [] {
           Raw raw;
           raw.header(0, 1).key("k", kArray);
           for (int depth = 0; depth < 100000; ++depth) raw.u32(kArray).u64(1);
           return raw;
         }()},
        {"ArrayOfUnknownType", Code::corrupt, "elements of unknown type 99", "bad.gguf, byte 37",
         Raw().header(0, 1).array("k", 99, 1).zeros(8)},
        {"ArrayHeadCutOff", Code::corrupt, "ends within key 'k'", "bad.gguf, byte 41",
         Raw().header(0, 1).key("k", kArray).u32(kU8)},
        {"ArrayCountAllOnes", Code::corrupt, "elements do not fit", "bad.gguf, byte 41",
         Raw().header(0, 1).array("k", kU32, ~uint64_t{0}).zeros(8)},
        {"ArrayCount2To61", Code::corrupt, "elements do not fit",
         "bad.gguf, byte 41",  // * 8 wraps to 0
         Raw().header(0, 1).array("k", kU64, uint64_t{1} << 61).zeros(8)},
        {"ArrayOneTooLong", Code::corrupt, "3 elements do not fit", "bad.gguf, byte 41",
         Raw().header(0, 1).array("k", kU32, 3).zeros(8)},
        {"StringArrayCountBeyondTheFile", Code::corrupt, "1000000 elements do not fit",
         "bad.gguf, byte 41", Raw().header(0, 1).array("k", kString, 1000000).zeros(100)},
        {"StringArrayElementTooLong", Code::corrupt, "ends within element 1 of key 'k'",
         "bad.gguf, byte 58",
         Raw().header(0, 1).array("k", kString, 2).string("a").u64(uint64_t{1} << 31).zeros(8)},
        {"U64ArrayAboveI64", Code::unsupported, "above 2^63 - 1", "bad.gguf, byte 57",
         Raw().header(0, 1).array("k", kU64, 2).u64(1).u64(~uint64_t{0})},
        {"BoolArrayOfTwo", Code::corrupt, "neither 0 nor 1", "bad.gguf, byte 49",
         Raw().header(0, 1).array("k", kBool, 2).u8(1).u8(2)},
        // keys that have a meaning
        {"AlignmentOfWrongType", Code::corrupt, "'general.alignment' is not an integer", "bad.gguf",
         Raw().header(0, 1).key("general.alignment", kF32).f32(32)},
        {"Alignment0", Code::corrupt, "general.alignment is 0", "bad.gguf",
         Raw().header(0, 1).key("general.alignment", kU32).u32(0)},
        {"Alignment3", Code::corrupt, "general.alignment is 3", "bad.gguf",
         Raw().header(0, 1).key("general.alignment", kU32).u32(3)},
        {"Alignment4", Code::corrupt, "general.alignment is 4;", "bad.gguf",
         Raw().header(0, 1).key("general.alignment", kU32).u32(4)},
        {"Alignment33", Code::corrupt, "general.alignment is 33", "bad.gguf",
         Raw().header(0, 1).key("general.alignment", kU32).u32(33)},
        {"Alignment2To31", Code::corrupt, "general.alignment is 2147483648", "bad.gguf",
         Raw().header(0, 1).key("general.alignment", kU32).u32(1u << 31)},
        {"AlignmentNegative", Code::corrupt, "general.alignment is -32", "bad.gguf",
         Raw().header(0, 1).key("general.alignment", 5).u32(static_cast<uint32_t>(-32))},
        {"ArchitectureOfWrongType", Code::corrupt, "'general.architecture' is not a string",
         "bad.gguf", Raw().header(0, 1).key("general.architecture", kU32).u32(1)},
        {"FileTypeOfWrongType", Code::corrupt, "'general.file_type' is not an integer", "bad.gguf",
         Raw().header(0, 1).key("general.file_type", kString).string("Q4_0")},
        {"TokensOfWrongType", Code::corrupt, "'tokenizer.ggml.tokens' is not an array of strings",
         "bad.gguf", Raw().header(0, 1).array("tokenizer.ggml.tokens", kU32, 1).u32(1)},
        {"ScoresOfWrongType", Code::corrupt, "'tokenizer.ggml.scores' is not an array of floats",
         "bad.gguf", Raw().header(0, 1).array("tokenizer.ggml.scores", kU32, 1).u32(1)},
        {"TokenTypesOfWrongType", Code::corrupt,
         "'tokenizer.ggml.token_type' is not an array of integers", "bad.gguf",
         Raw().header(0, 1).array("tokenizer.ggml.token_type", kF32, 1).f32(1)},
        {"TemplateOfWrongType", Code::corrupt, "'tokenizer.chat_template' is not a string",
         "bad.gguf", Raw().header(0, 1).key("tokenizer.chat_template", kU32).u32(1)},
        {"SplitCountOfWrongType", Code::corrupt, "'split.count' is not an integer", "bad.gguf",
         Raw().header(0, 1).key("split.count", kString).string("2")},
        // the tensor table
        {"TensorNameLength2To63", Code::corrupt, "ends within the name of tensor 0",
         "bad.gguf, byte 24", Raw().header(1, 0).u64(kHuge).zeros(64)},
        {"EmptyTensorName", Code::corrupt, "the name of tensor 0 is empty", "bad.gguf, byte 24",
         Raw().header(1, 0).tensor("", {1}, kTypeF32, 0).data(4)},
        {"TensorNameNotUtf8", Code::corrupt, "not plain UTF-8", "bad.gguf, byte 24",
         Raw().header(1, 0).tensor("\xc3(", {1}, kTypeF32, 0).data(4)},
        {"FiveDimensions", Code::corrupt, "tensor 'w': 5 dimensions, at most 4",
         "bad.gguf, byte 33", Raw().header(1, 0).tensor("w", {1, 1, 1, 1, 1}, kTypeF32, 0).data(4)},
        {"TwoTo32MinusOneDimensions", Code::corrupt, "4294967295 dimensions", "bad.gguf, byte 33",
         Raw().header(1, 0).string("w").u32(~0u).zeros(64)},
        {"ZeroDimension", Code::corrupt, "dimension 1 is 0", "bad.gguf, byte 45",
         Raw().header(1, 0).tensor("w", {32, 0}, kTypeF32, 0).data(4)},
        {"DimensionAbove2To63", Code::corrupt, "exceed 2^63", "bad.gguf, byte 37",
         Raw().header(1, 0).tensor("w", {~uint64_t{0}}, kTypeF32, 0).data(4)},
        {"DimensionsWrapToZero", Code::corrupt, "exceed 2^63", "bad.gguf, byte 45",
         Raw()
             .header(1, 0)
             .tensor("w", {uint64_t{1} << 32, uint64_t{1} << 32}, kTypeF32, 0)
             .data(4)},
        {"DimensionsWrapToSmall", Code::corrupt, "exceed 2^63", "bad.gguf, byte 45",
         Raw()
             .header(1, 0)
             .tensor("w", {(uint64_t{1} << 32) + 1, (uint64_t{1} << 32) - 1}, kTypeF32, 0)
             .data(4)},
        {"BytesWrapToZero", Code::corrupt, "exceed 2^62 bytes", "bad.gguf, byte 24",
         Raw().header(1, 0).tensor("w", {uint64_t{1} << 62}, kTypeF32, 0).data(4)},
        {"RowCutOff", Code::corrupt, "ends within tensor 'w'", "bad.gguf, byte 49",
         Raw().header(1, 0).string("w").u32(1).u64(1).u32(0)},
        {"UnknownTensorType", Code::unsupported, "tensor 'blk.0.ffn_up.weight': type id 43",
         "bad.gguf, byte 24",
         Raw().header(1, 0).tensor("blk.0.ffn_up.weight", {32}, 43, 0).data(64)},
        {"TensorTypeOfAnotherProgram", Code::unsupported, "type id 40 (NVFP4) is not supported",
         "bad.gguf, byte 24", Raw().header(1, 0).tensor("w", {64}, 40, 0).data(64)},
        {"RemovedTensorType", Code::unsupported, "type id 31 (Q4_0_4_4", "bad.gguf, byte 24",
         Raw().header(1, 0).tensor("w", {64}, 31, 0).data(64)},
        {"TensorTypeAllOnes", Code::unsupported, "type id 4294967295", "bad.gguf, byte 24",
         Raw().header(1, 0).tensor("w", {64}, ~0u, 0).data(64)},
        {"RowNotWholeBlocks", Code::corrupt, "rows of 33 are not whole blocks of q4_0 (32)",
         "bad.gguf, byte 24", Raw().header(1, 0).tensor("w", {33}, kTypeQ4_0, 0).data(64)},
        {"RowNotWholeSuperBlocks", Code::corrupt, "rows of 128 are not whole blocks of q6_k (256)",
         "bad.gguf, byte 24", Raw().header(1, 0).tensor("w", {128}, 14, 0).data(256)},
        {"I2sRowNot128", Code::corrupt, "rows of 64 are not whole blocks of i2_s (128)",
         "bad.gguf, byte 24", Raw().header(1, 0).tensor("w", {64, 2}, 36, 0).data(256)},
        {"Tl1OfUnknownShape", Code::unsupported, "the tl1 layout of 2560 x 2560 is not known",
         "bad.gguf, byte 24", Raw().header(1, 0).tensor("w", {2560, 2560}, 38, 0).data(64)},
        {"Tl2OfUnknownShape", Code::unsupported, "the tl2 layout of 2560 x 2560 is not known",
         "bad.gguf, byte 24", Raw().header(1, 0).tensor("w", {2560, 2560}, 42, 0).data(64)},
        {"Mxfp4OrTl2OfNeitherSize", Code::unsupported, "means MXFP4 or bitnet.cpp's TL2",
         "bad.gguf, byte 70",
         Raw()
             .header(1, 1)
             .key("general.architecture", kString)
             .string("bitnet")
             .tensor("w", {3200, 3200}, 39, 0)
             .data(64)},
        // the data
        {"OffsetNotAligned", Code::corrupt, "offset 16 is not a multiple of the alignment 32",
         "bad.gguf, byte 49", Raw().header(1, 0).tensor("w", {1}, kTypeF32, 16).data(64)},
        {"OffsetNotAlignedToItsOwn", Code::corrupt,
         "offset 32 is not a multiple of the alignment 64", "bad.gguf, byte 82",
         Raw()
             .header(1, 1)
             .key("general.alignment", kU32)
             .u32(64)
             .tensor("w", {1}, kTypeF32, 32)
             .data(256)},
        {"OffsetBeyondTheFile", Code::corrupt, "begins at byte 4096 of the data, which has 64",
         "bad.gguf, byte 24", Raw().header(1, 0).tensor("w", {1}, kTypeF32, 4096).data(64)},
        {"OffsetAllOnes", Code::corrupt, "begins at byte 18446744073709551584", "bad.gguf, byte 24",
         Raw().header(1, 0).tensor("w", {1}, kTypeF32, ~uint64_t{31}).data(64)},
        {"DataMissing", Code::corrupt, "tensor 'w' needs 4 bytes, the file has 0",
         "bad.gguf, byte 24", Raw().header(1, 0).tensor("w", {1}, kTypeF32, 0)},
        {"DataOneByteShort", Code::corrupt, "needs 256 bytes, the file has 255",
         "bad.gguf, byte 24", Raw().header(1, 0).tensor("w", {64}, kTypeF32, 0).data(255)},
        {"SecondTensorShort", Code::corrupt, "tensor 'b' needs 64 bytes, the file has 63",
         "bad.gguf, byte 57",
         Raw()
             .header(2, 0)
             .tensor("a", {16}, kTypeF32, 0)
             .tensor("b", {16}, kTypeF32, 64)
             .data(127)},
        {"TensorOfAnExabyte", Code::corrupt, "needs 4611686018427387904 bytes", "bad.gguf, byte 24",
         Raw().header(1, 0).tensor("w", {uint64_t{1} << 60}, kTypeF32, 0).data(64)},
        {"SumOfSizesWraps", Code::corrupt, "needs 4611686018427387904 bytes", "bad.gguf, byte 24",
         [] {
           Raw raw;
           raw.header(4, 0);
           for (const char* name : {"a", "b", "c", "d"})
             raw.tensor(name, {uint64_t{1} << 60}, kTypeF32, 0);
           return raw.data(64);
         }()},
        {"SameBytesTwice", Code::corrupt, "tensor 'a' overlaps tensor 'b'", "bad.gguf, byte 24",
         Raw().header(2, 0).tensor("a", {1}, kTypeF32, 0).tensor("b", {1}, kTypeF32, 0).data(64)},
        {"Overlap", Code::corrupt, "tensor 'a' overlaps tensor 'b'", "bad.gguf, byte 57",
         Raw().header(2, 0).tensor("b", {1}, kTypeF32, 32).tensor("a", {9}, kTypeF32, 0).data(96)},
        {"DuplicateTensor", Code::corrupt, "tensor 'w' occurs twice", "bad.gguf, byte 57",
         Raw().header(2, 0).tensor("w", {1}, kTypeF32, 0).tensor("w", {1}, kTypeF32, 32).data(64)},
};

class BadFile : public ::testing::TestWithParam<Case> {};

TEST_P(BadFile, GivesATypedError) {
  const Case& c = GetParam();
  std::vector<std::byte> copy;
  const auto file = parse(c.file.bytes(), copy);
  const size_t allocated = testing::largest_allocation();
  ASSERT_FALSE(file) << "accepted";
  EXPECT_EQ(file.error().code, c.code) << to_string(file.error());
  EXPECT_NE(file.error().what.find(c.says), std::string::npos) << to_string(file.error());
  EXPECT_EQ(file.error().where, c.where) << to_string(file.error());
  EXPECT_FALSE(file.error().fix.empty()) << to_string(file.error());
  EXPECT_LT(allocated, size_t{1} << 17) << "bytes at once, for a file of " << copy.size();
}

INSTANTIATE_TEST_SUITE_P(Gguf, BadFile, ::testing::ValuesIn(kCases),
                         [](const auto& test) { return test.param.name; });

// A small file with a value of every type.
std::vector<std::byte> valid_file() {
  GgufWriter writer;
  writer.add("general.architecture", "llama");
  writer.add<uint32_t>("general.file_type", 2);
  writer.add<float>("llama.rope.freq_base", 10000);
  writer.add<bool>("tokenizer.ggml.add_bos_token", true);
  const std::vector<std::string> tokens = {"a", "bc", ""};
  writer.add_array("tokenizer.ggml.tokens", std::span(tokens));
  writer.add_array<float>("tokenizer.ggml.scores", std::vector<float>{0, -1, -2});
  const std::vector<std::byte> norm(8 * 4), matrix(2 * 18), big(144);
  writer.add_tensor("blk.0.attn_norm.weight", Dtype::f32, {8}, norm);
  writer.add_tensor("blk.0.attn_q.weight", Dtype::q4_0, {2, 32}, matrix);
  writer.add_tensor("output.weight", Dtype::q4_k, {1, 256}, big);
  return writer.bytes();
}

// What an accepted file promises: sizes that match and bytes inside the file.
void expect_sound(const GgufFile& file, std::span<const std::byte> bytes) {
  for (const Weight& weight : file.weights) {
    ASSERT_GE(weight.data.data(), bytes.data());
    ASSERT_LE(weight.data.data() + weight.data.size(), bytes.data() + bytes.size());
    ASSERT_TRUE(!weight.dims.empty() && weight.dims.size() <= 4);
    ASSERT_GE(weight.n_rows(), 1);
    ASSERT_GE(weight.n_cols(), 1);
  }
}

// Large files (sparse, so they take no disk) whose counts are true: memory is bounded all the same.
TEST(GgufProperty, LargeFilesOfNothing) {
  const std::string path = ::testing::TempDir() + "large_" + std::to_string(::getpid());
  const struct {
    Raw head;
    Code code;
    const char* says;
  } kFiles[] = {
      {Raw().header(100000000, 0), Code::unsupported, "100000000 tensors; at most"},
      {Raw().header(1000000, 0), Code::corrupt, "the name of tensor 0 is empty"},
      {Raw().header(0, 100000000), Code::corrupt, "the name of key 0 is empty"},
      {Raw().header(0, 1).array("k", kString, 500000000), Code::unsupported, "more than 256 MiB"},
      {Raw().header(0, 1).array("k", kU8, 4000000000), Code::unsupported, "more than 256 MiB"},
      {Raw().header(0, 1).key("k", kString).u64(4000000000), Code::unsupported,
       "more than 256 MiB"},
  };
  for (const auto& file : kFiles) {
    const auto& head = file.head.bytes();
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(head.data()),
               static_cast<std::streamsize>(head.size()));
    std::filesystem::resize_file(path, uint64_t{8} << 30);
    testing::forget_allocations();
    const auto source = open_gguf(path);
    ASSERT_FALSE(source);
    EXPECT_EQ(source.error().code, file.code) << to_string(source.error());
    EXPECT_NE(source.error().what.find(file.says), std::string::npos) << to_string(source.error());
    EXPECT_LT(testing::largest_allocation(), size_t{1} << 20) << file.says;
  }
  std::filesystem::remove(path);
}

TEST(GgufProperty, EveryTruncationIsAnError) {
  const auto whole = valid_file();
  const size_t needed = whole.size() - (-size_t{144} & 31);  // the last tensor's own bytes
  std::vector<std::byte> copy;
  for (size_t size = 0; size < needed; ++size) {
    const auto file = parse(std::span(whole).first(size), copy);
    ASSERT_FALSE(file) << size;
    ASSERT_EQ(file.error().code, Code::corrupt) << size;
  }
  for (size_t size = needed; size <= whole.size(); ++size)
    ASSERT_TRUE(parse(std::span(whole).first(size), copy)) << size;
}

TEST(GgufProperty, EveryFlippedBitIsAnErrorOrHarmless) {
  auto bytes = valid_file();
  std::vector<std::byte> copy;
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    const auto file = parse(bytes, copy);
    ASSERT_LT(testing::largest_allocation(), size_t{1} << 17) << bit;
    if (file) expect_sound(*file, copy);
    bytes[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
  }
}

TEST(GgufProperty, EveryWordReplacedByAnExtremeIsAnErrorOrHarmless) {
  const auto whole = valid_file();
  std::vector<std::byte> copy;
  for (const uint64_t extreme :
       {uint64_t{0}, uint64_t{1}, ~uint64_t{0}, kHuge, kHuge - 1, uint64_t{1} << 61,
        uint64_t{1} << 32, uint64_t{0x7fffffff}, uint64_t{0xffffffff}}) {
    for (size_t at = 0; at + 8 <= whole.size(); ++at) {
      auto bytes = whole;
      std::memcpy(&bytes[at], &extreme, 8);
      const auto file = parse(bytes, copy);
      ASSERT_LT(testing::largest_allocation(), size_t{1} << 17) << at;
      if (file) expect_sound(*file, copy);
    }
  }
}

}  // namespace
}  // namespace quern
