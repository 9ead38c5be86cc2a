"""--exact is the most exact path there is: on models that lose digits, its logits are those of a
forward pass in f64, rounded to f32 once."""

import numpy as np
import pytest

from exact_models import F32, Model, Shape, forward, make, write
from logits import evaluate

SEEDS = (1, 2, 3)


def scaled(**parts):
    """Multiplies tensors: a part of their names, with __ for a dot, and the factor."""

    def tweak(model: Model):
        for part, by in parts.items():
            model.scale(part.replace("__", "."), by)

    return tweak


def outlier_channels(model: Model):
    """Three channels a hundred times larger than the rest, as trained models have them."""
    for name, tensor in model.tensors.items():
        if "attn_norm" in name or "ffn_norm" in name:
            tensor[:3] *= F32(100)


def outlier_outputs(model: Model):
    """Two channels of the residual stream that the MLPs write in thousands."""
    for name, tensor in model.tensors.items():
        if "ffn_down" in name:
            tensor[:2] *= F32(3000)


def cancelling_biases(model: Model, size=30000):
    """Layer 0 adds large numbers to the residual stream, layer 1 takes them away again."""
    bias = np.random.default_rng(7).normal(size=model.shape.width).astype(F32) * F32(size)
    model.tensors["blk.0.attn_output.bias"] = bias
    model.tensors["blk.1.attn_output.bias"] = -bias


def cancelling_layers(model: Model):
    """Layer 2k + 1 all but undoes what layer 2k has written."""
    for i in range(0, model.shape.n_layers, 2):
        for part in ("attn_norm", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up"):
            first = model.tensors[f"blk.{i}.{part}.weight"]
            model.tensors[f"blk.{i + 1}.{part}.weight"] = first.copy()
        model.scale(f"blk.{i}.ffn_down", 300)
        down = model.tensors[f"blk.{i}.ffn_down.weight"]
        model.tensors[f"blk.{i + 1}.ffn_down.weight"] = -down


def cancelling_values(model: Model):
    """Values that are large and nearly the same for all tokens: differences of large sums count."""
    model.tensors["blk.0.attn_v.bias"] = np.full(32, 20000, F32)
    model.tensors["blk.0.attn_output.bias"] = -(
        model.tensors["blk.0.attn_output.weight"].astype(np.float64).sum(1) * 20000
    ).astype(F32)


def large_key_biases(model: Model):
    """Scores with a large part that all tokens share (Qwen's keys are like that)."""
    for i in range(model.shape.n_layers):
        model.tensors[f"blk.{i}.attn_k.bias"] = np.full(32, 300, F32)


def twins(model: Model):
    """Pairs of inputs with opposite weights of thousands: products of large terms that cancel."""
    for name, tensor in model.tensors.items():
        if "ffn_gate" in name or "attn_q" in name:
            tensor[:, 1::2] = -tensor[:, 0::2] * F32(1 + 2**-10)
            tensor *= F32(8)


CASES = {
    "plain": (Shape(), scaled()),
    "large_weights": (Shape(), scaled(blk=4)),
    "very_large_weights": (Shape(), scaled(blk=16)),
    "large_embedding": (Shape(), scaled(token_embd=8000)),
    "small_embedding_tiny_epsilon": (Shape(epsilon=1e-12), scaled(token_embd=1e-5)),
    "large_epsilon": (Shape(epsilon=10.0), scaled(token_embd=0.01, output__weight=100)),
    "outlier_channels": (Shape(), outlier_channels),
    "outlier_outputs": (Shape(), outlier_outputs),
    "cancelling_biases": (Shape(), cancelling_biases),
    "cancelling_layers": (Shape(n_layers=6), cancelling_layers),
    "cancelling_values": (Shape(), cancelling_values),
    "cancelling_products": (Shape(), twins),
    "large_scores": (Shape(), scaled(attn_q=20, attn_k=20)),
    "huge_scores": (Shape(n_tokens=150), scaled(attn_q=60, attn_k=60)),
    "scores_with_a_large_part_in_common": (Shape(), large_key_biases),
    "near_equal_scores_of_a_long_context": (
        Shape(n_tokens=600),
        scaled(attn_q=0.01, attn_k=0.01, attn_v=30),
    ),
    "large_logits": (Shape(), scaled(output__weight=1000)),
    "deep": (Shape(n_layers=12), scaled(blk=4)),
    "wide": (Shape(width=512, ffn=1376, n_heads=8, head_dim=20), scaled(blk=3)),
    "window": (Shape(window=24, n_tokens=150), scaled(blk=4)),
    "tied_head_of_large_norm": (Shape(tied=True), scaled(token_embd=500)),
    "saturated_gates": (Shape(), scaled(ffn_gate=100)),
}


def worst(got, want) -> float:
    return float(np.abs(got.astype(np.float64) - want).max())


@pytest.mark.parametrize("case", CASES)
def test_exact_logits_are_those_of_f64_rounded_once(quern_json, tmp_path, case):
    shape, tweak = CASES[case]
    tokens = (np.arange(shape.n_tokens) * 37 + 11) % shape.n_vocab
    exact_errors, f32_errors = [], []
    for seed in SEEDS:
        model = make(shape, seed)
        tweak(model)
        want = forward(model, tokens, np.float64)
        file = write(model, tmp_path / "model.gguf")
        got, _ = evaluate(quern_json, file, tmp_path, tokens, "--exact")
        # Half a unit in the last place of f32, and what f64 loses in another order of additions.
        bound = 2.0**-24 * np.abs(want) + 1e-9 * np.abs(want).max()
        assert (np.abs(got - want) <= bound).all(), f"seed {seed}: {worst(got, want):.2e}"
        exact_errors.append(worst(got, want))
        f32_errors.append(worst(forward(model, tokens, F32), want))
    # As the cases are chosen, f32 cannot do that.
    assert max(exact_errors) < max(f32_errors), (exact_errors, f32_errors)
