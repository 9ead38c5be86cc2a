"""Every text the program reads may begin with a UTF-8 byte order mark, as some editors and shells
write it: the output is that of the text without."""

import json

import pytest

MARK = b"\xef\xbb\xbf"
GREEDY = ("--temperature", "0", "-n", "8", "--threads", "2")
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"a": {"type": "integer", "maximum": 9}},
        "required": ["a"],
        "additionalProperties": False,
    }
).encode()

# The text, and the command; @ is the file that holds it, no @: standard input.
CASES = {
    "schema": (SCHEMA, ("run", "M", "-p", "Hi", "--schema", "@", *GREEDY)),
    "grammar": (b'start: "yes" | "no"\n', ("run", "M", "-p", "Hi", "--grammar", "@", *GREEDY)),
    "prompt": (b"Say hi", ("run", "M", "--raw", "--file", "@", *GREEDY)),
    "prompt_stdin": (b"Say hi", ("run", "M", "--raw", "--file", "-", *GREEDY)),
    "ids": (b"1 2 3 4", ("run", "M", "--tokens", "@", *GREEDY)),
    "tokenize": (b"hello you", ("tokenize", "M", "--file", "@")),
    "tokenize_stdin": (b"hello you", ("tokenize", "M")),
    "eval": (b"hello you there", ("eval", "M", "--text", "@")),
    "eval_ids": (b"1 2 3 4", ("eval", "M", "--tokens", "@")),
    "embed": (b"hello\nyou\n", ("embed", "M", "--file", "@")),
    "embed_ids": (b"1 2\n3\n", ("embed", "M", "--tokens", "@")),
    "chat": (b"Hi\n", ("chat", "M", "--no-stats", *GREEDY)),
}


def output(quern, smollm2, tmp_path, text, command):
    file = tmp_path / "text"
    file.write_bytes(text)
    arguments = [{"M": smollm2, "@": file}.get(word, word) for word in command]
    return quern(*arguments, stdin=None if "@" in command else text).stdout


@pytest.mark.parametrize("case", CASES)
def test_a_text_with_a_mark_is_the_text(quern, smollm2, tmp_path, case):
    text, command = CASES[case]
    plain = output(quern, smollm2, tmp_path, text, command)
    assert plain
    assert output(quern, smollm2, tmp_path, MARK + text, command) == plain


def test_a_batch_with_a_mark(quern, smollm2, tmp_path):
    request = {
        "custom_id": "one",
        "method": "POST",
        "url": "/v1/completions",
        "body": {"model": "m", "prompt": "Once", "max_tokens": 4, "temperature": 0},
    }
    lines = tmp_path / "in.jsonl"
    answers = []
    for mark in (b"", MARK, MARK + b"\n"):
        lines.write_bytes(mark + json.dumps(request).encode() + b"\n")
        out = tmp_path / f"out{len(answers)}.jsonl"
        quern("batch", lines, out, smollm2)
        (answer,) = [json.loads(line) for line in out.read_text().splitlines()]
        assert answer["error"] is None and answer["custom_id"] == "one"
        answers.append(answer["response"]["body"]["choices"][0]["text"])
    assert answers[0] and answers.count(answers[0]) == 3


def test_a_saved_chat_with_a_mark(quern, smollm2, tmp_path):
    saved = tmp_path / "chat.json"
    saved.write_bytes(MARK + b'{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}')
    said = quern("chat", smollm2, "--no-stats", *GREEDY, stdin=f"/load {saved}\n/exit\n".encode())
    assert b"not a saved conversation" not in said.stderr + said.stdout
