#include "engine/engine_thread.h"

#include <deque>

#include "base/check.h"
#include "base/threads.h"

namespace quern {

// What waits for the engine's thread. Outlives it as long as a ticket does.
struct EngineThread::Ticket::Inbox {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Work> work;
  bool closed = false;

  // false: nobody would do it any more.
  bool post(Work one) {
    {
      const std::lock_guard lock(mutex);
      if (closed) return false;
      work.push_back(std::move(one));
    }
    changed.notify_one();
    return true;
  }
};

EngineThread::Ticket& EngineThread::Ticket::operator=(Ticket&& other) noexcept {
  if (this == &other) return *this;
  drop();
  reply_ = std::move(other.reply_);
  inbox_ = std::move(other.inbox_);
  id_ = other.id_;
  return *this;
}

void EngineThread::Ticket::cancel() {
  if (inbox_) inbox_->post([id = id_](Engine& engine) { engine.cancel(id); });
}

void EngineThread::Ticket::drop() {
  if (reply_) reply_->on_ready({});
  cancel();
}

EngineThread::EngineThread(Executor& executor, EngineOptions options)
    : inbox_(std::make_shared<Ticket::Inbox>()),
      engine_(std::make_unique<Engine>(executor, std::move(options))) {
  context_ = engine_->context();
  counts_.write(engine_->counts());
  thread_ = start_thread([this] { return std::thread([this] { run(); }); });
}

EngineThread::~EngineThread() {
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->closed = true;
  }
  inbox_->changed.notify_one();
  thread_.join();
}

void EngineThread::post(Work work) {
  CHECK(inbox_->post(std::move(work)), "the engine is used while it ends");
}

void EngineThread::run() {
  Engine& engine = *engine_;
  std::deque<Work> work;
  bool idle = true, closed = false;
  while (!closed) {
    {
      std::unique_lock lock(inbox_->mutex);
      const auto woken = [&] { return inbox_->closed || !inbox_->work.empty(); };
      if (const auto deadline = engine.next_deadline(); idle && deadline) {
        inbox_->changed.wait_until(lock, *deadline, woken);
      } else if (idle) {
        inbox_->changed.wait(lock, woken);
      }
      std::swap(work, inbox_->work);
      closed = inbox_->closed;
    }
    for (const Work& one : work) one(engine);
    work.clear();
    if (closed) break;
    idle = engine.step() == 0;
    counts_.write(engine.counts());
    deliver(engine);
    if (idle) engine.store_pages(false);
  }
  deliver_last(engine);
}

void EngineThread::deliver(Engine& engine) {
  for (auto at = replies_.begin(); at != replies_.end();) {
    Output output = engine.take(at->first);
    const bool over = output.finished();
    if (!output.empty() && at->second->put(std::move(output)) && !over)
      engine.pause(at->first, true);
    at = over ? replies_.erase(at) : std::next(at);
  }
}

void EngineThread::deliver_last(Engine& engine) {
  for (const auto& [id, reply] : replies_) engine.cancel(id);
  deliver(engine);
  CHECK(replies_.empty(), "a cancelled request is over");
  engine.store_pages(true);
}

EngineCounts EngineThread::counts() const {
  EngineCounts counts = counts_.read();
  counts.n_waiting = engine_->n_waiting();
  return counts;
}

Result<std::vector<EngineThread::Ticket>> EngineThread::submit(Request request) {
  TRY(Submission submission, engine_->prepare(std::move(request)));
  std::vector<Ticket> tickets(submission.places.size());
  std::vector<std::pair<RequestId, std::shared_ptr<Reply>>> replies;
  for (Ticket& ticket : tickets) {
    ticket.id_ = submission.first + std::ssize(replies);
    ticket.inbox_ = inbox_;
    ticket.reply_ = std::make_shared<Reply>([inbox = inbox_, id = ticket.id_] {
      inbox->post([id](Engine& e) { e.pause(id, false); });
    });
    replies.emplace_back(ticket.id_, ticket.reply_);
  }
  // Shared, since a std::function is copied where it is made.
  auto shared = std::make_shared<Submission>(std::move(submission));
  post([this, shared, replies = std::move(replies)](Engine& engine) {
    engine.add(std::move(*shared));
    replies_.insert(replies.begin(), replies.end());
  });
  return tickets;
}

namespace {

void append(Generation& generation, const Output& output) {
  generation.ids.insert(generation.ids.end(), output.ids.begin(), output.ids.end());
  generation.logprobs.insert(generation.logprobs.end(), output.logprobs.begin(),
                             output.logprobs.end());
  generation.text += output.text;
}

}  // namespace

Result<Generation> EngineThread::generate(Request request,
                                          const std::function<bool(const Delta&)>& on_delta) {
  TRY(auto tickets, submit(std::move(request)));
  CHECK(tickets.size() == 1, "several answers are read by their tickets");
  Generation generation;
  bool go_on = true;
  while (auto output = tickets[0].take()) {
    if (output->error) return *output->error;
    if (go_on && !(output->ids.empty() && output->text.empty())) {
      append(generation, *output);
      go_on = !on_delta || on_delta(*output);
      if (!go_on) tickets[0].cancel();
    }
    if (!output->finish) continue;
    generation.finish = go_on ? *output->finish : Finish::cancelled;
    generation.timings = output->timings;
    generation.timings.predicted_n = static_cast<int>(generation.ids.size());
  }
  return generation;
}

}  // namespace quern
