"""Names of ours are taken in any case, and a seed means the same wherever it is given."""

import json

import pytest

BENCH = ["bench", "--shape", "smollm2-135m", "-p", "8", "-n", "1", "-r", "1"]
ANSWER = ["run", "--raw", "-p", "1, 2,", "-n", "2", "--temperature", "0"]

# A flag, its values and a command that takes it.
NAMES = [
    ("--numerics", ["exact", "fine", "fast", "auto"], ANSWER),
    ("--kv", ["auto", "bf16", "f16", "int8", "int4"], ANSWER),
    ("--isa", ["scalar"], ANSWER),
    ("--pin", ["none", "cores"], ANSWER),
    ("--tuning", ["on", "off"], ANSWER),
    ("--packed-cache", ["auto", "on", "off"], ANSWER),
    ("--dump", ["bind", "fuse", "choose", "pack", "plan", "emit", "all"], ANSWER),
    ("--dry-sequence-breaker", ["none"], ANSWER),
    ("--samplers", ["penalties;dry;top_k;typ_p;top_p;min_p;xtc;temperature"], ANSWER),
    ("--against", ["exact", "fast"], ["eval", "--tokens", "ids.txt"]),
    ("--pooling", ["auto", "mean", "last", "cls"], ["embed", "-p", "A text"]),
    ("--quant", ["q4_0", "q4_k", "q6_k", "q8_0", "bf16", "f16", "iq4_nl", "tq2_0", "i2_s"], BENCH),
    ("--head-quant", ["q6_k", "f16"], BENCH),
    ("--shape", ["smollm2-135m"], BENCH[:1] + BENCH[3:]),
    ("--arrivals", ["together", "random"], ["bench", "-p", "8", "-n", "1", "-r", "1", "--seqs", "2"]),
    ("--model", ["smollm2"], ["tokenize", "--text", "x"]),
    ("--model", ["smollm2"], ["inspect"]),
]
CASES = [(flag, value, command) for flag, values, command in NAMES for value in values]


@pytest.fixture(autouse=True)
def cache_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setenv("QUERN_PACKED_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ids.txt").write_text("1 2 3 4 5 6")


@pytest.mark.parametrize("flag, value, command", CASES, ids=lambda x: x if isinstance(x, str) else "")
def test_names_are_taken_in_any_case(quern, flag, value, command):
    # Not every format fits every shape: then the refusal is the same.
    expected = quern(*command, flag, value, expect=None)
    assert expected.returncode == 0 or flag in ("--quant", "--head-quant")
    done = quern(*command, flag, value.upper(), expect=expected.returncode)
    if expected.returncode:
        assert done.stderr == expected.stderr
    assert b"there " in quern(*command, flag, value + "x", expect=None).stderr or flag in (
        "--isa",
        "--pin",
        "--dump",
        "--samplers",
        "--dry-sequence-breaker",
    )


def test_the_name_is_what_is_shown(quern_json):
    shown = quern_json("bench", "-p", "8", "-n", "1", "-r", "1", "--isa", "SCALAR", "--numerics", "FAST")
    assert "SCALAR" not in json.dumps(shown) and "FAST" not in json.dumps(shown)


HOT = ["run", "-p", "Tell me a story.", "-n", "12", "--temperature", "2", "--min-p", "0", "--top-p", "1"]


def test_minus_one_is_a_new_seed_each_time(quern_json):
    first, second, unsaid = (quern_json(*HOT, *seed) for seed in (["--seed", "-1"], ["--seed", "-1"], []))
    seeds = {run["seed"] for run in (first, second, unsaid)}
    assert len(seeds) == 3 and all(0 <= seed < 2**53 for seed in seeds)
    assert quern_json(*HOT, "--seed", first["seed"])["ids"] == first["ids"]


# What is typed, and the seed that counts.
SEEDS = {0: 0, 1: 1, 2**32: 2**32, 2**63 - 1: 2**63 - 1, 2**63: 2**63, 2**64 - 2: 2**64 - 2, -2: 2**64 - 2, -(2**63): 2**63}


@pytest.mark.parametrize("typed", SEEDS)
def test_all_64_bits_are_a_seed(quern_json, typed):
    assert quern_json(*HOT, "--seed", typed)["seed"] == SEEDS[typed]


def answers(quern, tmp_path, seeds, *flags):
    """The texts of a batch, a request for each of the seeds (text of JSON)."""
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    out.unlink(missing_ok=True)
    body = '{"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 12, "temperature": 2, "seed": %s}'
    row = '{"custom_id": "%d", "method": "POST", "url": "/v1/chat/completions", "body": %s}\n'
    source.write_text("".join(row % (i, body % seed) for i, seed in enumerate(seeds)))
    quern("batch", source, out, "--min-p", "0", "--top-p", "1", *flags)
    rows = sorted((json.loads(line) for line in out.read_text().splitlines()), key=lambda r: int(r["custom_id"]))
    return [r["response"]["body"].get("choices", [{"message": None}])[0]["message"] for r in rows]


def test_a_request_s_seed_is_what_it_is_on_the_command_line(quern, tmp_path):
    random = answers(quern, tmp_path, [-1] * 4)
    assert None not in random and len({m["content"] for m in random}) > 1
    same = answers(quern, tmp_path, [-2, 2**64 - 2, 2**63, -(2**63)])
    assert same[0] == same[1] and same[2] == same[3] != same[0]
    assert answers(quern, tmp_path, ["1.0", '"1"', "18446744073709551616", "true"]) == [None] * 4
