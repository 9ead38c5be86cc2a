"""`quern embed`: its vectors are made of the hidden states that transformers computes, it prints one
line for each text, and it says what is wrong with which."""

import json
from pathlib import Path

import numpy as np
import pytest

TINY = Path(__file__).resolve().parents[1] / "data" / "tiny"
MODEL = TINY / "llama_gqa3_tied.gguf"
POOLINGS = {"mean": lambda h: h.mean(0), "last": lambda h: h[-1], "cls": lambda h: h[0]}


def write_ids(path: Path, *texts) -> Path:
    path.write_text("".join(" ".join(str(int(t)) for t in text) + "\n" for text in texts))
    return path


def embed(quern, *args, **options) -> list[dict]:
    done = quern("embed", *args, "--json", **options)
    return [json.loads(line) for line in done.stdout.splitlines()]


def vectors(objects) -> np.ndarray:
    return np.array([o["embedding"] for o in objects], dtype=np.float32)


def errors(done) -> str:
    return done.stderr.decode()


@pytest.mark.parametrize("name", ["llama_gqa3_tied", "llama_three_pages", "qwen2_untied"])
def test_vectors_are_those_of_transformers(quern, tmp_path, name):
    with np.load(TINY / f"{name}.npz") as file:
        tokens, hidden = file["tokens"], file["hidden"].astype(np.float64)
    ids = write_ids(tmp_path / "ids", tokens)
    for pooling, of in POOLINGS.items():
        expected = of(hidden)
        args = (TINY / f"{name}.gguf", "--tokens", ids, "--exact", "--pooling", pooling)
        raw = vectors(embed(quern, *args, "--no-normalize"))[0]
        assert np.abs(raw - expected).max() < 1e-4 * np.abs(expected).max(), pooling
        unit = vectors(embed(quern, *args))[0]
        assert np.abs(unit - expected / np.linalg.norm(expected)).max() < 1e-4, pooling


def test_a_line_for_each_text_the_same_alone(quern, tmp_path):
    texts = ["A cat sleeps", "x", "Two  spaces and caf\u00e9"]
    lines = tmp_path / "lines.txt"
    lines.write_bytes("A cat sleeps\r\nx\nTwo  spaces and caf\u00e9".encode())
    all_of_them = embed(quern, MODEL, "-f", lines)
    assert [o["index"] for o in all_of_them] == [0, 1, 2]
    assert all(list(o) == ["index", "tokens", "pooling", "embedding"] for o in all_of_them)
    assert {o["pooling"] for o in all_of_them} == {"last"}
    assert embed(quern, MODEL, "-f", "-", stdin=lines.read_bytes()) == all_of_them
    assert embed(quern, MODEL, stdin=lines.read_bytes() + b"\n") == all_of_them
    several = [flag for text in texts for flag in ("-p", text)]
    assert embed(quern, MODEL, *several) == all_of_them
    alone = [embed(quern, MODEL, "-p", text)[0]["embedding"] for text in texts]
    assert alone == [o["embedding"] for o in all_of_them]
    for o in all_of_them:
        assert np.linalg.norm(o["embedding"]) == pytest.approx(1, abs=1e-6)
    tokens = json.loads(quern("tokenize", MODEL, "--text", texts[2], "--json").stdout)["ids"]
    assert all_of_them[2]["tokens"] == len(tokens)


def test_many_texts_come_in_order(quern, tmp_path):
    texts = [[1 + i % 200, 7, *range(1, 1 + i % 9)] for i in range(600)]
    ids = write_ids(tmp_path / "ids", *texts)
    got = embed(quern, MODEL, "--tokens", ids, "--pooling", "mean")
    assert [o["index"] for o in got] == list(range(600))
    assert [o["tokens"] for o in got] == [len(t) for t in texts]
    for i in (0, 255, 256, 599):
        alone = embed(quern, MODEL, "--tokens", write_ids(tmp_path / "one", texts[i]), "--pooling", "mean")
        assert alone[0]["embedding"] == got[i]["embedding"]


def test_plain_lines_have_the_same_numbers(quern):
    args = (MODEL, "-p", "one", "-p", "two", "--dimensions", 5)
    plain = [line.split() for line in quern("embed", *args).stdout.decode().splitlines()]
    assert [len(line) for line in plain] == [5, 5]
    assert (np.array(plain, dtype=np.float32) == vectors(embed(quern, *args))).all()


def test_the_first_dimensions(quern):
    whole = vectors(embed(quern, MODEL, "-p", "text", "--no-normalize"))[0]
    cut = vectors(embed(quern, MODEL, "-p", "text", "--no-normalize", "--dimensions", 7))[0]
    assert (cut == whole[:7]).all()
    assert "have 96" in errors(quern("embed", MODEL, "-p", "x", "--dimensions", 97, expect=2))


def test_a_text_that_cannot_be_read_is_named(quern, tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("one\n\nthree\n")
    done = quern("embed", MODEL, "-f", path, expect=2)
    assert "empty" in errors(done) and "lines.txt, line 2" in errors(done)
    assert "-p number 2" in errors(quern("embed", MODEL, "-p", "a", "-p", "", expect=2))
    assert "no text" in errors(quern("embed", MODEL, stdin=b"", expect=2))
    path.write_text("one\n" + "word " * 600 + "\n")
    done = quern("embed", MODEL, "-f", path, expect=3)
    assert "512" in errors(done) and "lines.txt, line 2" in errors(done)
    path.write_text("1 2\n3 x\n")
    assert "line 2" in errors(quern("embed", MODEL, "--tokens", path, expect=2))
    path.write_text("1 2\n3 276\n")
    assert "276" in errors(quern("embed", MODEL, "--tokens", path, expect=2))
    assert "none" in errors(quern("embed", MODEL, "-p", "x", "--pooling", "none", expect=2))


def test_alike_texts_are_nearer(quern):
    """On the default model, which was not trained for it: paraphrases beat another subject."""
    texts = ["The cat is sleeping on the sofa.", "A cat sleeps on the couch.", "Shares fell sharply on Monday."]
    cat, too, shares = vectors(embed(quern, *[f for t in texts for f in ("-p", t)], "--pooling", "mean"))
    assert cat @ too > cat @ shares and cat @ too > too @ shares
