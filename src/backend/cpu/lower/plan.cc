// Memory for the values of the steps, from what the steps say that they read and write (uses.h):
// one that is read for the last time may be written over, values whose lifetimes do not meet share
// memory, and what lives within one row of one step is a row of each thread.
#include <algorithm>
#include <utility>

#include "backend/cpu/lower/lowering.h"
#include "backend/cpu/uses.h"

namespace quern::cpu {
namespace {

constexpr int64_t kAlign = 64;
int64_t padded(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Columns of a value that somebody reads, and when: the parts of all steps count on.
struct Read {
  int step, when;
  int64_t column, width;
  bool own_row;
};

// Calls each(uses, step, when) for the parts of all steps.
template <class F>
void each_part(Program& program, F each) {
  int number = 0, when = 0;
  for (Step& step : program.steps) {
    std::visit(
        [&](auto& one) { each_uses(one, [&](const auto& uses) { each(uses, number, when++); }); },
        step);
    ++number;
  }
}

// Decides which values stand where others stood.
class Places {
 public:
  explicit Places(Program& program)
      : program_(program),
        reads_(program.buffers.size()),
        written_(program.buffers.size()),
        members_(program.buffers.size()) {
    for (size_t i = 0; i < program.buffers.size(); ++i) {
      places_.push_back({static_cast<int>(i)});
      members_[i] = {static_cast<int>(i)};
    }
    note_uses();
    each_part(program_, [&](const auto& uses, int step, int when) {
      for (const auto& use : uses)
        if (use.over) share(use, step, when);
    });
  }

  // Where a view of a value stands.
  View of(const View& view) const {
    View place = places_[view.buffer];
    place.column += view.column;
    return place;
  }

 private:
  // The caller reads the hidden state when its last step is done, and the logits behind all steps.
  void note_uses() {
    int hidden_when = 0, last_when = 0;
    each_part(program_, [&](const auto& uses, int step, int when) {
      for (const auto& use : uses) note(use, step, when);
      if (step < program_.n_hidden_steps) hidden_when = when;
      last_when = when;
    });
    const View &hidden = program_.hidden, &logits = program_.logits;
    reads_[hidden.buffer].push_back(
        {program_.n_hidden_steps - 1, hidden_when + 1, hidden.column, program_.width, false});
    reads_[logits.buffer].push_back({static_cast<int>(program_.steps.size()), last_when + 1,
                                     logits.column, program_.n_vocab, false});
  }

  void note(const UseOf<View>& use, int step, int when) {
    if (use.reads)
      reads_[use.view->buffer].push_back({step, when, use.view->column, use.width, use.own_row});
    int64_t& written = written_[use.view->buffer];
    if (use.writes) written = std::max(written, use.view->column + use.width);
  }

  // Lets `use.view`, a whole value, stand where `use.over` stands, if nobody reads that from then
  // on.
  void share(const UseOf<View>& use, int step, int when) {
    const int value = use.view->buffer;
    const View place = of(*use.over);
    const Buffer &mine = program_.buffers[value], &theirs = program_.buffers[place.buffer];
    if (mine.rows != theirs.rows || mine.element != theirs.element || mine.width != use.width)
      return;
    // Products write whole panels: past a value's own columns there must be none of another's.
    const bool whole = place.column == 0 && theirs.width == mine.width;
    if (!whole && written_[value] > mine.width) return;
    if (is_wanted(place, use.width, step, when)) return;
    places_[value] = place;
    members_[place.buffer].push_back(value);
  }

  // Whether these columns are read again: later, by more than the one reader at `when`, or within
  // the step from other rows, which may be at any part of it.
  bool is_wanted(const View& place, int64_t width, int step, int when) const {
    int n_readers = 0;
    for (const int member : members_[place.buffer]) {
      for (const Read& read : reads_[member]) {
        const int64_t column = places_[member].column + read.column;
        if (column >= place.column + width || place.column >= column + read.width) continue;
        if (read.when > when || (read.step == step && !read.own_row)) return true;
        if (read.when == when) ++n_readers;
      }
    }
    return n_readers > 1;
  }

  Program& program_;
  std::vector<std::vector<Read>> reads_;   // per value
  std::vector<int64_t> written_;           // per value: columns, with what is past the last
  std::vector<std::vector<int>> members_;  // per value: those that stand in it
  std::vector<View> places_;               // per value
};

// Row ops that copy a value to where it stands, and steps that have nothing left to do, go.
void drop_copies(Program& program) {
  std::vector<Step> kept;
  int n_hidden_steps = 0;
  for (size_t i = 0; i < program.steps.size(); ++i) {
    Step& step = program.steps[i];
    auto* rows = std::get_if<RowStep>(&step);
    if (rows)
      std::erase_if(rows->ops,
                    [](const RowOp& op) { return op.kind == RowKind::copy && op.in == op.out; });
    if (!rows || !rows->ops.empty()) kept.push_back(std::move(step));
    if (static_cast<int>(i) < program.n_hidden_steps)
      n_hidden_steps = static_cast<int>(kept.size());
  }
  program.steps = std::move(kept);
  program.n_hidden_steps = n_hidden_steps;
}

struct Lifetime {
  int first = -1, last = -1;  // steps; within one all rows are under way at once
  bool own_row = true;        // read and written by row steps alone, each row by itself
  void note(int step, bool own) {
    if (first < 0) first = step;
    last = step;
    own_row = own_row && own;
  }
};

std::vector<Lifetime> lifetimes(Program& program) {
  std::vector<Lifetime> lives(program.buffers.size());
  each_part(program, [&](const auto& uses, int step, int) {
    for (const auto& use : uses) lives[use.view->buffer].note(step, use.own_row);
  });
  Lifetime& hidden = lives[program.hidden.buffer];
  hidden.note(std::max(program.n_hidden_steps - 1, hidden.last), false);
  lives[program.logits.buffer].note(static_cast<int>(program.steps.size()), false);
  return lives;
}

// Values that stand in others are no buffers any more; the others are numbered anew.
void drop_unused(Program& program, std::vector<Lifetime>& lives) {
  std::vector<int> number(lives.size(), -1);
  std::vector<Buffer> buffers;
  std::vector<Lifetime> used;
  for (size_t i = 0; i < lives.size(); ++i) {
    if (lives[i].first < 0) continue;
    number[i] = static_cast<int>(buffers.size());
    buffers.push_back(program.buffers[i]);
    used.push_back(lives[i]);
  }
  program.buffers = std::move(buffers);
  lives = std::move(used);
  each_part(program, [&](const auto& uses, int, int) {
    for (const auto& use : uses) use.view->buffer = number[use.view->buffer];
  });
  program.hidden.buffer = number[program.hidden.buffer];
  program.logits.buffer = number[program.logits.buffer];
}

// One row of each thread, for a step at a time.
void make_local(Program& program, const std::vector<Lifetime>& lives) {
  std::vector<int64_t> taken(program.steps.size() + 1);
  for (size_t i = 0; i < lives.size(); ++i) {
    if (!lives[i].own_row || lives[i].first != lives[i].last) continue;
    Buffer& buffer = program.buffers[i];
    buffer.local = true;
    buffer.offset = taken[lives[i].first];
    taken[lives[i].first] += buffer.row_bytes;
    program.local_bytes = std::max(program.local_bytes, taken[lives[i].first]);
  }
}

// First fit: the lowest offset at which no buffer alive at the same time stands.
void lay_out(Program& program, const std::vector<Lifetime>& lives) {
  std::vector<Buffer>& buffers = program.buffers;
  const auto bytes_of_rows = [&](const Buffer& buffer) {
    return padded(buffer.row_bytes * program.max_rows, kAlign);
  };
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].local) continue;
    const int64_t bytes = bytes_of_rows(buffers[i]);
    std::vector<std::pair<int64_t, int64_t>> taken;
    for (size_t j = 0; j < i; ++j)
      if (!buffers[j].local && lives[j].first <= lives[i].last && lives[i].first <= lives[j].last)
        taken.emplace_back(buffers[j].offset, buffers[j].offset + bytes_of_rows(buffers[j]));
    std::ranges::sort(taken);
    int64_t offset = 0;
    for (const auto& [first, last] : taken) {
      if (offset + bytes <= first) break;
      offset = std::max(offset, last);
    }
    buffers[i].offset = offset;
    program.arena_bytes = std::max(program.arena_bytes, offset + bytes);
  }
}

}  // namespace

void plan_memory(Program& program) {
  const Places places(program);
  each_part(program, [&](const auto& uses, int, int) {
    for (const auto& use : uses) *use.view = places.of(*use.view);
  });
  program.hidden = places.of(program.hidden);
  program.logits = places.of(program.logits);
  drop_copies(program);
  std::vector<Lifetime> lives = lifetimes(program);
  drop_unused(program, lives);
  make_local(program, lives);
  lay_out(program, lives);
}

Result<> plan(Lowering& c) {
  plan_memory(c.program);
  return Ok{};
}

}  // namespace quern::cpu
