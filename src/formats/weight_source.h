// A model file as the rest of Quern sees it, whether GGUF, a Hugging Face folder or an MLC folder.
// A reader checks everything, names tensors canonically (GGUF's names), and lends bytes.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "base/mapped_file.h"
#include "base/result.h"
#include "formats/metadata.h"

namespace quern {

// A view into the mapped file: valid while its WeightSource lives. Rows are contiguous; dims[0] is
// the outermost.
struct Weight {
  std::string name;  // "blk.0.attn_q.weight"
  Dtype dtype = Dtype::f32;
  std::vector<int64_t> dims;  // (n_out, n_in) for a linear layer; 1 to 4 of them, each at least 1
  std::span<const std::byte> data;

  int64_t n_cols() const { return dims.back(); }
  int64_t n_rows() const {  // everything but the innermost dimension
    int64_t n = 1;
    for (size_t i = 0; i + 1 < dims.size(); ++i) n *= dims[i];
    return n;
  }
};

// Thread-safe after open. Every size in it has been checked against the file in 64-bit arithmetic:
// users of a WeightSource need not check again.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual const std::string& path() const = 0;  // as given to open_model
  virtual std::string_view format() const = 0;  // "GGUF v3"
  virtual const std::string& architecture()
      const = 0;  // "llama"; empty where the file does not say
  virtual const Metadata& metadata() const = 0;
  virtual std::span<const Weight> weights() const = 0;  // sorted by name
  virtual int64_t file_bytes() const = 0;               // all shards together
  // Of all shards, in order; empty where the weights come from no file.
  virtual std::vector<FileIdentity> files() const { return {}; }
  // A hint that these bytes of a weight are unlikely to be read again: a mapped file returns their
  // memory to the system. They stay readable.
  virtual void give_back(std::span<const std::byte> /*data*/) const {}

  const Weight* find(std::string_view name) const;  // null where absent; O(log n)
};

// Picks the reader by content, not by file name. `path` is a file, the first shard of a set, or a
// folder that holds one GGUF model; what else lies there and is not used (an mmproj file, an
// adapter) is told to `note`. Errors: not_found, corrupt (with the byte), unsupported (with what
// is).
using OpenNote = std::function<void(const std::string& text)>;
Result<std::unique_ptr<WeightSource>> open_model(const std::string& path,
                                                 const OpenNote& note = nullptr);

}  // namespace quern
