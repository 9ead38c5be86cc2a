#!/usr/bin/env python3
"""Writes quants.npz: what the package `gguf` (by the authors of ggml) makes of random blocks of every
weight format it knows, for src/quant/formats_test.cc.

usage: pip install -r requirements.txt && python3 quants.py

Per format NAME (gguf's, lower case):
  NAME/blocks    uint8 (n_blocks, bytes)    random blocks; their f16 numbers are finite and include
                                            zeros, subnormals and the largest
  NAME/decoded   float32 (few, weights)     the first blocks decoded
  NAME/checksum  uint64                     of all blocks decoded, see `checksum`
and where the package can quantize:
  NAME/weights   float32 (rows, 256)
  NAME/encoded   uint8 (rows, bytes)
"""

import pathlib

import gguf
import numpy as np
from gguf.quants import dequantize, quantize

N_BLOCKS = {32: 96, 256: 48, 1: 96}
N_SHOWN = {32: 16, 256: 3, 1: 96}
TYPE = gguf.GGMLQuantizationType
# Where the f16 numbers of a block stand. (iq1_m hides its own in the top bits of four words.)
HALVES = {
    TYPE.Q4_0: [0], TYPE.Q4_1: [0, 2], TYPE.Q5_0: [0], TYPE.Q5_1: [0, 2], TYPE.Q8_0: [0],
    TYPE.Q2_K: [80, 82], TYPE.Q3_K: [108], TYPE.Q4_K: [0, 2], TYPE.Q5_K: [0, 2], TYPE.Q6_K: [208],
    TYPE.IQ1_S: [0], TYPE.IQ1_M: [], TYPE.IQ2_XXS: [0], TYPE.IQ2_XS: [0], TYPE.IQ2_S: [0],
    TYPE.IQ3_XXS: [0], TYPE.IQ3_S: [0], TYPE.IQ4_NL: [0], TYPE.IQ4_XS: [0], TYPE.MXFP4: [],
    TYPE.TQ1_0: [52], TYPE.TQ2_0: [64], TYPE.F16: [0], TYPE.BF16: [],
}
ENCODED = [
    TYPE.F16, TYPE.BF16, TYPE.Q4_0, TYPE.Q4_1, TYPE.Q5_0, TYPE.Q5_1, TYPE.Q8_0, TYPE.TQ1_0,
    TYPE.TQ2_0, TYPE.MXFP4,
]
EXTREMES = [0.0, -0.0, 2.0**-24, -(2.0**-24), 65504.0, -65504.0, 2.0**-14, 1.0]


def halves(rng, n):
    """Random finite f16 numbers of every magnitude; the extremes come first."""
    bits = rng.integers(0, 0x7C00, n, dtype=np.uint16) | rng.integers(0, 2, n, dtype=np.uint16) << 15
    values = bits.astype(np.uint16).view(np.float16)
    values[: len(EXTREMES)] = EXTREMES
    return values


def random_blocks(rng, kind):
    n_weights, n_bytes = gguf.GGML_QUANT_SIZES[kind]
    n = N_BLOCKS[n_weights]
    blocks = rng.integers(0, 256, (n, n_bytes), dtype=np.uint8)
    for at in HALVES[kind]:
        blocks[:, at : at + 2] = halves(rng, n).reshape(n, 1).view(np.uint8)
    if kind == TYPE.IQ1_M:
        words = blocks[:, 48:56].copy().view(np.uint16)
        d = halves(rng, n).view(np.uint16)
        for i in range(4):
            words[:, i] = (words[:, i] & 0x0FFF) | ((d >> (4 * i)) & 15) << 12
        blocks[:, 48:56] = words.view(np.uint8)
    if kind == TYPE.MXFP4:
        blocks[:4, 0] = [0, 1, 2, 255]
    if kind == TYPE.BF16:
        blocks[:, 1] &= 0xBF  # no infinity, no NaN
    return blocks


def checksum(decoded):
    """Sum of (i + 1) times the bits of float i, modulo 2^64."""
    bits = np.ascontiguousarray(decoded, np.float32).reshape(-1).view(np.uint32).astype(np.uint64)
    return np.sum(bits * (np.arange(bits.size, dtype=np.uint64) + np.uint64(1)), dtype=np.uint64)


def main():
    rng = np.random.default_rng(1)
    out = {"gguf_version": np.array(importlib_version())}
    for kind in HALVES:
        name = kind.name.lower()
        blocks = random_blocks(rng, kind)
        decoded = dequantize(blocks, kind)
        assert decoded.dtype == np.float32 and not np.isnan(decoded).any(), name
        out[f"{name}/blocks"] = blocks
        out[f"{name}/decoded"] = decoded[: N_SHOWN[gguf.GGML_QUANT_SIZES[kind][0]]]
        out[f"{name}/checksum"] = checksum(decoded)
    for kind in ENCODED:
        name = kind.name.lower()
        weights = rng.standard_normal((4, 256)).astype(np.float32)
        weights[1] *= 1e-3
        weights[2, 32:96] = 0
        weights[3] = np.sign(weights[3]) * (np.abs(weights[3]) > 0.6) * np.float32(0.3)
        encoded = quantize(weights, kind)
        out[f"{name}/weights"] = weights
        out[f"{name}/encoded"] = np.ascontiguousarray(encoded).view(np.uint8).reshape(4, -1)
    np.savez(pathlib.Path(__file__).parent / "quants.npz", **out)


def importlib_version():
    import importlib.metadata

    return importlib.metadata.version("gguf")


if __name__ == "__main__":
    main()
