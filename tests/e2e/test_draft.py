"""A draft model beside the model: the same answers, and refusals that say why."""

import json

RUN = ["run", "-p", "Write a poem about a river.", "-n", 60, "--seed", 3]
TINY = "tests/data/tiny/llama_mha.gguf"


def test_answers_are_the_same_and_drafts_are_counted(quern_json):
    for sampling in (["--temperature", 0], ["--temperature", 1]):
        plain = quern_json(*RUN, *sampling, "--draft", 0)
        assert plain["timings"]["draft_n"] == plain["timings"]["draft_n_accepted"] == 0
        drafted = quern_json(*RUN, *sampling, "--draft-model", "smollm2")
        assert drafted["ids"] == plain["ids"]
        timings = drafted["timings"]
        assert timings["draft_n"] > 0
        assert 0 <= timings["draft_n_accepted"] <= timings["draft_n"]


def test_a_batch_takes_one_too(quern, tmp_path):
    body = {"model": "x", "messages": [{"role": "user", "content": "Count."}], "max_tokens": 20}
    lines = [
        json.dumps({"custom_id": str(i), "method": "POST", "url": "/v1/chat/completions", "body": body})
        for i in range(3)
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("\n".join(lines) + "\n")
    answers = []
    for name, flags in (("plain", []), ("drafted", ["--draft-model", "smollm2"])):
        out = tmp_path / name
        quern("batch", source, out, "--temperature", 0, *flags)
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        choices = {r["custom_id"]: r["response"]["body"]["choices"][0]["message"]["content"] for r in rows}
        assert len(choices) == 3
        answers.append(choices)
    assert answers[0] == answers[1]


def test_a_model_with_other_tokens_is_refused_by_name(quern, smollm2):
    error = quern(*RUN, "--draft-model", TINY, expect=2).stderr.decode()
    assert TINY in error and str(smollm2) in error
    assert "it has 276 tokens, not 49152" in error
    error = quern(*RUN, "--draft-model", "no/such.gguf", expect=None)
    assert error.returncode != 0 and b"no/such.gguf" in error.stderr
    assert b"--draft" in quern(*RUN, "--draft", 17, expect=2).stderr
