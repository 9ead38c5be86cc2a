// The options of loading a model and of embeddings. include/quern/model.h and embeddings.h say more
// of each.
#include "base/thread_pool.h"
#include "options/names.h"
#include "options/tables.h"

namespace quern::options {
namespace {

using L = LoadOptions;
using E = EmbedOptions;

constexpr size_t kPathBytes = 4096;
constexpr double kMostBytes = int64_t{1} << 53;  // the whole numbers that JSON holds exactly

const Option<L> kLoad[] = {
    {.name = "threads",
     .member = &L::threads,
     .limits = numbers(0, ThreadPool::kMaxThreads),
     .help = "Threads that compute",
     .names = {.flags = "--threads", .flag_least = 1, .ollama = "num_thread"},
     .group = Group::machine,
     .default_text = "one per core this process may use"},
    {.name = "numerics",
     .member = choice<&L::numerics>(numerics_names()),
     .help =
         "exact: the reference, slow: weights decoded to f32, all else in f64; fine: activations "
         "as "
         "int8 plus an int8 residual, as good as f32; fast: activations as int8; auto: int8 for "
         "prompts, with the residual for keys, values and answers",
     .names = {.flags = "--numerics"},
     .group = Group::compute},
    {.name = "kv",
     .member = choice<&L::kv>(kv_names()),
     .help = "Keys and values in bf16, f16 (as good as f32), int8 (half the memory) or int4 "
             "(coarse)",
     .names = {.flags = "--kv"},
     .group = Group::compute,
     .default_text = "auto: f16 for --numerics fine, else bf16"},
    {.name = "context",
     .member = &L::context,
     .limits = numbers(0, 1 << 30),
     .help = "Tokens that all running requests together may have in memory",
     .names = {.flags = "--context", .flag_least = 16, .ollama = "num_ctx"},
     .default_text = "the model's own, at most 8192"},
    {.name = "max_batch",
     .member = &L::max_batch,
     .limits = numbers(1, 1 << 20),
     .help = "Tokens of one forward pass",
     .names = {.ollama = "num_batch"}},
    {.name = "isa",
     .member = &L::isa,
     .limits = text(64),
     .help = "Instruction set to use, of those `quern doctor` lists",
     .names = {.flags = "--isa", .flag_value = "NAME"},
     .group = Group::compute,
     .default_text = "the best"},
    {.name = "pin",
     .member = &L::pin,
     .limits = text(kPathBytes),
     .help = "Keep threads on CPUs: cores (one on each core), or a list like 0-3,8; for machines "
             "that do nothing else",
     .names = {.flags = "--pin", .flag_value = "none|cores|LIST"},
     .group = Group::compute},
    {.name = "tuning",
     .member = &L::tuning,
     .help = "on: with what `quern tune` found for this machine, if anything; off: with the "
             "defaults. Results are the same",
     .names = {.flags = "--tuning", .flag_value = "on|off"},
     .group = Group::compute},
    {.name = "packed_cache",
     .member = choice<&L::packed_cache>(packed_names()),
     .help = "Weights packed by earlier starts, in the user's cache (`quern cache`): on, off, or "
             "auto: used, and kept where packing took longer than 0.1 s",
     .names = {.flags = "--packed-cache", .flag_value = "WHEN"},
     .group = Group::compute},
    {.name = "dump",
     .member = &L::dump,
     .limits = text(64),
     .help = "Print the result of the compile step of this name to stderr; all: of every step",
     .names = {.flags = "--dump", .flag_value = "STEP"},
     .group = Group::compute,
     .c_json = false},
    {.name = "deterministic",
     .member = &L::deterministic,
     .help = "The same prompt gives the same bits whatever was answered before; costs the reuse of "
             "earlier answers in a conversation",
     .names = {.flags = "--deterministic"},
     .group = Group::cache},
    {.name = "prefix_folder",
     .member = &L::prefix_folder,
     .limits = text(kPathBytes),
     .help = "Keep cached prompts in this folder, for later runs with the same model and flags",
     .names = {.flags = "--prefix-cache", .flag_value = "FOLDER"},
     .group = Group::cache},
    {.name = "prefix_bytes",
     .member = &L::prefix_bytes,
     .limits = numbers(0, kMostBytes),
     .help = "Bytes of that folder at most"},
    {.name = "draft_model",
     .member = &L::draft_model,
     .limits = text(kPathBytes),
     .help = "A small model with the same tokens that guesses ahead: a GGUF file, a folder, or a "
             "known name. Guesses are checked where that is faster; no answer changes",
     .names = {.flags = "--draft-model", .flag_value = "PATH"},
     .group = Group::draft},
    {.name = "most_drafts",
     .member = &L::most_drafts,
     .limits = numbers(0, 16),
     .help = "Guesses checked at a time, from earlier text or a draft model's, at most; 0: none",
     .names = {.flags = "--draft"},
     .group = Group::draft},
    {.name = "max_waiting",
     .member = &L::max_waiting,
     .limits = from(0),
     .help = "Answers that wait for their turn; more are refused"},
};

const Option<E> kEmbed[] = {
    {.name = "pooling",
     .member = choice<&E::pooling>(pooling_names()),
     .help = "How a text's tokens become one vector"},
    {.name = "normalize", .member = &E::normalize, .help = "Vectors of length 1"},
    {.name = "dimensions",
     .member = &E::dimensions,
     .limits = from(0),
     .help = "Only the first so many numbers of each vector; 0: all"},
};

}  // namespace

std::span<const Option<LoadOptions>> load_options() { return kLoad; }
std::span<const Option<EmbedOptions>> embed_options() { return kEmbed; }

}  // namespace quern::options
