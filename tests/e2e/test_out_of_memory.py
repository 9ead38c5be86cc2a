"""Memory that runs out ends the program with exit code 3 and one line that says so, wherever it is
missing: in C++, in the Rust libraries, for a thread's stack, while the program starts."""

import json
import os
import re
import resource
import subprocess

import pytest

MIB = 1 << 20
REQUEST = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
REQUEST["body"] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}

# What is run at each limit.
VERBS = {
    "version": ["version"],
    "help": ["run", "--help"],
    "inspect": ["inspect"],
    "tokenize": ["tokenize", "--text", "hello world"],
    "run": ["run", "-p", "Hello", "-n", "2"],
    "run with a schema": ["run", "-p", "Hello", "-n", "4", "--schema", "schema.json"],
    "eval": ["eval", "--text", "text.txt"],
    "embed": ["embed", "-p", "A text"],
    "chat": ["chat", "-n", "2"],
    "batch": ["batch", "in.jsonl", "out.jsonl"],
    "bench": ["bench", "-p", "8", "-n", "2", "-r", "1"],
    "bench of random weights": ["bench", "--shape", "smollm2-135m", "-p", "8", "-n", "1", "-r", "1"],
    "doctor": ["doctor"],
    "cache": ["cache"],
}
# Below 28 MiB the system cannot load the program, and says so itself. Between 120 and 320 MiB a
# model's text and weights are read at once, on two threads.
LIMITS = [*range(28, 120, 13), *range(120, 320, 12), *range(320, 600, 40), 1000]


@pytest.fixture
def run_limited(binary, smollm2, tmp_path):
    """run_limited(arguments, bytes) -> CompletedProcess of the program with so much address space."""
    (tmp_path / "in.jsonl").write_text(json.dumps(REQUEST) + "\n")
    (tmp_path / "text.txt").write_text("A text of some words. " * 20)
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))
    environment = dict(os.environ, NO_COLOR="1", QUERN_PACKED_CACHE=str(tmp_path / "packed"))

    def run(arguments, limit):
        def limits():
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        (tmp_path / "out.jsonl").unlink(missing_ok=True)
        return subprocess.run(
            [str(binary), *arguments, *(["--packed-cache", "off"] if arguments[0] in ("run", "chat") else [])],
            input=b"Hello\n",
            capture_output=True,
            timeout=120,
            cwd=tmp_path,
            env=environment,
            preexec_fn=limits,
        )

    return run


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_at_every_limit(run_limited, verb):
    codes = []
    for mib in LIMITS:
        done = run_limited(VERBS[verb], mib * MIB)
        said = done.stderr.decode(errors="replace")
        codes.append(done.returncode)
        assert done.returncode in (0, 3), (mib, done.returncode, said)
        if done.returncode == 3:
            errors = [line for line in re.findall(r"^quern: .*", said, re.M) if "note:" not in line]
            assert len(errors) == 1 and "memory" in errors[0], (mib, said)
            assert len(re.findall(r"^  do:    \S", said, re.M)) == 1, (mib, said)
    if verb in ("version", "help", "cache"):
        assert set(codes) == {0}
    else:
        assert 3 in codes


def test_a_program_that_starts_says_when_there_is_no_more(run_limited):
    """Around the least memory that the program can be loaded in, in small steps: the system says
    that it cannot load it, the program says that it cannot go on, and then it works."""
    codes = []
    for kib in range(20_000, 30_000, 50):
        done = run_limited(["version"], kib * 1024)
        if not codes and (done.returncode < 0 or done.returncode == 127):  # 127: the loader's word
            continue
        codes.append(done.returncode)
        assert done.returncode in (0, 3), (kib, done.stderr)
        assert done.returncode == 0 or b"memory ran out" in done.stderr, kib
    assert codes[-1] == 0 and codes == sorted(codes, reverse=True)
