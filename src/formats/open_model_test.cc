// Paths given as a model: files of all kinds, folders, sets of shards.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "formats/gguf.h"
#include "formats/gguf_shards.h"
#include "formats/gguf_writer.h"
#include "support/temporary_folder.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

class OpenModel : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return folder_ + "/" + name; }

  void write_text(const std::string& name, const std::string& text) const {
    std::ofstream(at(name), std::ios::binary) << text;
  }

  void write_model(const std::string& name) const {
    GgufWriter writer;
    writer.add("general.architecture", "llama");
    writer.add_tensor("w", Dtype::f32, {8}, data_);
    const auto written = writer.write(at(name));
    ASSERT_TRUE(written) << to_string(written.error());
  }

  struct Shard {
    int number, count, tensors_in_all;
    int split_no = -1, split_count = -1;  // where they are to contradict the name
    std::string tensor = "";              // a name of its own
    std::string architecture = "llama";
  };
  void write_shard(const Shard& s) const {
    GgufWriter writer;
    writer.add("general.architecture", s.architecture);
    writer.add<uint16_t>("split.no", s.split_no >= 0 ? s.split_no : s.number - 1);
    writer.add<uint16_t>("split.count", s.split_count >= 0 ? s.split_count : s.count);
    writer.add<int32_t>("split.tensors.count", s.tensors_in_all);
    const std::string tensor = "blk." + std::to_string(9 - s.number) + ".w";
    writer.add_tensor(s.tensor.empty() ? tensor : s.tensor, Dtype::f32, {8}, data_);
    const auto written = writer.write(shard_path(at("m"), s.number, s.count));
    ASSERT_TRUE(written) << to_string(written.error());
  }
  void write_set(int count) const {
    for (int number = 1; number <= count; ++number) write_shard({number, count, count});
  }

  void expect_error(const std::string& path, Code code, const std::string& says) const {
    const auto source = open_model(path);
    ASSERT_FALSE(source) << "accepted";
    EXPECT_EQ(source.error().code, code) << to_string(source.error());
    EXPECT_NE(to_string(source.error()).find(says), std::string::npos) << to_string(source.error());
  }

  TemporaryFolder temporary_{"open_model"};
  const std::string folder_ = temporary_.path().string();
  std::vector<std::byte> data_ = std::vector<std::byte>(32, std::byte{7});
};

TEST_F(OpenModel, AFile) {
  write_model("model.bin");  // the name does not matter
  const auto source = open_model(at("model.bin"));
  ASSERT_TRUE(source) << to_string(source.error());
  EXPECT_EQ((*source)->path(), at("model.bin"));
  EXPECT_EQ((*source)->format(), "GGUF v3");
  EXPECT_EQ((*source)->architecture(), "llama");
  EXPECT_EQ((*source)->file_bytes(), static_cast<int64_t>(fs::file_size(at("model.bin"))));
  EXPECT_EQ((*source)->find("w")->data[31], std::byte{7});
  fs::remove(at("model.bin"));  // the mapping keeps a deleted file alive
  EXPECT_EQ((*source)->find("w")->data[0], std::byte{7});
}

TEST_F(OpenModel, AFolderWithOneModel) {
  write_model("only.gguf");
  write_text("README.md", "hello");
  const auto source = open_model(folder_);
  ASSERT_TRUE(source) << to_string(source.error());
  EXPECT_EQ((*source)->find("w")->n_cols(), 8);
}

TEST_F(OpenModel, AFolderWithSeveralModelsListsThem) {
  write_model("a.gguf");
  write_model("b.gguf");
  write_set(2);
  expect_error(folder_, Code::invalid_argument, "3 models: a.gguf, b.gguf, m-00001-of-00002.gguf");
}

// Companions of a model, recognized by general.type or by what older converters wrote.
struct Beside {
  const char* name;
  std::vector<std::pair<const char*, const char*>> keys;
  const char* says;
};
const Beside kBeside[] = {
    {"mmproj-model-f16.gguf",
     {{"general.architecture", "clip"}, {"general.type", "mmproj"}},
     "mmproj"},
    {"mmproj-old.gguf", {{"general.architecture", "clip"}}, "mmproj"},
    {"a-projector.gguf",
     {{"general.architecture", "clip"}, {"clip.projector_type", "mlp"}},
     "mmproj"},
    {"lora.gguf",
     {{"general.architecture", "llama"}, {"general.type", "adapter"}, {"adapter.type", "lora"}},
     "LoRA"},
    {"old-lora.gguf", {{"general.architecture", "llama"}, {"adapter.type", "lora"}}, "LoRA"},
    {"imatrix.gguf", {{"general.type", "imatrix"}}, "importance"},
    {"vector.gguf", {{"general.architecture", "controlvector"}}, "control vector"},
};

TEST_F(OpenModel, WhatLiesBesideAModelIsNotUsedAndSaid) {
  const auto write = [&](const Beside& beside) {
    GgufWriter writer;
    for (const auto& [key, value] : beside.keys) writer.add(key, value);
    writer.add_tensor("w", Dtype::f32, {4}, std::span(data_).first(16));
    ASSERT_TRUE(writer.write(at(beside.name)));
  };
  std::vector<std::string> notes;
  const auto open = [&] {
    notes.clear();
    return open_model(folder_, [&](const std::string& text) { notes.push_back(text); });
  };
  for (const Beside& beside : kBeside) {
    write(beside);
    write_model("model.gguf");
    const auto source = open();
    ASSERT_TRUE(source) << beside.name << ": " << to_string(source.error());
    EXPECT_EQ((*source)->find("w")->n_cols(), 8);
    EXPECT_EQ((*source)->path(), at("model.gguf"));
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_NE(notes[0].find(beside.name), std::string::npos) << notes[0];
    EXPECT_NE(notes[0].find(beside.says), std::string::npos) << notes[0];
    EXPECT_TRUE(open_model(folder_));  // nobody need listen
    fs::remove(at("model.gguf"));
    fs::remove(at(beside.name));
  }
  for (const Beside& beside : kBeside) write(beside);
  expect_error(folder_, Code::not_found, "no model in this folder: a-projector.gguf is");
  write_set(2);
  ASSERT_TRUE(open());
  EXPECT_EQ(notes.size(), std::size(kBeside));
  write_model("other.gguf");
  expect_error(folder_, Code::invalid_argument, "2 models: m-00001-of-00002.gguf, other.gguf");
  fs::remove(at("other.gguf"));
  write_text("damaged.gguf", "GGUF");
  expect_error(folder_, Code::invalid_argument, "2 models: damaged.gguf, m-00001-of-00002.gguf");
}

TEST_F(OpenModel, FoldersOfOtherKinds) {
  expect_error(folder_, Code::not_found, "no model in this folder");
  write_text("config.json", "{}");
  write_text("model-00001-of-00002.safetensors", "");
  expect_error(folder_, Code::unsupported, "a Hugging Face model folder");
  write_text("mlc-chat-config.json", "{}");
  expect_error(folder_, Code::unsupported, "an MLC model folder");
}

TEST_F(OpenModel, FilesOfOtherKinds) {
  const struct {
    std::string text;
    Code code;
    const char* says;
  } kFiles[] = {
      {"", Code::corrupt, "the file is empty"},
      {"GGUF", Code::corrupt, "ends within the header"},
      {"version https://git-lfs.github.com/spec/v1\noid", Code::corrupt, "Git LFS pointer"},
      {"<!DOCTYPE html><html>", Code::corrupt, "a web page"},
      {"<html><body>404", Code::corrupt, "a web page"},
      {std::string("PK\x03\x04zip"), Code::unsupported, "PyTorch checkpoint"},
      {std::string("\x10\0\0\0\0\0\0\0{\"a\":1}", 15), Code::unsupported, "safetensors"},
      {"tjgg\x03", Code::unsupported, "before GGUF"},
      {"hello world, this is text", Code::corrupt, "not a GGUF file"},
  };
  for (const auto& file : kFiles) {
    write_text("file", file.text);
    expect_error(at("file"), file.code, file.says);
  }
}

TEST_F(OpenModel, PathsThatAreNoFiles) {
  expect_error(at("absent.gguf"), Code::not_found, "no such file");
  expect_error("/dev/zero", Code::invalid_argument, "a device");
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  expect_error(at("pipe"), Code::invalid_argument, "a pipe");
  fs::create_symlink(at("absent"), at("dangling.gguf"));
  expect_error(at("dangling.gguf"), Code::not_found, "no such file");
}

TEST_F(OpenModel, AShardedModelByItsFirstFileOrItsFolder) {
  write_set(3);
  for (const std::string& path : {shard_path(at("m"), 1, 3), folder_}) {
    const auto source = open_model(path);
    ASSERT_TRUE(source) << to_string(source.error());
    EXPECT_EQ((*source)->format(), "GGUF v3, 3 files");
    ASSERT_EQ((*source)->weights().size(), 3u);
    EXPECT_EQ((*source)->weights()[0].name, "blk.6.w");  // of the last file
    EXPECT_EQ((*source)->find("blk.8.w")->data[0], std::byte{7});
    EXPECT_EQ((*source)->file_bytes(),
              static_cast<int64_t>(3 * fs::file_size(shard_path(at("m"), 2, 3))));
  }
}

TEST_F(OpenModel, AShardThatIsNotTheFirst) {
  write_set(2);
  expect_error(shard_path(at("m"), 2, 2), Code::invalid_argument, "m-00001-of-00002.gguf");
}

TEST_F(OpenModel, AMissingShard) {
  write_set(3);
  fs::remove(shard_path(at("m"), 2, 3));
  expect_error(folder_, Code::not_found, "file 2 of 3 of the model is missing");
}

TEST_F(OpenModel, TheFirstShardIsMissing) {
  write_set(2);
  fs::remove(shard_path(at("m"), 1, 2));
  expect_error(folder_, Code::not_found, "m-00001-of-00002.gguf");
}

TEST_F(OpenModel, ATruncatedShard) {
  write_set(2);
  fs::resize_file(shard_path(at("m"), 2, 2), 100);
  expect_error(folder_, Code::corrupt, "m-00002-of-00002.gguf, byte");
}

TEST_F(OpenModel, AShardTooMany) {
  write_set(2);
  fs::copy_file(shard_path(at("m"), 2, 2), shard_path(at("m"), 3, 2));
  expect_error(folder_, Code::corrupt, "beyond the last of 2");
}

TEST_F(OpenModel, ShardsThatContradictEachOther) {
  write_set(2);
  write_shard({.number = 2, .count = 2, .tensors_in_all = 2, .split_no = 0});
  expect_error(folder_, Code::corrupt, "split.no is 0 instead of 1");
  write_shard({.number = 2, .count = 2, .tensors_in_all = 2, .split_count = 3});
  expect_error(folder_, Code::corrupt, "split.count is 3, in the first file 2");
  write_shard({.number = 2, .count = 2, .tensors_in_all = 2, .tensor = "blk.8.w"});
  expect_error(folder_, Code::corrupt, "tensor 'blk.8.w' is in another file as well");
  write_shard({.number = 2, .count = 2, .tensors_in_all = 2, .architecture = "gemma"});
  expect_error(folder_, Code::corrupt, "architecture 'gemma' is not the first file's");
  write_shard({.number = 2, .count = 2, .tensors_in_all = 2});
  write_shard({.number = 1, .count = 2, .tensors_in_all = 5});
  expect_error(folder_, Code::corrupt, "split.tensors.count is 5, the files hold 2");
  write_shard({.number = 1, .count = 2, .tensors_in_all = 2, .split_count = 4});
  expect_error(folder_, Code::corrupt, "the name says 2 files, split.count says 4");
}

TEST_F(OpenModel, AShardUnderAnotherName) {
  write_set(2);
  fs::rename(shard_path(at("m"), 1, 2), at("model.gguf"));
  expect_error(at("model.gguf"), Code::corrupt, "not named <model>-00001-of-0000N.gguf");
}

TEST_F(OpenModel, AShardInMemoryIsRefused) {
  GgufWriter writer;
  writer.add<uint16_t>("split.count", 2);
  const auto bytes = writer.bytes();
  EXPECT_EQ(read_gguf(bytes, "memory").error().code, Code::unsupported);
}

TEST_F(OpenModel, TheWriterLeavesNoHalfFile) {
  const GgufWriter writer;
  EXPECT_EQ(writer.write(at("absent/m.gguf")).error().code, Code::unavailable);
  fs::create_directories(at("taken.gguf/x"));  // renaming onto it fails at the very end
  EXPECT_EQ(writer.write(at("taken.gguf")).error().code, Code::unavailable);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST(ShardName, ParsesAndPrints) {
  const auto name = parse_shard_name("dir/my-model-00002-of-00010.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->stem, "dir/my-model");
  EXPECT_EQ(name->number, 2);
  EXPECT_EQ(name->count, 10);
  EXPECT_EQ(shard_path(name->stem, 2, 10), "dir/my-model-00002-of-00010.gguf");
  for (const char* other :
       {"m.gguf", "m-0001-of-00002.gguf", "m-00001-of-00002", "m-00001-af-00002.gguf",
        "m-0000x-of-00002.gguf", "m-00000-of-00002.gguf", "m-00001-of-00000.gguf", ""})
    EXPECT_FALSE(parse_shard_name(other)) << other;
}

}  // namespace
}  // namespace quern
