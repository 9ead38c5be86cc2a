"""Makes the tiny random Llamas of tests/data/tiny and their logits by transformers in f32.

    pip install -r tests/reference/requirements.txt && python tests/reference/tiny_llamas.py

One row of MODELS per way in which a Llama can differ; tests/e2e/test_logits.py runs them all.
"""

from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

import tiny_gguf

OUT = Path(__file__).resolve().parents[1] / "data" / "tiny"
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
LINEAR_ROPE = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}


def row(width, heads, kv_heads, head_dim, ffn, **more):
    """What `more` may hold, with its defaults: layers 2, theta 1e4, tied False, bias False, rope
    (transformers' dictionary), kind F32, tokens 48, mistral False, window (of a Mistral) None."""
    return dict(width=width, heads=heads, kv_heads=kv_heads, head_dim=head_dim, ffn=ffn, **more)


MODELS = {
    "llama_mha": row(96, 3, 3, 32, 224, layers=1, kind=Type.F16),
    "llama_gqa3_tied": row(96, 6, 2, 16, 160, theta=1e5, tied=True, kind=Type.F16),
    "llama_gqa4_head_dim": row(64, 8, 2, 32, 96, theta=5e5, kind=Type.F16),
    "llama_bias": row(96, 4, 2, 24, 96, layers=1, bias=True, kind=Type.F16),
    "llama_rope3": row(64, 4, 1, 64, 96, rope=LLAMA3_ROPE, tied=True, kind=Type.F16, tokens=140),
    "llama_head_dim_20": row(160, 8, 4, 20, 96, layers=1, theta=1e6, tied=True, kind=Type.BF16),
    "llama_three_pages": row(64, 4, 4, 16, 96, theta=1e4, tied=True, tokens=140),
    "mistral": row(96, 6, 2, 32, 160, layers=1, theta=1e6, tied=True, kind=Type.F16, mistral=True),
    "mistral_window": row(64, 4, 2, 16, 96, mistral=True, window=24, tokens=100, tied=True),
    "llama_rope_linear": row(64, 4, 2, 32, 96, layers=1, rope=LINEAR_ROPE, tied=True),
}


def config_of(m: dict):
    shape = dict(
        vocab_size=tiny_gguf.N_VOCAB,
        hidden_size=m["width"],
        intermediate_size=m["ffn"],
        num_hidden_layers=m.get("layers", 2),
        num_attention_heads=m["heads"],
        num_key_value_heads=m["kv_heads"],
        head_dim=m["head_dim"],
        max_position_embeddings=512,
        rms_norm_eps=1e-5,
        tie_word_embeddings=m.get("tied", False),
        rope_parameters=m.get("rope", {"rope_type": "default", "rope_theta": m.get("theta", 1e4)}),
        attn_implementation="eager",
    )
    if m.get("mistral"):
        return MistralConfig(sliding_window=m.get("window"), **shape)
    return LlamaConfig(attention_bias=m.get("bias", False), **shape)


def stored(data: np.ndarray, kind: Type):
    """A tensor as the file holds it: matrices in `kind`, vectors in f32, as converters do."""
    if data.ndim == 1 or kind == Type.F32:
        return data, Type.F32
    return gguf.quants.quantize(data, kind), kind


def decoded(data: np.ndarray, kind: Type) -> np.ndarray:
    return data if kind == Type.F32 else gguf.quants.dequantize(data, kind)


def make(name: str, m: dict, seed: int) -> None:
    config = config_of(m)
    model = (MistralForCausalLM if m.get("mistral") else LlamaForCausalLM)(config).float().eval()
    tiny_gguf.randomise(model, seed)
    kind = m.get("kind", Type.F32)
    tensors = {n: stored(data, kind) for n, data in tiny_gguf.to_gguf(model).items()}
    if m.get("rope", {}).get("rope_type") == "llama3":
        factors = tiny_gguf.llama3_rope_factors(m["rope"], m["head_dim"])
        tensors["rope_freqs.weight"] = (factors, Type.F32)
    tiny_gguf.load_into(model, {n: decoded(*t) for n, t in tensors.items()})
    tiny_gguf.write(OUT / f"{name}.gguf", config, tensors)
    tokens = tiny_gguf.tokens_of(m.get("tokens", 48), seed)
    tiny_gguf.save_reference(OUT / f"{name}.npz", model, tokens)


def main():
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    for seed, (name, m) in enumerate(MODELS.items(), start=1):
        make(name, m, seed)
        size = (OUT / f"{name}.gguf").stat().st_size
        logits = np.load(OUT / f"{name}.npz")["logits"]
        print(f"{name}: {size / 1000:.0f} kB, logits {logits.shape}, deviation {logits.std():.2f}")


if __name__ == "__main__":
    main()
