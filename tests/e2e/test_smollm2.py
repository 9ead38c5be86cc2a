"""The default model says what transformers says on the same file's weights (tests/data/smollm2.npz,
made by tests/reference/smollm2.py), and the fast path stays near the exact one."""

from pathlib import Path

import numpy as np
import pytest

from logits import evaluate, kl, log_softmax

DATA = Path(__file__).resolve().parents[1] / "data"
END = 2  # <|im_end|>

# f32 against f32 through thirty layers: sums in another order differ by a few 1e-5 of the largest.
EXACT = 1e-4


@pytest.fixture(scope="module")
def reference():
    with np.load(DATA / "smollm2.npz") as file:
        return dict(file)


def run_options(templated: bool) -> list:
    return ["--exact", "--temperature", 0, "-n", 64] + ([] if templated else ["--raw"])


@pytest.mark.parametrize("i", range(5))
def test_greedy_continuations_are_those_of_transformers(quern_json, smollm2, reference, i):
    prompt = str(reference[f"prompt_{i}"])
    options = run_options(bool(reference[f"templated_{i}"]))
    answer = quern_json("run", smollm2, "-p", prompt, *options, timeout=300)
    assert answer["prompt_ids"] == reference[f"prompt_ids_{i}"].tolist()
    expected = reference[f"ids_{i}"].tolist()
    got = answer["ids"][:-1] if answer["ids"][-1:] == [END] else answer["ids"]
    assert got == expected, describe(got, expected, reference[f"margins_{i}"])
    assert answer["finish_reason"] == ("length" if len(expected) == 64 else "stop")


def describe(got: list, expected: list, margins) -> str:
    at = next((k for k, pair in enumerate(zip(got, expected)) if pair[0] != pair[1]), len(got))
    margin = f"{margins[at]:.5f}" if at < len(margins) else "none"
    return f"token {at} differs; transformers chose it by a margin of {margin}"


def test_exact_logits_are_those_of_transformers(quern_json, smollm2, reference, tmp_path):
    tokens = reference["tokens"]
    logits, _ = evaluate(quern_json, smollm2, tmp_path, tokens, "--exact", timeout=300)
    largest = np.abs(reference["top_logits"]).max(1, keepdims=True)
    best = np.take_along_axis(logits, reference["top_ids"], axis=1)
    assert (np.abs(best - reference["top_logits"]) / largest).max() < EXACT
    others = logits[:, reference["columns"]]
    assert (np.abs(others - reference["column_logits"]) / largest).max() < EXACT
    whole = np.logaddexp.reduce(logits.astype(np.float64), axis=1)
    np.testing.assert_allclose(whole, reference["logsumexp"], atol=float(largest.max()) * EXACT)


@pytest.mark.parametrize("path", [["--exact"], []], ids=["exact", "fast"])
def test_bits_do_not_depend_on_chunks_and_threads(quern_json, smollm2, reference, tmp_path, path):
    tokens = reference["tokens"][:40]
    whole, _ = evaluate(quern_json, smollm2, tmp_path, tokens, *path, "--threads", 1)
    for threads, chunk in ((2, 1), (1, 5), (2, 33), (2, len(tokens))):
        options = [*path, "--threads", threads, "--chunk", chunk]
        got, _ = evaluate(quern_json, smollm2, tmp_path, tokens, *options, timeout=300)
        assert np.array_equal(got.view(np.uint32), whole.view(np.uint32)), f"{options}"


@pytest.fixture(scope="module")
def mixed(quern_json, smollm2, tmp_path_factory):
    """Both paths' logits over tests/data/mixed.txt: (ids, exact, fast, answer of the exact path, of
    the fast one). The arrays are maps of files of several hundred MB, deleted at the end."""
    text = DATA / "mixed.txt"
    ids = quern_json("tokenize", smollm2, "--file", text)["ids"]
    folder = tmp_path_factory.mktemp("mixed")
    files = {name: folder / f"{name}.npy" for name in ("exact", "fast")}
    answers = {}
    for name, path in files.items():
        options = ["--exact"] if name == "exact" else []
        arguments = ["eval", smollm2, "--text", text, "--chunk", 512, "--logits", path, *options]
        answers[name] = quern_json(*arguments, timeout=900)
    arrays = [np.load(path, mmap_mode="r") for path in files.values()]
    yield np.array(ids), *arrays, answers["exact"], answers["fast"]
    for path in files.values():
        path.unlink()


def slices(n: int, step: int = 128):
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


def test_the_fast_path_is_near_the_exact_one(mixed):
    ids, exact, fast, _, _ = mixed
    assert len(ids) >= 2000 and exact.shape == fast.shape == (len(ids), 49152)
    divergence = np.concatenate([kl(exact[s], fast[s]) for s in slices(len(ids))])
    same = np.concatenate([exact[s].argmax(1) == fast[s].argmax(1) for s in slices(len(ids))])
    print(
        f"\nKL(exact || fast) over {len(ids)} tokens: mean {divergence.mean():.5f}, "
        f"p99 {np.quantile(divergence, 0.99):.4f}, same best token {same.mean():.1%}"
    )
    assert divergence.mean() < 0.01
    assert divergence.min() > -1e-6


@pytest.mark.parametrize("path", ["exact", "fast"])
def test_the_summary_is_that_of_the_logits(mixed, path):
    ids, exact, fast, *answers = mixed
    logits, answer = (exact, answers[0]) if path == "exact" else (fast, answers[1])
    likelihoods, hits = [], []
    for s in slices(len(ids) - 1):
        following = ids[s.start + 1 : s.stop + 1]
        likelihoods.append(log_softmax(logits[s])[np.arange(len(following)), following])
        hits.append(logits[s].argmax(1) == following)
    nll = -np.concatenate(likelihoods).mean()
    assert answer["tokens"] == len(ids)
    assert answer["nll"] == pytest.approx(nll, rel=1e-5)
    assert answer["perplexity"] == pytest.approx(np.exp(nll), rel=1e-4)
    assert answer["top1"] == pytest.approx(np.concatenate(hits).mean(), abs=1e-6)
