"""What transformers in f32 says of the default model: greedy continuations and logits.

    pip install -r tests/reference/requirements.txt
    python tests/reference/smollm2.py ~/.cache/quern/models/smollm2-135m-instruct-q4_1.gguf

Reads weights, vocabulary and chat template out of the GGUF itself (so the weights are exactly what
Quern reads) and writes tests/data/smollm2.npz:

    prompt_<i>    the text; templated_<i>: whether it is one user message for the chat template
    prompt_ids_<i>, ids_<i>    int32; a continuation ends after 64 tokens or before the end token
    margins_<i>   f32, best logit less the second best where each token (and the end token) was
                  chosen: a difference at a margin near 0 is a tie, not an error
    tokens        int32 (n,), the first ids of tests/data/mixed.txt
    top_ids, top_logits   (n, 32), the best 32 of each row of logits over tokens
    columns, column_logits   (64,), (n, 64): some other columns of the same rows
    logsumexp     (n,)
"""

import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.utils.chat_template_utils import render_jinja_template

import tiny_gguf

DATA = Path(__file__).resolve().parents[1] / "data"
N_NEW = 64
N_LOGITS = 200
PROMPTS = [  # text, whether it goes through the chat template
    ("What is the capital of France?", True),
    ("Write three short sentences about the sea.", True),
    ("List the first ten prime numbers, one per line.", True),
    ("The three laws of thermodynamics say that", False),
    ("def fibonacci(n):\n    ", False),
]


def field(reader: gguf.GGUFReader, key: str):
    return reader.fields[key].contents()


def config_of(reader: gguf.GGUFReader) -> LlamaConfig:
    heads = field(reader, "llama.attention.head_count")
    width = field(reader, "llama.embedding_length")
    return LlamaConfig(
        vocab_size=len(field(reader, "tokenizer.ggml.tokens")),
        hidden_size=width,
        intermediate_size=field(reader, "llama.feed_forward_length"),
        num_hidden_layers=field(reader, "llama.block_count"),
        num_attention_heads=heads,
        num_key_value_heads=field(reader, "llama.attention.head_count_kv"),
        head_dim=width // heads,
        max_position_embeddings=field(reader, "llama.context_length"),
        rms_norm_eps=field(reader, "llama.attention.layer_norm_rms_epsilon"),
        tie_word_embeddings=all(t.name != "output.weight" for t in reader.tensors),
        rope_parameters={
            "rope_type": "default",
            "rope_theta": field(reader, "llama.rope.freq_base"),
        },
        attn_implementation="eager",
    )


def load(reader: gguf.GGUFReader) -> LlamaForCausalLM:
    model = LlamaForCausalLM(config_of(reader)).float().eval()
    tiny_gguf.load_into(
        model, {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    )
    return model


def tokenizer_of(reader: gguf.GGUFReader) -> Tokenizer:
    """SmolLM2's tokenizer: digits one by one, then GPT-2's byte-level BPE."""
    assert field(reader, "tokenizer.ggml.pre") == "smollm"
    tokens = field(reader, "tokenizer.ggml.tokens")
    merges = [tuple(m.split(" ")) for m in field(reader, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = field(reader, "tokenizer.ggml.token_type")
    control = [t for t, kind in zip(tokens, kinds) if kind == gguf.TokenType.CONTROL]
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in control])
    return tokenizer


def render(reader: gguf.GGUFReader, text: str) -> str:
    template = field(reader, "tokenizer.chat_template")
    rendered, _ = render_jinja_template(
        conversations=[[{"role": "user", "content": text}]],
        chat_template=template,
        add_generation_prompt=True,
    )
    return rendered[0]


@torch.no_grad()
def continuation(model, ids: list[int], end: int) -> tuple[list[int], list[float]]:
    """Greedy tokens, and the margin by which each (and the end token) was chosen."""
    out, margins, cache = [], [], None
    step = torch.tensor([ids])
    while len(out) < N_NEW:
        answer = model(step, past_key_values=cache, use_cache=True)
        cache = answer.past_key_values
        best = answer.logits[0, -1].topk(2)
        margins.append(float(best.values[0] - best.values[1]))
        token = int(best.indices[0])
        if token == end:
            break
        out.append(token)
        step = torch.tensor([[token]])
    return out, margins


@torch.no_grad()
def logits_of(model, ids: list[int]) -> dict[str, np.ndarray]:
    logits = model(torch.tensor([ids])).logits[0]
    top = logits.topk(32)
    columns = np.linspace(0, logits.shape[1] - 1, 64).astype(np.int32)
    return {
        "tokens": np.array(ids, np.int32),
        "top_ids": top.indices.numpy().astype(np.int32),
        "top_logits": top.values.numpy(),
        "columns": columns,
        "column_logits": logits[:, torch.from_numpy(columns.astype(np.int64))].numpy(),
        "logsumexp": logits.double().logsumexp(1).numpy().astype(np.float32),
    }


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: {sys.argv[0]} MODEL.gguf")
    torch.set_num_threads(1)
    reader = gguf.GGUFReader(sys.argv[1])
    model, tokenizer = load(reader), tokenizer_of(reader)
    end = field(reader, "tokenizer.ggml.eos_token_id")
    arrays = {}
    for i, (text, templated) in enumerate(PROMPTS):
        ids = tokenizer.encode(render(reader, text) if templated else text).ids
        out, margins = continuation(model, ids, end)
        print(f"--- {text!r}: {len(ids)} + {len(out)} tokens, least margin {min(margins):.4f}")
        print(tokenizer.decode(out))
        arrays |= {f"prompt_{i}": np.array(text), f"templated_{i}": np.array(templated)}
        arrays |= {f"prompt_ids_{i}": np.array(ids, np.int32), f"ids_{i}": np.array(out, np.int32)}
        arrays[f"margins_{i}"] = np.array(margins, np.float32)
    text = tokenizer.encode((DATA / "mixed.txt").read_text()).ids
    print(f"mixed.txt: {len(text)} tokens")
    arrays |= logits_of(model, text[:N_LOGITS])
    np.savez(DATA / "smollm2.npz", **arrays)


if __name__ == "__main__":
    main()
