"""Writes GGUF models that say what a test wants: each token has one successor."""

from pathlib import Path

import gguf_file
import numpy as np


def byte_pieces() -> list[str]:
    """GPT-2's 256 characters for bytes: printable Latin-1 is itself, the rest counts from U+0100."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(b) if b in printable else chr(0x100 + others.index(b)) for b in range(256)]


class Normal(str):
    """A piece of token_type 1 behind the bytes; plain str there is a control token."""


class UserDefined(str):
    """A piece of token_type 4."""


TYPES = {Normal: 1, UserDefined: 4, str: 3}


def write(path: Path, pieces: list[str], says: list, keys: dict | None = None, merges=()) -> Path:
    """A model whose tokens are the 256 bytes and `pieces` (ids 256 on). Behind the last byte of the
    prompt "a" it says `says` (pieces, or texts of one byte), and the last of these for ever."""
    tokens = [*byte_pieces(), *pieces]
    ids = {**{chr(b): b for b in range(128)}, **{piece: 256 + i for i, piece in enumerate(pieces)}}
    chain = [ids["a"], *(ids[text] for text in says)]
    width = (len(tokens) + 63) // 64 * 64
    embedding = np.zeros((len(tokens), width), np.float32)
    head = np.zeros((len(tokens), width), np.float32)
    for token in range(len(tokens)):
        embedding[token, token] = 1
        head[chain[-1], token] = 5
    for token, following in zip(chain, chain[1:]):
        head[following, token] = 10
    square = np.zeros((width, width), np.float32)
    ffn = np.zeros((64, width), np.float32)
    ones = np.ones(width, np.float32)
    tensors = {"token_embd.weight": embedding, "output.weight": head, "output_norm.weight": ones}
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        tensors[f"blk.0.{name}.weight"] = square
    tensors["blk.0.attn_norm.weight"] = tensors["blk.0.ffn_norm.weight"] = ones
    tensors["blk.0.ffn_gate.weight"] = tensors["blk.0.ffn_up.weight"] = ffn
    tensors["blk.0.ffn_down.weight"] = np.ascontiguousarray(ffn.T)
    metadata = {
        "general.architecture": "llama",
        "llama.context_length": 256,
        "llama.embedding_length": width,
        "llama.block_count": 1,
        "llama.feed_forward_length": 64,
        "llama.attention.head_count": width // 32,
        "llama.attention.head_count_kv": width // 32,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": 32,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [1] * 256 + [TYPES[type(piece)] for piece in pieces],
        "tokenizer.chat_template": "{{ messages[0].content }}",
        **(keys or {}),
    }
    if merges:
        metadata["tokenizer.ggml.merges"] = list(merges)
    return gguf_file.write(path, metadata, {k: gguf_file.plain(v) for k, v in tensors.items()})
