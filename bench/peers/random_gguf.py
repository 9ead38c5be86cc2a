#!/usr/bin/env python3
"""Writes a GGUF file of a well-known shape with random weights: for measuring speed where the real
file is not at hand. What it says is noise; it has no tokenizer.

    python3 bench/peers/random_gguf.py llama-3.2-1b q4_0 llama-1b.gguf

Matrices are of the type asked for, the embedding, which is the head as well, in q6_k as
llama-quantize leaves it. About 2^18 weights are drawn per type and laid down again and again.
"""

import argparse
import random
import struct
import sys
from pathlib import Path

# ggml type id, weights and bytes of a block, byte offset of its f16 scale; of the f16 that moves its
# weights down, and how far in scales, so that their mean is about 0.
TYPES = {
    "q4_0": (2, 32, 18, 0, None, 0.0),
    "q4_1": (3, 32, 20, 0, 2, -7.5),
    "q8_0": (8, 32, 34, 0, None, 0.0),
    "q4_k": (12, 256, 144, 0, 2, 7.5),
    "q5_k": (13, 256, 176, 0, 2, 15.5),
    "q6_k": (14, 256, 210, 208, None, 0.0),
}
F32 = 0
# A quantized weight of scale 1 has about this deviation: codes, times sub-scales where there are.
DEVIATION = {"q4_0": 4.6, "q4_1": 4.6, "q8_0": 74.0, "q4_k": 170.0, "q5_k": 340.0, "q6_k": 1400.0}
# vocabulary, layers, width, ffn, heads, kv heads, head dim, context, rope theta; heads are tied.
SHAPES = {
    "tiny": (512, 2, 256, 512, 4, 2, 64, 2048, 10000.0),
    "smollm2-135m": (49152, 30, 576, 1536, 9, 3, 64, 8192, 100000.0),
    "llama-3.2-1b": (128256, 16, 2048, 8192, 32, 8, 64, 131072, 500000.0),
    "llama-3.2-3b": (128256, 28, 3072, 8192, 24, 8, 128, 131072, 500000.0),
}
ALIGNMENT = 32


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def key(name: str, value) -> bytes:
    if isinstance(value, str):
        return text(name) + struct.pack("<I", 8) + text(value)
    if isinstance(value, float):
        return text(name) + struct.pack("<If", 6, value)
    return text(name) + struct.pack("<II", 4, value)


def metadata(shape: str) -> list[bytes]:
    vocab, layers, width, ffn, heads, kv_heads, head_dim, context, theta = SHAPES[shape]
    values = {
        "general.architecture": "llama",
        "general.name": f"random {shape}",
        "general.quantization_version": 2,
        "llama.block_count": layers,
        "llama.embedding_length": width,
        "llama.feed_forward_length": ffn,
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": kv_heads,
        "llama.attention.key_length": head_dim,
        "llama.attention.value_length": head_dim,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.context_length": context,
        "llama.rope.dimension_count": head_dim,
        "llama.rope.freq_base": theta,
        "llama.vocab_size": vocab,
        "tokenizer.ggml.model": "no_vocab",
    }
    return [key(name, value) for name, value in values.items()]


def tensors(shape: str, kind: str, head: str) -> list[tuple]:
    """(name, type, rows, columns); rows 0: a vector of f32."""
    vocab, layers, width, ffn, heads, kv_heads, head_dim, *_ = SHAPES[shape]
    q, kv = heads * head_dim, kv_heads * head_dim
    found = [("token_embd.weight", head, vocab, width), ("output_norm.weight", "f32", 0, width)]
    for i in range(layers):
        matrices = {
            "attn_q": (q, width), "attn_k": (kv, width), "attn_v": (kv, width),
            "attn_output": (width, q), "ffn_gate": (ffn, width), "ffn_up": (ffn, width),
            "ffn_down": (width, ffn),
        }  # fmt: skip
        for name, (rows, columns) in matrices.items():
            found.append((f"blk.{i}.{name}.weight", kind, rows, columns))
        for name in ("attn_norm", "ffn_norm"):
            found.append((f"blk.{i}.{name}.weight", "f32", 0, width))
    return found


def size_of(kind: str, rows: int, columns: int) -> int:
    if kind == "f32":
        return 4 * columns
    _, block, size, *_ = TYPES[kind]
    if columns % block:
        sys.exit(f"rows of {columns} weights are no whole number of {kind} blocks")
    return rows * columns // block * size


def pattern(kind: str, width: int) -> bytes:
    _, block, size, scale_at, low_at, low = TYPES[kind]
    noise = random.Random(kind)
    scale = 1 / (DEVIATION[kind] * width**0.5)
    blocks = bytearray(noise.randbytes((1 << 18) // block * size))
    for at in range(0, len(blocks), size):
        struct.pack_into("<e", blocks, at + scale_at, scale)
        if low_at is not None:
            struct.pack_into("<e", blocks, at + low_at, scale * low)
    return bytes(blocks)


def write(path: Path, shape: str, kind: str, head: str) -> None:
    listed, keys = tensors(shape, kind, head), metadata(shape)
    width = SHAPES[shape][2]
    patterns = {k: pattern(k, width) for k in {kind, head}}
    with open(path, "wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(listed), len(keys)) + b"".join(keys))
        offset = 0
        for name, k, rows, columns in listed:
            dims = (columns, rows) if rows else (columns,)
            out.write(text(name) + struct.pack(f"<I{len(dims)}Q", len(dims), *dims))
            out.write(struct.pack("<IQ", F32 if k == "f32" else TYPES[k][0], offset))
            offset += -(-size_of(k, rows, columns) // ALIGNMENT) * ALIGNMENT
        out.write(bytes(-out.tell() % ALIGNMENT))
        for _, k, rows, columns in listed:
            left = size_of(k, rows, columns)
            source = struct.pack("<f", 1.0) * columns if k == "f32" else patterns[k]
            while left > 0:
                out.write(source[:left])
                left -= min(left, len(source))
            out.write(bytes(-out.tell() % ALIGNMENT))


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("shape", choices=SHAPES)
    args.add_argument("type", choices=TYPES)
    args.add_argument("out", type=Path)
    args.add_argument("--head", choices=TYPES, default="q6_k", help="of the embedding [q6_k]")
    args = args.parse_args()
    write(args.out, args.shape, args.type, args.head)


if __name__ == "__main__":
    main()
