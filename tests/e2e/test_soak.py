"""Some seconds of the soak (./dev test soak): random traffic by many threads on the default model,
greedy answers and embeddings compared with those of the start, all pages of the cache free at the end."""

import os
import subprocess

from conftest import REPOSITORY


def test_random_traffic_leaves_answers_and_cache_as_they_were(binary, smollm2):
    command = [binary.parent / "soak", smollm2, REPOSITORY / "tests" / "data" / "mixed.txt", "6"]
    done = subprocess.run(command, capture_output=True, timeout=300, env=dict(os.environ))
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    assert b"soak: passed" in done.stdout
