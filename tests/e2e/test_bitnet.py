"""bitnet.cpp's three layouts of the same ternary weights give the same bits.

I2_S is held to transformers in test_logits.py. TL1 and TL2 exist only for the shapes that
bitnet.cpp was built for, so this test makes one layer of its smallest model (bitnet_b1_58-large) in
all three. The packers are written from the layouts' descriptions, apart from the program's reader.
"""

import numpy as np
import pytest

import gguf_file
from logits import evaluate

WIDTH, FFN, N_VOCAB, N_TOKENS = 1536, 4096, 260, 9
MATRICES = {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH, WIDTH),
    "attn_v": (WIDTH, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (FFN, WIDTH),
    "ffn_up": (FFN, WIDTH),
    "ffn_down": (WIDTH, FFN),
}
# What bitnet.cpp's code generator was given, by shape: rows of a tile, columns of a block and (tl1)
# rows of a group.
TL1_TILING = {
    (WIDTH, WIDTH): (128, 64, 64),
    (FFN, WIDTH): (256, 128, 32),
    (WIDTH, FFN): (256, 128, 32),
}
TL2_TILING = {(WIDTH, WIDTH): (128, 192), (FFN, WIDTH): (256, 96), (WIDTH, FFN): (256, 96)}


def scale_after(packed: np.ndarray, scale: float) -> bytes:
    return packed.tobytes() + np.float32(scale).tobytes() + bytes(28)


def pack_i2_s(w: np.ndarray, scale: float) -> bytes:
    codes = (w + 1).astype(np.uint8).reshape(-1, 4, 32)
    return scale_after(codes[:, 0] << 6 | codes[:, 1] << 4 | codes[:, 2] << 2 | codes[:, 3], scale)


def pair_index(w: np.ndarray) -> np.ndarray:
    """Indices 0..8 of neighbouring weights along the last axis, two by two."""
    return (3 * (w[..., 0::2] + 1) + (w[..., 1::2] + 1)).astype(np.uint8)


def pack_tl1(w: np.ndarray, scale: float) -> bytes:
    tile, block, group = TL1_TILING[w.shape]
    columns = 256 // group
    rows, cols = w.shape
    index = pair_index(w)
    byte = index[:, 0::2] << 4 | index[:, 1::2]
    #                     t            i               v            l
    byte = byte.reshape(rows // tile, tile // group, group // 16, 16,
                        cols // block, block // columns, columns // 4)  # fmt: skip
    #                     kb            j                 x
    return scale_after(np.ascontiguousarray(byte.transpose(0, 4, 1, 5, 2, 6, 3)), scale)


# Byte of row s of 32: the second and the third eight rows have changed places.
SWAPPED = np.concatenate([np.arange(8), np.arange(16, 24), np.arange(8, 16), np.arange(24, 32)])


def rows_by_32(byte: np.ndarray, tile: int, per_block: int) -> np.ndarray:
    """Bytes (rows, bytes per row) in the order tile, block, 32 rows, column, row (swapped)."""
    rows, cols = byte.shape
    split = byte.reshape(rows // tile, tile // 32, 32, cols // per_block, per_block)
    return split[:, :, SWAPPED].transpose(0, 3, 1, 4, 2).reshape(-1)


def pack_tl2(w: np.ndarray, scale: float) -> bytes:
    tile, block = TL2_TILING[w.shape]
    rows, cols = w.shape
    threes = cols // block * block
    value = w[:, :threes].reshape(rows, -1, 3) @ np.array([9, 3, 1])
    index = np.abs(value).astype(np.uint8)
    indices = rows_by_32(index[:, 0::2] << 4 | index[:, 1::2], tile, block // 6)

    # Sign words: eight triplets of rows l and l + 16 in word l, the first triplet in the top bits.
    minus = (value < 0).astype(np.uint16)
    minus = minus.reshape(rows // tile, tile // 32, 2, 16, threes // block, block // 24, 8)
    bit = 15 - (2 * np.arange(8)[None, :] + np.arange(2)[:, None])  # (h, z)
    words = (minus << bit[None, None, :, None, None, None, :].astype(np.uint16)).sum((2, 6))
    signs = words.transpose(0, 3, 1, 4, 2).astype("<u2").reshape(-1).view(np.uint8)

    pairs = np.zeros(0, np.uint8)
    if threes < cols:
        index = pair_index(w[:, threes:])
        pairs = rows_by_32(index[:, 0::2] << 4 | index[:, 1::2], tile, 8)

    packed = np.concatenate([indices, signs, pairs])
    size = (cols - 256) * rows // 3 * 5 // 8 + 256 * rows // 2 * 4 // 8
    size = (size + 31) // 32 * 32
    assert len(packed) <= size
    return scale_after(np.concatenate([packed, np.zeros(size - len(packed), np.uint8)]), scale)


PACKERS = {
    "i2_s": (gguf_file.I2_S, pack_i2_s),
    "tl1": (gguf_file.TL1, pack_tl1),
    "tl2": (gguf_file.TL2, pack_tl2),
}


def metadata() -> dict:
    return {
        "general.architecture": "llama",
        "llama.context_length": 64,
        "llama.embedding_length": WIDTH,
        "llama.block_count": 1,
        "llama.feed_forward_length": FFN,
        "llama.attention.head_count": 24,
        "llama.attention.head_count_kv": 24,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.freq_base": 10000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [*map(chr, range(0x100, 0xFF + N_VOCAB)), "\u0100\u0101"],
        "tokenizer.ggml.token_type": [1] * N_VOCAB,
        "tokenizer.ggml.merges": ["\u0100 \u0101"],
        "tokenizer.ggml.eos_token_id": 0,
    }


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The same one-layer model in each layout; deleted at the end."""
    folder = tmp_path_factory.mktemp("bitnet")
    random = np.random.default_rng(5)
    plain = {"token_embd.weight": random.standard_normal((N_VOCAB, WIDTH)).astype(np.float16)}
    for norm in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        plain[f"{norm}.weight"] = np.ones(WIDTH, np.float32)
    ternary = {name: random.integers(-1, 2, shape) for name, shape in MATRICES.items()}
    paths = {}
    for layout, (kind, pack) in PACKERS.items():
        tensors = {name: gguf_file.plain(array) for name, array in plain.items()}
        for at, (name, w) in enumerate(ternary.items()):
            scale = 0.03 + 0.002 * at
            tensors[f"blk.0.{name}.weight"] = (kind, w.shape, pack(w, scale))
        paths[layout] = gguf_file.write(folder / f"{layout}.gguf", metadata(), tensors)
    yield paths
    for path in paths.values():
        path.unlink()


@pytest.mark.parametrize("layout", ["tl1", "tl2"])
def test_tl1_and_tl2_are_the_same_weights_as_i2_s(quern_json, models, tmp_path, layout):
    tokens = range(3, 3 + N_TOKENS)
    expected, _ = evaluate(quern_json, models["i2_s"], tmp_path, tokens, "--exact")
    got, _ = evaluate(quern_json, models[layout], tmp_path, tokens, "--exact")
    assert np.isfinite(expected).all() and expected.std() > 0.1
    assert np.array_equal(got.view(np.uint32), expected.view(np.uint32))
