"""Writes a transformers Llama, or a model like it, as a GGUF file, tokenizer included.

Names and layout are those of llama.cpp's converter: a Llama's rows of q and k (and their biases) are
permuted per head from transformers' half-split rotary pairs (i, i + head_dim/2) to adjacent ones
(2i, 2i+1); Llama-3 scaling becomes the tensor rope_freqs.weight.
"""

import math
from pathlib import Path

import gguf
import numpy as np
import torch

N_VOCAB = 276
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"]
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Each merges two tokens that exist by then.
MERGES = "Ġ t;h e;i n;e r;Ġ a;o n;r e;Ġt he;e n;a t;o r;e s;Ġ s;in g;a n;an d".split(";")

LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.attn_sub_norm": "attn_sub_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.ffn_sub_norm": "ffn_sub_norm",
}
TOP_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def gguf_name(name: str) -> str:
    if name in TOP_NAMES:
        return TOP_NAMES[name]
    _, _, layer, rest = name.split(".", 3)
    module, kind = rest.rsplit(".", 1)
    return f"blk.{layer}.{LAYER_NAMES[module]}.{kind}"


def hf_names(config) -> dict[str, str]:
    """transformers' name of every GGUF name that a model of this config may have."""
    kinds = [(m, k) for m in LAYER_NAMES for k in ("weight", "bias")]
    n_layers = config.num_hidden_layers
    layers = [f"model.layers.{i}.{m}.{k}" for i in range(n_layers) for m, k in kinds]
    return {gguf_name(n): n for n in [*TOP_NAMES, *layers]}


def adjacent_pairs(rows: np.ndarray, n_heads: int) -> np.ndarray:
    """Row order of transformers (half-split pairs) to GGUF's (adjacent pairs), within each head."""
    return rows.reshape(n_heads, 2, -1, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def half_split_pairs(rows: np.ndarray, n_heads: int) -> np.ndarray:
    """The inverse of adjacent_pairs."""
    return rows.reshape(n_heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def heads_to_reorder(name: str, config) -> int:
    """Heads of a tensor (GGUF name) whose rows are rotary pairs; 0: rows are stored as they are."""
    if config.model_type not in ("llama", "mistral"):
        return 0
    if ".attn_q." in name:
        return config.num_attention_heads
    return config.num_key_value_heads if ".attn_k." in name else 0


def to_gguf(model) -> dict[str, np.ndarray]:
    """Every weight of a transformers model by GGUF name, f32; no head where it is tied."""
    tensors = {}
    for name, value in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        to = gguf_name(name)
        rows = value.to(torch.float32).numpy()
        heads = heads_to_reorder(to, model.config)
        tensors[to] = np.ascontiguousarray(adjacent_pairs(rows, heads) if heads else rows)
    return tensors


def load_into(model, tensors: dict[str, np.ndarray]) -> None:
    """Sets the weights of a transformers model from f32 tensors by GGUF name."""
    names = hf_names(model.config)
    state = {}
    for name, rows in tensors.items():
        if name == "rope_freqs.weight":
            continue
        heads = heads_to_reorder(name, model.config)
        rows = half_split_pairs(rows, heads) if heads else rows
        state[names[name]] = torch.from_numpy(np.array(rows, dtype=np.float32))
    if model.config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state, strict=True)


def llama3_rope_factors(rope: dict, head_dim: int) -> np.ndarray:
    """What Llama-3 scaling divides each rotary frequency by."""
    frequencies = rope["rope_theta"] ** (-np.arange(0, head_dim, 2) / head_dim)
    original = rope["original_max_position_embeddings"]
    low, high = original / rope["low_freq_factor"], original / rope["high_freq_factor"]
    factors = []
    for wavelength in 2 * math.pi / frequencies:
        if wavelength < high:
            factors.append(1.0)
        elif wavelength > low:
            factors.append(rope["factor"])
        else:
            smooth = (original / wavelength - rope["low_freq_factor"]) / (
                rope["high_freq_factor"] - rope["low_freq_factor"]
            )
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def byte_letters() -> list[str]:
    """GPT-2's printable letter for each of the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = [], 0
    for byte in range(256):
        letters.append(chr(byte) if byte in printable else chr(256 + extra))
        extra += byte not in printable
    return letters


def add_tokenizer(writer: gguf.GGUFWriter) -> None:
    tokens = [*SPECIALS, *byte_letters(), *(m.replace(" ", "") for m in MERGES)]
    assert len(tokens) == N_VOCAB and len(set(tokens)) == N_VOCAB
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([control] * len(SPECIALS) + [normal] * (N_VOCAB - len(SPECIALS)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(3)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def add_hyperparameters(writer: gguf.GGUFWriter, config) -> None:
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    if config.rope_parameters["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rope_parameters["factor"])
    if getattr(config, "sliding_window", None):
        writer.add_sliding_window(config.sliding_window)
    if config.head_dim * config.num_attention_heads != config.hidden_size:
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)


def write(path: Path, config, tensors: dict[str, tuple], arch: str = "llama") -> None:
    """tensors: GGUF name -> (data, type), data being f32 for F32 and packed bytes (n_rows, bytes
    per row) for the others; or (bytes, type id, shape) for types unknown to the package `gguf`."""
    writer = gguf.GGUFWriter(str(path), arch)
    writer.add_name(path.stem)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_hyperparameters(writer, config)
    add_tokenizer(writer)
    for name, (data, kind, *shape) in tensors.items():
        if shape:  # viewed as int8, or the writer would look the block size of the type up
            writer.add_tensor(name, data.view(np.int8), raw_shape=shape[0], raw_dtype=kind)
        elif kind == gguf.GGMLQuantizationType.F32:
            writer.add_tensor(name, data.astype(np.float32))
        else:
            writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def randomise(model, seed: int) -> None:
    """Weights that make every part matter: attention neither flat nor one-hot, logits of a few
    units, norm weights and biases away from their neutral values."""
    random = torch.Generator().manual_seed(seed)

    def normal(shape, deviation):
        return torch.randn(shape, generator=random) * deviation

    for name, weight in model.named_parameters():
        with torch.no_grad():
            if name.endswith("norm.weight"):
                weight.copy_(1 + normal(weight.shape, 0.2))
            elif name.endswith(".bias"):
                weight.copy_(normal(weight.shape, 0.3))
            elif "embed_tokens" in name:
                weight.copy_(normal(weight.shape, 0.3))
            else:
                gain = 2.0 if "q_proj" in name or "k_proj" in name else 1.2
                weight.copy_(normal(weight.shape, gain / math.sqrt(weight.shape[1])))


def tokens_of(n: int, seed: int) -> np.ndarray:
    """n token ids; the second third repeats the first, so that attention has something to find."""
    tokens = np.random.default_rng(seed).integers(0, N_VOCAB, n)
    third = n // 3
    tokens[third : 2 * third] = tokens[:third]
    return tokens.astype(np.int32)


def save_reference(path: Path, model, tokens: np.ndarray, hidden: bool = True) -> None:
    """<path>.npz by transformers in f32: tokens (n,) int32, logits (n, n_vocab) and, if wanted,
    hidden (n, width): what the head reads, behind the last norm."""
    arrays = {"tokens": tokens}
    with torch.no_grad():
        ids = torch.from_numpy(tokens.astype(np.int64))[None]
        arrays["logits"] = model(ids).logits[0].to(torch.float32).numpy()
        if hidden:
            arrays["hidden"] = model.model(ids).last_hidden_state[0].to(torch.float32).numpy()
    np.savez(path, **arrays)
