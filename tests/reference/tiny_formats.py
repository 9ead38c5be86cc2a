"""Makes one tiny Llama per tensor type (tests/data/tiny/format_<type>.gguf) and its logits by
transformers in f32 on the decoded weights. F32, F16 and BF16 are types of tiny_llamas.py.

    pip install -r tests/reference/requirements.txt && python tests/reference/tiny_formats.py

Every matrix of a file, the tied embedding included, is of its type (the BitNet I2_S has an f16
embedding, as its files do). Types that the package `gguf` can quantize are quantized by it; for the
others every bit of a block is random, its scales aside, so that all codes, signs and sub-scales
occur. `gguf` decodes all of them but I2_S.
"""

from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from transformers import LlamaConfig, LlamaForCausalLM

import tiny_gguf

OUT = Path(__file__).resolve().parents[1] / "data" / "tiny"

# Blocks of 32 weights take a width that is no multiple of 64; super-blocks need 256.
SMALL = dict(
    hidden_size=96, num_attention_heads=3, num_key_value_heads=1,
    head_dim=32, intermediate_size=160
)
WIDE = dict(
    hidden_size=256, num_attention_heads=4, num_key_value_heads=1,
    head_dim=64, intermediate_size=256
)
# I2_S, type id 36 in bitnet.cpp: blocks of 128.
I2_S = 36
BITNET = dict(
    hidden_size=128, num_attention_heads=4, num_key_value_heads=2,
    head_dim=32, intermediate_size=384
)

QUANTIZED = [Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.MXFP4]
TERNARY = [Type.TQ1_0, Type.TQ2_0]
# Random blocks: byte offsets of the f16 scale d and of the f16 scale of the minimums, if any.
RANDOM = {
    Type.Q2_K: (80, 82),
    Type.Q3_K: (108, None),
    Type.Q4_K: (0, 2),
    Type.Q5_K: (0, 2),
    Type.Q6_K: (208, None),
    Type.IQ1_S: (0, None),
    Type.IQ1_M: (None, None),  # its d is spread over four nibbles
    Type.IQ2_XXS: (0, None),
    Type.IQ2_XS: (0, None),
    Type.IQ2_S: (0, None),
    Type.IQ3_XXS: (0, None),
    Type.IQ3_S: (0, None),
    Type.IQ4_NL: (0, None),
    Type.IQ4_XS: (0, None),
}


def put_f16(blocks: np.ndarray, offset: int | None, values: np.ndarray) -> None:
    """Writes one f16 into each block (n, bytes) at a byte offset; None: IQ1_M's four nibbles."""
    halves = np.broadcast_to(values, len(blocks)).astype(np.float16).view(np.uint16)
    if offset is not None:
        blocks[:, offset : offset + 2] = halves[:, None].copy().view(np.uint8)
        return
    for nibble in range(4):  # the top four bits of each of the four 16-bit words at byte 48
        high = 48 + 2 * nibble + 1
        blocks[:, high] = (blocks[:, high] & 0x0F) | (((halves >> (4 * nibble)) & 0xF) << 4)


def random_blocks(kind: Type, shape: tuple[int, int], deviation: float, random) -> np.ndarray:
    """Bytes (n_rows, bytes per row): random blocks whose decoded weights have this deviation and
    about zero mean; every tenth block's d is negative."""
    per_block, size = gguf.GGML_QUANT_SIZES[kind]
    d_at, min_at = RANDOM[kind]
    n_blocks = shape[0] * shape[1] // per_block
    blocks = random.integers(0, 256, (n_blocks, size), dtype=np.uint8)
    d, minimum = 1.0, 0.0
    if min_at is not None:  # the minimums' scale that makes the mean zero
        put_f16(blocks, d_at, 1.0)
        put_f16(blocks, min_at, 0.0)
        positive = gguf.quants.dequantize(blocks, kind).mean()
        put_f16(blocks, d_at, 0.0)
        put_f16(blocks, min_at, 1.0)
        minimum = positive / -gguf.quants.dequantize(blocks, kind).mean()
        put_f16(blocks, min_at, minimum)
    put_f16(blocks, d_at, d)
    scale = deviation / gguf.quants.dequantize(blocks, kind).std()
    signs = np.where(np.arange(n_blocks) % 10 == 3, -1, 1)
    each = scale * random.uniform(0.7, 1.3, n_blocks) * signs
    put_f16(blocks, d_at, each)
    if min_at is not None:
        put_f16(blocks, min_at, each * minimum)
    return blocks.reshape(shape[0], -1)


def ternary(shape: tuple[int, int], deviation: float, random) -> np.ndarray:
    """Weights of -s, 0 and s in equal parts; s is an f16 number, which every type holds exactly."""
    s = np.float32(np.float16(deviation * np.sqrt(1.5)))
    return random.integers(-1, 2, shape).astype(np.float32) * s


def matrix(kind: Type, data: np.ndarray, random) -> tuple[np.ndarray, np.ndarray]:
    """(bytes, decoded f32) of a matrix of this type like `data`."""
    deviation = float(data.std())
    if kind in RANDOM:
        packed = random_blocks(kind, data.shape, deviation, random)
    elif kind in TERNARY:
        packed = gguf.quants.quantize(ternary(data.shape, deviation, random), kind)
    else:
        packed = gguf.quants.quantize(data, kind)
    return packed, gguf.quants.dequantize(packed, kind)


def model_of(shape: dict, layers: int, seed: int):
    config = LlamaConfig(
        vocab_size=tiny_gguf.N_VOCAB,
        num_hidden_layers=layers,
        max_position_embeddings=512,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        attn_implementation="eager",
        **shape,
    )
    model = LlamaForCausalLM(config).float().eval()
    tiny_gguf.randomise(model, seed)
    return model


def make(kind: Type, seed: int) -> Path:
    wide = gguf.GGML_QUANT_SIZES[kind][0] == 256
    model = model_of(WIDE if wide else SMALL, 1 if wide else 2, seed)
    random = np.random.default_rng(seed)
    stored, decoded = {}, {}
    for name, data in tiny_gguf.to_gguf(model).items():
        if data.ndim == 1:
            stored[name], decoded[name] = (data, Type.F32), data
        else:
            packed, decoded[name] = matrix(kind, data, random)
            stored[name] = (packed, kind)
    path = OUT / f"format_{kind.name.lower()}.gguf"
    tiny_gguf.write(path, model.config, stored)
    save(path, model, decoded, seed)
    return path


def pack_i2_s(weights: np.ndarray) -> np.ndarray:
    """Ternary weights {-s, 0, s} as bitnet.cpp's I2_S: codes w + 1 in blocks of 128 weights and 32
    bytes, weight j of a block in byte j % 32, the first 32 in the top two bits; then s as f32 and
    28 bytes of padding."""
    scale = np.abs(weights).max()
    codes = (np.sign(weights) + 1).astype(np.uint8).reshape(-1, 4, 32)
    packed = codes[:, 0] << 6 | codes[:, 1] << 4 | codes[:, 2] << 2 | codes[:, 3]
    tail = np.zeros(32, np.uint8)
    tail[:4] = np.array([scale], dtype="<f4").view(np.uint8)
    return np.concatenate([packed.reshape(-1), tail])


def make_i2_s(seed: int) -> Path:
    model = model_of(BITNET, 2, seed)
    random = np.random.default_rng(seed)
    stored, decoded = {}, {}
    for name, data in tiny_gguf.to_gguf(model).items():
        if data.ndim == 1:
            stored[name], decoded[name] = (data, Type.F32), data
        elif name == "token_embd.weight":
            stored[name] = (gguf.quants.quantize(data, Type.F16), Type.F16)
            decoded[name] = data.astype(np.float16).astype(np.float32)
        else:
            decoded[name] = ternary(data.shape, float(data.std()), random)
            stored[name] = (pack_i2_s(decoded[name]), I2_S, data.shape)
    path = OUT / "format_i2_s.gguf"
    tiny_gguf.write(path, model.config, stored)
    save(path, model, decoded, seed)
    return path


def save(path: Path, model, decoded: dict[str, np.ndarray], seed: int) -> None:
    tiny_gguf.load_into(model, decoded)
    tokens = tiny_gguf.tokens_of(24, seed)
    tiny_gguf.save_reference(path.with_suffix(".npz"), model, tokens, hidden=False)


def main():
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    kinds = [*QUANTIZED, *TERNARY, *RANDOM]
    paths = [make(kind, 100 + i) for i, kind in enumerate(kinds)]
    paths.append(make_i2_s(200))
    for path in paths:
        logits = np.load(path.with_suffix(".npz"))["logits"]
        size = path.stat().st_size
        print(f"{path.stem}: {size / 1000:.0f} kB, deviation of logits {logits.std():.2f}")


if __name__ == "__main__":
    main()
