#!/usr/bin/env python3
"""Writes the seeds of the fuzz target gguf, tests/fuzz/gguf/*.gguf: small valid files that between them
hold every value type and every tensor type.

usage: python3 make_gguf_seeds.py
"""

import pathlib
import struct

OUT = pathlib.Path(__file__).parent / "gguf"

# id: (weights per block, bytes per block); bitnet.cpp's i2_s (36) ends in 32 bytes of scale.
TENSOR_TYPES = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110),
    22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
    29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 36: (128, 64), 39: (32, 17),
}
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


def text(s):
    return struct.pack("<Q", len(s)) + s.encode()


def key(name, kind, payload):
    return text(name) + struct.pack("<I", kind) + payload


def array(name, kind, elements):
    return key(name, ARRAY, struct.pack("<IQ", kind, len(elements)) + b"".join(elements))


def pad(data):
    return data + bytes(-len(data) % 32)


def file(keys, tensors):
    """tensors: (name, dims innermost first, type id, bytes)"""
    rows, data = b"", b""
    for name, dims, kind, payload in tensors:
        rows += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, len(data))
        data += pad(payload)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(keys))
    return pad(head + b"".join(keys) + rows) + data


def noise(n):
    return bytes((i * 151 + 7) % 251 for i in range(n))


def main():
    OUT.mkdir(exist_ok=True)
    scalars = [key(f"scalar.{k}", k, struct.pack("<" + f, 1)) for k, f in SCALARS.items()]
    arrays = [array(f"array.{k}", k, [struct.pack("<" + f, 1)] * 3) for k, f in SCALARS.items()]
    arrays.append(array("tokenizer.ggml.tokens", STRING, [text("a"), text("bc"), text("")]))
    llama = key("general.architecture", STRING, text("llama"))
    kinds = []
    for kind, (weights, size) in TENSOR_TYPES.items():
        kinds.append((f"t{kind}", (weights, 2), kind, noise(2 * size if kind != 36 else 96)))
    files = {
        "empty": file([], []),
        "scalars": file(scalars, []),
        "arrays": file(arrays, []),
        "norm": file([llama], [("output_norm.weight", (8,), 0, noise(32))]),
        "cube": file([llama], [("experts", (32, 2, 3, 1), 2, noise(18 * 6))]),
        "aligned": file([key("general.alignment", 4, struct.pack("<I", 32))], kinds[:2]),
        "shard": file([key("split.count", 2, struct.pack("<H", 2))], []),
    }
    for name, _, kind, payload in kinds:
        files[f"type{kind}"] = file([llama], [(name, (TENSOR_TYPES[kind][0], 2), kind, payload)])
    for name, data in files.items():
        (OUT / f"{name}.gguf").write_bytes(data)


if __name__ == "__main__":
    main()
