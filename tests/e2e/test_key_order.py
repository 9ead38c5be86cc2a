"""Templates see the keys of messages in the order in which the caller wrote them. The model here has a
token for each byte, so a prompt's tokens are its text."""

import json

import numpy as np
import pytest

import gguf_file

WIDTH = 64
# Printable bytes stand for themselves in a byte-level vocabulary, the others for characters behind U+0100.
PLAIN = [*range(33, 127), *range(161, 173), *range(174, 256)]
OTHERS = [byte for byte in range(256) if byte not in PLAIN]
BYTES = [chr(byte) if byte in PLAIN else chr(256 + OTHERS.index(byte)) for byte in range(256)]
# One that prints a message; one that makes the order a length, which a batch tells.
PRINTING = "{{ messages[-1] | tojson }}"
COUNTING = "{{ 'role first' if (messages[-1] | tojson)[2] == 'r' else 'content' }}"


def model(path, template):
    metadata = {
        "general.architecture": "llama",
        "llama.context_length": 256,
        "llama.embedding_length": WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": WIDTH,
        "llama.attention.head_count": 2,
        "llama.attention.head_count_kv": 2,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [*BYTES, "\u0100\u0101", "<|end|>"],
        "tokenizer.ggml.token_type": [1] * 257 + [3],
        "tokenizer.ggml.merges": ["\u0100 \u0101"],
        "tokenizer.ggml.eos_token_id": 257,
        "tokenizer.chat_template": template,
    }
    random = np.random.default_rng(1)
    shapes = {f"blk.0.{name}": (WIDTH, WIDTH) for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
    shapes |= {f"blk.0.{name}": (WIDTH, WIDTH) for name in ("ffn_gate", "ffn_up", "ffn_down")}
    shapes |= {"token_embd": (258, WIDTH)}
    shapes |= {name: (WIDTH,) for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm")}
    tensors = {
        f"{name}.weight": gguf_file.plain(random.standard_normal(shape).astype(np.float32))
        for name, shape in shapes.items()
    }
    return gguf_file.write(path, metadata, tensors)


def test_a_prompt_of_the_command_line_is_role_and_content(quern_json, tmp_path):
    path = model(tmp_path / "printing.gguf", PRINTING)
    ids = quern_json("run", path, "-p", "hi", "--system", "s", "-n", 1)["prompt_ids"]
    assert bytes(ids).decode() == '{"role": "user", "content": "hi"}'


@pytest.mark.parametrize(
    "message, length",
    [
        ({"role": "user", "content": "x"}, len("role first")),
        ({"content": "x", "role": "user"}, len("content")),
        ({"name": None, "content": "x", "role": "user"}, len("content")),
        ({"refusal": None, "role": "assistant", "content": "x", "tool_calls": None}, len("role first")),
        ({"content": [{"type": "text", "text": "x"}], "role": "user"}, len("content")),
    ],
)
def test_a_batch_keeps_the_order_of_its_lines(quern, tmp_path, message, length):
    path = model(tmp_path / "counting.gguf", COUNTING)
    body = {"messages": [message], "max_tokens": 1}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    (tmp_path / "in.jsonl").write_text(json.dumps(line) + "\n")
    quern("batch", tmp_path / "in.jsonl", tmp_path / "out.jsonl", "--model", path)
    answer = json.loads((tmp_path / "out.jsonl").read_text())
    assert answer["error"] is None and answer["response"]["body"]["usage"]["prompt_tokens"] == length


def test_a_loaded_conversation_keeps_the_order_of_its_file(quern, tmp_path):
    """Through /load and /save: the template refuses the order that the file does not have."""
    refusing = "{{ raise_exception('order') if (messages[0] | tojson)[2] == 'r' else 'x' }}"
    path = model(tmp_path / "refusing.gguf", refusing)
    saved = {"messages": [{"content": "a", "role": "user"}, {"role": "assistant", "content": "b"}], "max_tokens": 1}
    (tmp_path / "talk.json").write_text(json.dumps(saved))
    turns = f"/load {tmp_path}/talk.json\nmore\n/save {tmp_path}/again.json\n"
    quern("chat", path, stdin=turns.encode())
    again = json.loads((tmp_path / "again.json").read_text())["messages"]
    assert list(again[0]) == ["content", "role"] and list(again[1]) == ["role", "content"] and len(again) == 4


def test_a_batch_gives_templates_calls_tools_and_variables(quern, tmp_path):
    """As transformers does: arguments are an object though OpenAI's API has them as text. The template says ok or fails."""
    template = (
        "{%- set call = messages[-1].tool_calls[0].function -%}"
        "{%- if call.arguments.b[0] == 1 and messages[-1].content is none and tools[0].function.name == 'f'"
        " and enable_thinking is false -%} ok {%- else -%} {{ raise_exception('no') }} {%- endif -%}"
    )
    path = model(tmp_path / "calling.gguf", template)
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"b": [1]}'}}
    body = {
        "messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": None, "tool_calls": [call]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "chat_template_kwargs": {"enable_thinking": False},
        "max_tokens": 1,
    }
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    long_body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    other = {"custom_id": "b", "method": "POST", "url": "/v1/chat/completions", "body": long_body}
    (tmp_path / "in.jsonl").write_text(json.dumps(line) + "\n" + json.dumps(other) + "\n")
    quern("batch", tmp_path / "in.jsonl", tmp_path / "out.jsonl", "--model", path, expect=None)
    rows = {row["custom_id"]: row for row in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
    assert rows["a"]["error"] is None and rows["a"]["response"]["body"]["usage"]["prompt_tokens"] == len("ok")
    assert rows["b"]["response"]["status_code"] == 400
