"""Logits of `quern eval` as arrays, and the measures by which they are compared."""

from pathlib import Path

import numpy as np


def write_tokens(path: Path, tokens) -> Path:
    path.write_text(" ".join(str(int(t)) for t in tokens))
    return path


def evaluate(quern_json, model: Path, folder: Path, tokens, *options, timeout=120):
    """(logits (n, n_vocab) f32, the JSON answer) of one `quern eval` over token ids."""
    out = folder / "logits.npy"
    out.unlink(missing_ok=True)
    ids = write_tokens(folder / "tokens.txt", tokens)
    answer = quern_json("eval", model, "--tokens", ids, "--logits", out, *options, timeout=timeout)
    logits = np.load(out)
    assert logits.dtype == np.float32 and logits.shape[0] == len(tokens)
    return logits, answer


def worst_row_error(got: np.ndarray, expected: np.ndarray) -> float:
    """The largest |difference| of a row in shares of the row's largest logit, over all rows."""
    return float((np.abs(got - expected).max(1) / np.abs(expected).max(1)).max())


def relative_rms(got: np.ndarray, expected: np.ndarray) -> float:
    """The root mean square of the difference in shares of that of what is expected."""
    error, size = np.square(got - expected).mean(), np.square(expected).mean()
    return float(np.sqrt(error / size))


def log_softmax(logits: np.ndarray) -> np.ndarray:
    x = logits.astype(np.float64)
    x -= x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def kl(exact: np.ndarray, other: np.ndarray) -> np.ndarray:
    """KL(exact || other) of every row, in nats."""
    p, q = log_softmax(exact), log_softmax(other)
    return (np.exp(p) * (p - q)).sum(-1)
