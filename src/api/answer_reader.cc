#include "api/answer_reader.h"

#include <utility>

namespace quern {

AnswerReader::AnswerReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
AnswerReader::AnswerReader(AnswerReader&&) noexcept = default;
AnswerReader& AnswerReader::operator=(AnswerReader&&) noexcept = default;
AnswerReader::~AnswerReader() = default;

std::vector<AnswerEvent> AnswerReader::push(const Delta& delta) {
  for (const MarkedText::Piece& piece : state_->text.push(delta.text, delta.ids)) {
    if (piece.control) {
      state_->parser.push_control(piece.text);
    } else {
      state_->parser.push(piece.text);
    }
  }
  return state_->parser.take();
}

std::vector<AnswerEvent> AnswerReader::finish() {
  state_->parser.finish();
  return state_->parser.take();
}

}  // namespace quern
