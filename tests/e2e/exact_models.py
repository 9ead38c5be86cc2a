"""Small ill-conditioned Llamas, and their forward pass written plainly in numpy, in f64 or f32."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import gguf_file

F32 = np.float32


@dataclass
class Shape:
    n_layers: int = 2
    width: int = 64
    ffn: int = 96
    n_heads: int = 4
    n_kv_heads: int = 2
    head_dim: int = 16
    n_vocab: int = 96
    epsilon: float = 1e-5
    theta: float = 10000.0
    window: int = 0
    tied: bool = False
    n_tokens: int = 40


@dataclass
class Model:
    """Tensors by GGUF's names; tweaks change them in place."""

    shape: Shape
    tensors: dict[str, np.ndarray] = field(default_factory=dict)

    def scale(self, part: str, by: float):
        """Multiplies every tensor whose name has `part` in it."""
        found = [name for name in self.tensors if part in name]
        assert found, part
        for name in found:
            self.tensors[name] = (self.tensors[name] * F32(by)).astype(F32)


def make(shape: Shape, seed: int) -> Model:
    random = np.random.default_rng(seed)
    q, kv = shape.n_heads * shape.head_dim, shape.n_kv_heads * shape.head_dim
    model = Model(shape)

    def matrix(name, n_out, n_in):
        model.tensors[name + ".weight"] = (random.normal(size=(n_out, n_in)) / n_in**0.5).astype(F32)

    def norm(name):
        model.tensors[name + ".weight"] = (1 + 0.1 * random.normal(size=shape.width)).astype(F32)

    matrix("token_embd", shape.n_vocab, shape.width)
    norm("output_norm")
    if not shape.tied:
        matrix("output", shape.n_vocab, shape.width)
    for i in range(shape.n_layers):
        norm(f"blk.{i}.attn_norm")
        norm(f"blk.{i}.ffn_norm")
        matrix(f"blk.{i}.attn_q", q, shape.width)
        matrix(f"blk.{i}.attn_k", kv, shape.width)
        matrix(f"blk.{i}.attn_v", kv, shape.width)
        matrix(f"blk.{i}.attn_output", shape.width, q)
        matrix(f"blk.{i}.ffn_gate", shape.ffn, shape.width)
        matrix(f"blk.{i}.ffn_up", shape.ffn, shape.width)
        matrix(f"blk.{i}.ffn_down", shape.width, shape.ffn)
    return model


def write(model: Model, path: Path) -> Path:
    s = model.shape
    metadata = {
        "general.architecture": "llama",
        "llama.block_count": s.n_layers,
        "llama.embedding_length": s.width,
        "llama.feed_forward_length": s.ffn,
        "llama.attention.head_count": s.n_heads,
        "llama.attention.head_count_kv": s.n_kv_heads,
        "llama.attention.key_length": s.head_dim,
        "llama.attention.layer_norm_rms_epsilon": s.epsilon,
        "llama.rope.freq_base": s.theta,
        "llama.context_length": 1024,
    }
    if s.window:
        metadata["llama.attention.sliding_window"] = s.window
    return gguf_file.write(
        path, metadata, {name: gguf_file.plain(t) for name, t in model.tensors.items()}
    )


def angles(shape: Shape, n: int) -> np.ndarray:
    """Rotary angles (n, head_dim / 2), f32 as transformers has them whatever the model's type."""
    exponents = np.arange(0, shape.head_dim, 2).astype(F32) / F32(shape.head_dim)
    frequencies = F32(1) / np.power(float(shape.theta), exponents.astype(np.float64)).astype(F32)
    return np.arange(n).astype(F32)[:, None] * frequencies[None]


def forward(model: Model, tokens: np.ndarray, of: type) -> np.ndarray:
    """Logits (n, n_vocab), every step in the type `of`."""
    s, n = model.shape, len(tokens)
    w = {name: tensor.astype(of) for name, tensor in model.tensors.items()}
    turn = angles(s, n).astype(of)[:, None]
    cos, sin = np.cos(turn), np.sin(turn)
    position = np.arange(n)
    seen = position[None] <= position[:, None]
    if s.window:
        seen &= position[None] > position[:, None] - s.window

    def norm(x, weight):
        mean = (x * x).mean(-1, keepdims=True, dtype=of)
        return x / np.sqrt(mean + of(F32(s.epsilon))) * weight

    def heads(x, name, count):
        y = x @ w[name + ".weight"].T
        return (y + w[name + ".bias"] if name + ".bias" in w else y).reshape(n, count, s.head_dim)

    def rope(x):
        y = np.empty_like(x)
        y[..., 0::2] = x[..., 0::2] * cos - x[..., 1::2] * sin
        y[..., 1::2] = x[..., 1::2] * cos + x[..., 0::2] * sin
        return y

    def attention(x, block):
        q = rope(heads(x, block + "attn_q", s.n_heads))
        k = rope(heads(x, block + "attn_k", s.n_kv_heads))
        v = heads(x, block + "attn_v", s.n_kv_heads)
        out = np.empty_like(q)
        for head in range(s.n_heads):
            group = head // (s.n_heads // s.n_kv_heads)
            score = q[:, head] @ k[:, group].T * of(s.head_dim**-0.5)
            score = np.where(seen, score, of(-np.inf))
            weight = np.exp(score - score.max(-1, keepdims=True))
            out[:, head] = weight / weight.sum(-1, keepdims=True) @ v[:, group]
        y = out.reshape(n, -1) @ w[block + "attn_output.weight"].T
        return y + w.get(block + "attn_output.bias", of(0))

    def mlp(x, block):
        gate, up = x @ w[block + "ffn_gate.weight"].T, x @ w[block + "ffn_up.weight"].T
        with np.errstate(over="ignore"):  # e^-x of a gate far below 0: the quotient is 0
            return gate / (1 + np.exp(-gate)) * up @ w[block + "ffn_down.weight"].T

    x = w["token_embd.weight"][tokens]
    for i in range(s.n_layers):
        block = f"blk.{i}."
        x = x + attention(norm(x, w[block + "attn_norm.weight"]), block)
        x = x + mlp(norm(x, w[block + "ffn_norm.weight"]), block)
    x = norm(x, w["output_norm.weight"])
    result = x @ w["token_embd.weight" if s.tied else "output.weight"].T
    assert result.dtype == of
    return result
