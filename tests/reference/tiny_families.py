"""Makes tiny random models of the families beside Llama (tests/data/tiny/<family>_*.gguf) and their
logits by transformers in f32.

    pip install -r tests/reference/requirements.txt && python tests/reference/tiny_families.py

BitNet is built as transformers builds its checkpoints: AutoBitLinear in place of every product in
the blocks, weights of -s, 0 and s. It rounds activations, and where a value lies on the edge between
two integers, sums in another order may fall to the other side; so a seed is taken at which none
lies near.
"""

from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from torch import nn
from transformers import BitNetConfig, BitNetForCausalLM, Qwen2Config, Qwen2ForCausalLM
from transformers.integrations import bitnet

import tiny_gguf
from tiny_formats import I2_S, pack_i2_s, ternary

OUT = Path(__file__).resolve().parents[1] / "data" / "tiny"

QWEN2 = {
    "qwen2_bias_tied": dict(
        hidden_size=96, num_attention_heads=6, num_key_value_heads=2, intermediate_size=160,
        num_hidden_layers=2, tie_word_embeddings=True
    ),
    "qwen2_untied": dict(
        hidden_size=64, num_attention_heads=4, num_key_value_heads=4, intermediate_size=96,
        num_hidden_layers=1, tie_word_embeddings=False
    ),
}  # fmt: skip

# arch: general.architecture; kind: of the ternary matrices; scales: as tensors of their own beside
# weights of -1, 0 and 1, as llama.cpp's converter writes them.
BITNET = {
    "bitnet_b158": dict(
        arch="bitnet-b1.58", kind=Type.F16, hidden_act="relu2", hidden_size=64,
        num_attention_heads=4, num_key_value_heads=2, intermediate_size=96, num_hidden_layers=2
    ),
    "bitnet_25_i2_s": dict(
        arch="bitnet-25", kind=I2_S, hidden_act="relu2", hidden_size=128, num_attention_heads=4,
        num_key_value_heads=1, intermediate_size=128, num_hidden_layers=1
    ),
    "bitnet_silu_scales": dict(
        arch="bitnet", kind=Type.F16, hidden_act="silu", hidden_size=64, num_attention_heads=2,
        num_key_value_heads=2, intermediate_size=96, num_hidden_layers=1, scales=True
    ),
}  # fmt: skip
N_TOKENS = 20
# In steps of int8. Sums in another order move a value by some 1e-6 of a row's largest, which is 127.
EDGE = 2e-4


def config_of(kind, **shape):
    return kind(
        vocab_size=tiny_gguf.N_VOCAB,
        max_position_embeddings=512,
        rope_parameters={"rope_type": "default", "rope_theta": 1e5},
        attn_implementation="eager",
        **shape,
    )


def f16(data: np.ndarray) -> tuple:
    return (data, Type.F32) if data.ndim == 1 else (gguf.quants.quantize(data, Type.F16), Type.F16)


def decoded(data: np.ndarray, kind: Type) -> np.ndarray:
    return data if kind == Type.F32 else gguf.quants.dequantize(data, kind)


def report(name: str) -> None:
    size = (OUT / f"{name}.gguf").stat().st_size
    logits = np.load(OUT / f"{name}.npz")["logits"]
    print(f"{name}: {size / 1000:.0f} kB, logits {logits.shape}, deviation {logits.std():.2f}")


def make_qwen2(name: str, shape: dict, seed: int) -> None:
    config = config_of(Qwen2Config, rms_norm_eps=1e-6, **shape)
    config.head_dim = config.hidden_size // config.num_attention_heads
    model = Qwen2ForCausalLM(config).float().eval()
    tiny_gguf.randomise(model, seed)
    tensors = {n: f16(data) for n, data in tiny_gguf.to_gguf(model).items()}
    tiny_gguf.load_into(model, {n: decoded(*t) for n, t in tensors.items()})
    tiny_gguf.write(OUT / f"{name}.gguf", config, tensors, "qwen2")
    tiny_gguf.save_reference(OUT / f"{name}.npz", model, tiny_gguf.tokens_of(48, seed))
    report(name)


def bit_linear(model) -> None:
    """Every product in the blocks as transformers has it for quantized BitNet checkpoints."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name != "lm_head":
            product = bitnet.AutoBitLinear(
                module.in_features, module.out_features, bias=False, online_quant=False
            )
            del product.weight_scale  # 1, the scale being in the weights; and no tensor of the file
            product.register_buffer("weight_scale", torch.ones(1), persistent=False)
            model.set_submodule(name, product)


class Edges:
    """Watches what is rounded: the least distance to an edge, in steps."""

    def __init__(self, model):
        self.least = 0.5
        for module in model.modules():
            if isinstance(module, bitnet.AutoBitLinear):
                module.register_forward_pre_hook(self.look)

    def look(self, _module, inputs):
        x = inputs[0]
        steps = x * (127 / x.abs().max(dim=-1, keepdim=True).values)
        self.least = min(self.least, float(((steps - steps.floor()) - 0.5).abs().min()))


def ternary_tensors(model, row: dict, random) -> tuple[dict, dict]:
    """Of the whole model: what the file holds, and f32 weights by GGUF name for transformers."""
    stored, weights = {}, {}
    for name, data in tiny_gguf.to_gguf(model).items():
        if data.ndim == 1 or name == "token_embd.weight":
            stored[name] = f16(data)
            weights[name] = decoded(*stored[name])
            continue
        w = ternary(data.shape, float(data.std()), random)
        weights[name] = w
        if row.get("scales"):
            s = np.abs(w).max()
            stored[name.replace(".weight", ".scale")] = (np.array([s]), Type.F32)
            w = w / s
        if row["kind"] == I2_S:
            stored[name] = (pack_i2_s(w), I2_S, w.shape)
        else:
            stored[name] = (gguf.quants.quantize(w, row["kind"]), row["kind"])
    return stored, weights


def bitnet_model(row: dict, seed: int):
    shape = {k: v for k, v in row.items() if k not in ("arch", "kind", "scales")}
    config = config_of(BitNetConfig, rms_norm_eps=1e-5, tie_word_embeddings=True, **shape)
    config.head_dim = config.hidden_size // config.num_attention_heads
    model = BitNetForCausalLM(config).float()
    bit_linear(model)
    tiny_gguf.randomise(model.eval(), seed)
    stored, weights = ternary_tensors(model, row, np.random.default_rng(seed))
    tiny_gguf.load_into(model, weights)
    return config, model, stored


def make_bitnet(name: str, row: dict) -> None:
    for seed in range(1, 400):
        config, model, stored = bitnet_model(row, seed)
        edges = Edges(model)
        tokens = tiny_gguf.tokens_of(N_TOKENS, seed)
        with torch.no_grad():
            model(torch.from_numpy(tokens.astype(np.int64))[None])
        if edges.least > EDGE:
            break
    else:
        raise RuntimeError(f"{name}: no seed keeps clear of the edges")
    print(f"{name}: seed {seed}, nearest edge {edges.least:.1e} steps away")
    tiny_gguf.write(OUT / f"{name}.gguf", config, stored, row["arch"])
    tiny_gguf.save_reference(OUT / f"{name}.npz", model, tokens)
    report(name)


def main():
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    for seed, (name, shape) in enumerate(QWEN2.items(), start=101):
        make_qwen2(name, shape, seed)
    for name, row in BITNET.items():
        make_bitnet(name, row)


if __name__ == "__main__":
    main()
