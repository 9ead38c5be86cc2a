#include "backend/cpu/program_bytes.h"

#include <concepts>
#include <cstring>
#include <type_traits>

#include "backend/packed_file.h"
#include "base/checksum.h"
#include "base/enum_table.h"
#include "formats/byte_cursor.h"

namespace quern::cpu {
namespace {

constexpr char kMagic[] = {'Q', 'U', 'E', 'R', 'N', 'P', 'R', 'G'};
constexpr size_t kHeaderBytes = 24;  // before what the checksum is of

// The members of every struct, for reader and writer alike. A(members...) is false where reading
// fails.
template <class A>
bool members(A& a, View& v) {
  return a(v.buffer, v.column);
}
template <class A>
bool members(A& a, Buffer& b) {
  return a(b.rows, b.element, b.width, b.row_bytes, b.local, b.offset);
}
template <class A>
bool members(A& a, RowForms& f) {
  for (RowForm& form : f.of)
    if (!a(form)) return false;
  return true;
}
template <class A>
bool members(A& a, RopeTable& t) {
  return a(t.rotated, t.theta, t.scale, t.factors);
}
template <class A>
bool members(A& a, AttentionShape& s) {
  return a(s.n_heads, s.n_kv_heads, s.head_dim, s.scale, s.window, s.softcap, s.value_dim);
}
template <class A>
bool members(A& a, ProgramMatrix& m) {
  return a(m.name, m.dtype, m.n_rows, m.n_cols, m.packed_at);
}
template <class A>
bool members(A& a, ProgramVector& v) {
  return a(v.name, v.at, v.n);
}
template <class A>
bool members(A& a, RowOp& o) {
  return a(o.kind, o.in, o.in2, o.out, o.width, o.table, o.weight, o.epsilon, o.rope_table,
           o.n_heads, o.head_dim, o.interleaved, o.layer, o.forms, o.width2);
}
template <class A>
bool members(A& a, RowStep& s) {
  return a(s.rows, s.ops);
}
template <class A>
bool members(A& a, ProductPart& p) {
  return a(p.matrix, p.bias, p.out, p.n_panels, p.forms);
}
template <class A>
bool members(A& a, ProductStep& s) {
  return a(s.kind, s.rows, s.in, s.n_in, s.add, s.parts);
}
template <class A>
bool members(A& a, AttendStep& s) {
  return a(s.layer, s.width, s.q, s.out, s.out_width);
}
template <class A>
bool members(A& a, Program& p) {
  return a(p.kv, p.numerics, p.n_vocab, p.width, p.max_rows, p.buffers, p.arena_bytes,
           p.local_bytes, p.logits, p.hidden, p.n_hidden_steps, p.rope_tables, p.layers, p.steps,
           p.matrices, p.vectors);
}

template <class T>
concept Number = std::integral<T> || std::floating_point<T>;

class Writer {
 public:
  template <class... T>
  bool operator()(T&... values) {
    (write(values), ...);
    return true;
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  void append(const void* from, size_t n) {
    const auto* bytes = static_cast<const std::byte*>(from);
    bytes_.insert(bytes_.end(), bytes, bytes + n);
  }
  template <Number T>
  void write(T& value) {
    append(&value, sizeof value);
  }
  template <class T>
  requires std::is_enum_v<T>
  void write(T& value) {
    const auto byte = static_cast<uint8_t>(value);
    append(&byte, 1);
  }
  void write(std::string& text) {
    const uint64_t n = text.size();
    append(&n, sizeof n);
    append(text.data(), n);
  }
  template <class T>
  void write(std::vector<T>& list) {
    const uint64_t n = list.size();
    append(&n, sizeof n);
    for (T& item : list) write(item);
  }
  void write(Step& step) {
    const auto kind = static_cast<uint8_t>(step.index());
    append(&kind, 1);
    std::visit([&](auto& one) { members(*this, one); }, step);
  }
  template <class T>
  requires std::is_class_v<T>
  void write(T& value) { members(*this, value); }

  std::vector<std::byte> bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : cursor_(bytes) {}
  template <class... T>
  bool operator()(T&... values) {
    return (read(values) && ...);
  }
  bool at_end() const { return cursor_.remaining() == 0; }

 private:
  bool read(bool& value) {
    uint8_t byte = 0;
    if (!cursor_.read(byte) || byte > 1) return false;
    value = byte == 1;
    return true;
  }
  template <Number T>
  bool read(T& value) {
    return cursor_.read(value);
  }
  template <class T>
  requires std::is_enum_v<T>
  bool read(T& value) {
    uint8_t byte = 0;
    if (!cursor_.read(byte) || byte >= enum_size<T>()) return false;
    value = static_cast<T>(byte);
    return true;
  }
  bool read(std::string& text) {
    std::string_view view;
    if (!cursor_.read(view)) return false;
    text = view;
    return true;
  }
  template <class T>
  bool read(std::vector<T>& list) {
    uint64_t n = 0;
    if (!cursor_.read(n) || n > cursor_.remaining()) return false;  // an item takes a byte at least
    for (uint64_t i = 0; i < n; ++i)
      if (!read(list.emplace_back())) return false;
    return true;
  }
  bool read(Step& step) {
    uint8_t kind = 0;
    return cursor_.read(kind) && read_kind(step, kind);
  }
  template <size_t i = 0>
  bool read_kind(Step& step, size_t kind) {
    if constexpr (i < std::variant_size_v<Step>) {
      if (kind != i) return read_kind<i + 1>(step, kind);
      return members(*this, step.emplace<i>());
    }
    return false;
  }
  template <class T>
  requires std::is_class_v<T>
  bool read(T& value) { return members(*this, value); }

  ByteCursor cursor_;
};

Error damaged(const std::string& name, const std::string& what) {
  return {Code::corrupt, what, name, "compile the model again"};
}

}  // namespace

std::vector<std::byte> to_bytes(const Program& program) {
  Writer writer;
  Program copy = program;
  members(writer, copy);
  const std::vector<std::byte> rest = writer.take();
  const uint32_t versions[] = {kProgramVersion, kPackedVersion};
  const uint64_t sum = checksum(rest);
  static_assert(sizeof kMagic + sizeof versions + sizeof sum == kHeaderBytes);
  std::vector<std::byte> bytes(kHeaderBytes);
  std::memcpy(bytes.data(), kMagic, sizeof kMagic);
  std::memcpy(bytes.data() + sizeof kMagic, versions, sizeof versions);
  std::memcpy(bytes.data() + sizeof kMagic + sizeof versions, &sum, sizeof sum);
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

Result<Program> program_from_bytes(std::span<const std::byte> bytes, const std::string& name) {
  ByteCursor header(bytes);
  char magic[sizeof kMagic];
  uint32_t version = 0, packed_version = 0;
  uint64_t sum = 0;
  bool whole = true;
  for (char& c : magic) whole = whole && header.read(c);
  whole = whole && header.read(version) && header.read(packed_version) && header.read(sum);
  if (!whole || std::memcmp(magic, kMagic, sizeof magic) != 0) return damaged(name, "no program");
  if (version != kProgramVersion || packed_version != kPackedVersion)
    return Error{
        Code::unsupported,
        "a program of version " + std::to_string(version) + "." + std::to_string(packed_version),
        name, "compile the model again"};
  const auto rest = bytes.subspan(kHeaderBytes);
  if (checksum(rest) != sum) return damaged(name, "a damaged program");
  Reader reader(rest);
  Program program;
  if (!members(reader, program) || !reader.at_end())
    return damaged(name, "a program that ends too early or too late, or has a value that is none");
  if (const auto checked = check(program); !checked)
    return damaged(name, "a program that cannot run: " + checked.error().what + " (" +
                             checked.error().where + ")");
  return program;
}

}  // namespace quern::cpu
