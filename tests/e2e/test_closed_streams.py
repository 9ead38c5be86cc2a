"""Standard input, output and error that are closed: no verb hangs, reads its own pipes as if they
were the user's, or says that all is well when its result went nowhere."""

import itertools
import json
import os
import subprocess

import pytest

REQUEST = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
REQUEST["body"] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}

STREAMS = (0, 1, 2)
CLOSED = [c for n in (1, 2, 3) for c in itertools.combinations(STREAMS, n)]

# Arguments; whether standard input is read; whether anything is printed where it cannot be read.
VERBS = {
    "version": (["version"], False),
    "help": (["--help"], False),
    "help of a verb": (["run", "--help"], False),
    "inspect": (["inspect"], False),
    "tokenize": (["tokenize"], True),
    "tokenize --text": (["tokenize", "--text", "Hello"], False),
    "run": (["run", "-n", "2"], True),
    "run -f -": (["run", "-f", "-", "-n", "2"], True),
    "run -p": (["run", "-p", "Hello", "-n", "2"], False),
    "run -p --json": (["run", "-p", "Hello", "-n", "2", "--json"], False),
    "embed": (["embed"], True),
    "embed -p": (["embed", "-p", "Hello"], False),
    "eval": (["eval", "--text", "-"], True),
    "eval of a file": (["eval", "--text", "text.txt"], False),
    "chat": (["chat", "-n", "2"], True),
    "chat -p": (["chat", "-n", "2", "-p", "Hello"], False),
    "batch": (["batch", "-", "out.jsonl"], True),
    "batch of a file": (["batch", "in.jsonl", "out.jsonl"], False),
    "bench": (["bench", "-p", "8", "-n", "2", "-r", "1"], False),
    "cache": (["cache"], False),
    "doctor": (["doctor"], False),
}


@pytest.fixture
def run_closed(binary, smollm2, tmp_path):
    """run_closed(arguments, closed) -> CompletedProcess of the program in a folder with in.jsonl."""
    (tmp_path / "in.jsonl").write_text(json.dumps(REQUEST) + "\n")
    (tmp_path / "text.txt").write_text("A text of some words. " * 20)
    environment = dict(os.environ, NO_COLOR="1", QUERN_PACKED_CACHE=str(tmp_path / "packed"))

    def run(arguments, closed):
        def close():
            for fd in closed:
                os.close(fd)

        return subprocess.run(
            [str(binary), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            cwd=tmp_path,
            env=environment,
            preexec_fn=close,
        )

    return run


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_with_every_set_of_closed_streams(run_closed, tmp_path, verb):
    arguments, reads = VERBS[verb]
    for closed in CLOSED:
        (tmp_path / "out.jsonl").unlink(missing_ok=True)
        done = run_closed(arguments, closed)
        said = done.stderr.decode()
        expected = 1 if (reads and 0 in closed) or (1 in closed and not reads) else done.returncode
        assert done.returncode == expected, (closed, said)
        assert done.returncode in (0, 1, 2), (closed, said)  # never a signal
        if 2 not in closed and reads and 0 in closed:
            assert "cannot read" in said and "standard input" in said, closed
        elif 2 not in closed and done.returncode == 1:
            assert "cannot write the result: Bad file descriptor" in said, closed
        if reads and 0 in closed:
            assert done.stdout == b"", closed
            out = tmp_path / "out.jsonl"
            assert not out.exists() or out.read_bytes() == b"", closed


def test_what_a_verb_prints_does_not_depend_on_the_other_streams(run_closed):
    greedy = ["run", "-p", "Hello", "-n", "4", "--temperature", "0", "--exact"]
    whole = run_closed(greedy, ()).stdout
    assert whole
    for closed in ((0,), (2,), (0, 2)):
        done = run_closed(greedy, closed)
        assert done.returncode == 0 and done.stdout == whole, closed


@pytest.mark.parametrize("arguments", [["embed", "-p", "Hello"], ["inspect", "--tensors"], ["run", "--help"]])
def test_a_result_larger_than_the_buffer_meets_a_full_disk(binary, smollm2, arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(binary), *arguments], stdout=full, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 1 and done.stderr.count(b"cannot write the result") == 1
