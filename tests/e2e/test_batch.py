"""`quern batch`: a file of requests becomes a file of answers, whatever lines are broken and whenever
the process ends."""

import fcntl
import json
import os
import random
import resource
import signal
import subprocess
import time

import pytest

from terminal import CTRL_C, Terminal

GREEDY = ["--temperature", "0", "--threads", "2"]


def chat(custom_id, question, **body):
    body = {"messages": [{"role": "user", "content": question}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def text(custom_id, prompt, **body):
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/completions", "body": {"prompt": prompt, **body}}


def write_lines(path, lines):
    with open(path, "wb") as out:
        for line in lines:
            out.write(line if isinstance(line, bytes) else json.dumps(line).encode())
            out.write(b"\n")
    return path


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def by_id(path):
    rows = read_lines(path)
    ids = [row["custom_id"] for row in rows]
    assert len(ids) == len(set(ids)), "an answer stands there twice"
    return dict(zip(ids, rows))


def texts(path):
    return {
        key: [c["message"]["content"] for c in row["response"]["body"]["choices"]]
        for key, row in by_id(path).items()
    }


@pytest.fixture
def start(binary, smollm2):
    """start(*arguments, **options of Popen): `quern batch` that goes on beside the test."""
    running = []

    def begin(*arguments, **options):
        process = subprocess.Popen(
            [str(binary), "batch", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()


def wait_for_lines(path, n, process):
    """Until the file has n whole lines; the limit only keeps a hanging program from stopping the test."""
    deadline = time.monotonic() + 120
    while not path.exists() or path.read_bytes().count(b"\n") < n:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_answers_tell_what_a_schema_asks_for_in_vain(quern, tmp_path):
    def held(custom_id, schema):
        form = {"type": "json_schema", "json_schema": {"name": "x", "strict": None, "schema": schema}}
        return chat(custom_id, "Name a colour.", max_tokens=3, n=2, response_format=form)

    requests = [
        held("vain", {"properties": {"a": {"format": "color"}, "b": {"format": "iri"}}}),
        held("fine", {"properties": {"a": {"format": "date"}, "b": {"x-b": 1, "title": None}}}),
        held("refused", {"properties": {"a": {"format": "color", "not": {}}}}),
    ]
    out = tmp_path / "out.jsonl"
    quern("batch", write_lines(tmp_path / "in.jsonl", requests), out, "--threads", 2)
    rows = by_id(out)
    vain = rows["vain"]["response"]["body"]["notes"]
    assert ['"color" was not enforced' in vain[0], '"iri" was not enforced' in vain[1]] == [True] * 2
    assert "notes" not in rows["fine"]["response"]["body"] and rows["fine"]["error"] is None
    assert '"not"' in rows["refused"]["error"]["message"]


MANY_BYTES = ["Party time 🎉🎉🎉🎉🎉🎉🎉🎉", "日本語の文章です。今日は", "नमस्ते दुनिया नमस्ते", "€ £ ¥ € £ ¥ €", "a🎉é€ a🎉é€ a🎉é"]


@pytest.mark.parametrize("options", [{"temperature": 0}, {"temperature": 1.5, "seed": 3}])
@pytest.mark.parametrize("n_top", [0, 1, 5])
def test_log_probabilities_name_tokens_by_their_bytes(quern, tmp_path, options, n_top):
    requests = [text(str(i), p, max_tokens=16, logprobs=n_top, **options) for i, p in enumerate(MANY_BYTES)]
    out = tmp_path / "out.jsonl"
    quern("batch", write_lines(tmp_path / "in.jsonl", requests), out, "--threads", 2)
    parts = 0
    for row in read_lines(out):
        choice = row["response"]["body"]["choices"][0]
        logprobs = choice["logprobs"]
        rows = zip(*(logprobs[key] for key in ("tokens", "token_logprobs", "top_logprobs", "text_offset")))
        for name, logprob, top, offset in rows:
            assert top[name] == logprob and max(n_top, 1) <= len(top) <= n_top + 1
            assert "\ufffd" not in "".join(top)
            if name.startswith("bytes:"):
                parts += 1
            else:
                assert choice["text"][offset:].startswith(name)
    assert parts > 10

def test_answers_have_openais_shape(quern_json, tmp_path):
    requests = [
        chat("a", "What is the capital of France?", max_tokens=12, temperature=0),
        chat("b", "Name a colour.", max_completion_tokens=5, n=2, logprobs=True, top_logprobs=3, seed=1),
        text("c", "1, 2, 3,", max_tokens=24, temperature=0, logprobs=2, stop=" 7"),
        text("d", ["One", [1, 2, 3]], max_tokens=2),
    ]
    out = tmp_path / "out.jsonl"
    counts = quern_json("batch", write_lines(tmp_path / "in.jsonl", requests), out, "--threads", 2)
    assert (counts["answered"], counts["failed"], counts["skipped"]) == (4, 0, 0)
    rows = by_id(out)
    assert set(rows) == set("abcd")
    for row in rows.values():
        assert list(row) == ["id", "custom_id", "response", "error"] and row["error"] is None
        response = row["response"]
        assert response["status_code"] == 200 and response["request_id"]
        body = response["body"]
        assert body["id"] and body["created"] > 1e9 and "smollm2" in body["model"]
        usage = body["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert 0 <= usage["prompt_tokens_details"]["cached_tokens"] < usage["prompt_tokens"]
        assert [c["index"] for c in body["choices"]] == list(range(len(body["choices"])))
        assert all(c["finish_reason"] in ("stop", "length") for c in body["choices"])
    a, b, c, d = (rows[key]["response"]["body"] for key in "abcd")
    assert a["object"] == "chat.completion" and c["object"] == "text_completion"
    assert a["choices"][0]["message"]["role"] == "assistant" and "Paris" in a["choices"][0]["message"]["content"]
    assert a["choices"][0]["logprobs"] is None
    assert len(b["choices"]) == 2
    for choice in b["choices"]:
        tokens = choice["logprobs"]["content"]
        assert bytes(x for t in tokens for x in t["bytes"]).decode().startswith(choice["message"]["content"])
        for token in tokens:
            assert token["logprob"] <= 0 and len(token["top_logprobs"]) == 3
            assert token["top_logprobs"][0]["logprob"] >= token["logprob"]
    assert c["choices"][0]["text"] == " 4, 5, 6," and c["choices"][0]["finish_reason"] == "stop"
    logprobs = c["choices"][0]["logprobs"]
    assert logprobs["text_offset"][0] == 0 and all(len(top) == 2 for top in logprobs["top_logprobs"])
    assert len(d["choices"]) == 2 and d["usage"]["completion_tokens"] == 4
    assert sum(row["response"]["body"]["usage"]["completion_tokens"] for row in rows.values()) == (
        counts["completion_tokens"]
    )


def test_answers_are_those_of_run(quern, quern_json, tmp_path):
    questions = ["What is the capital of France?", "Name three colours.", "What is 2 + 2?"]
    requests = [chat(str(i), q, max_tokens=16) for i, q in enumerate(questions)]
    out = tmp_path / "out.jsonl"
    quern("batch", write_lines(tmp_path / "in.jsonl", requests), out, *GREEDY)
    for i, question in enumerate(questions):
        assert texts(out)[str(i)] == [quern_json("run", "-p", question, "-n", 16, *GREEDY)["text"]]


def test_seeds_are_of_the_batch_and_the_id(quern, tmp_path):
    flags = ["--temperature", "2", "--min-p", "0", "--top-p", "1", "--top-k", "0", "-n", "8", "--threads", "2"]
    requests = [chat(key, "Tell me a story.") for key in "ab"]
    requests += [chat(key, "Tell me a story.", seed=5) for key in "cd"]
    source = write_lines(tmp_path / "in.jsonl", requests)
    outs = [tmp_path / f"{i}.jsonl" for i in range(3)]
    for out, seed in zip(outs, (1, 1, 2)):
        quern("batch", source, out, *flags, "--seed", seed)
    first, second, other = map(texts, outs)
    assert first == second
    assert first["a"] != first["b"] and first["a"] != other["a"]
    assert first["c"] == first["d"] == other["c"]


BAD_LINES = [
    (b"not json", None, "not JSON"),
    (b"[]", None, "line"),
    (b'{"custom_id": "\xff"}', None, "UTF-8"),
    (b"[" * 100000, None, "nested"),
    ({"method": "POST"}, None, "custom_id"),
    ({"custom_id": 7}, None, "custom_id"),
    ({"custom_id": "x" * 513}, None, "custom_id"),
    ({"custom_id": "m", "method": "GET", "url": "/v1/completions", "body": {}}, "m", "method"),
    ({"custom_id": "u", "method": "POST", "url": "/v1/nothing", "body": {}}, "u", "url"),
    ({"custom_id": "b", "method": "POST", "url": "/v1/completions"}, "b", "body"),
    ({"custom_id": "e", "method": "POST", "url": "/v1/completions", "body": {}, "extra": 1}, "e", "extra"),
    (chat("t", "x", temperature="hot"), "t", "temperature"),
    (chat("s", "x", stream=True), "s", "stream"),
    (chat("f", "x", frobnicate=1), "f", "frobnicate"),
    (chat("l", "word " * 9000), "l", "context"),
    (text("i", [10**6]), "i", "1000000"),
    (text("z", []), "z", "prompt"),
    (chat("good", "Another one."), None, "custom_id"),  # used before
]


def test_bad_lines_get_errors_and_stop_nothing(quern_json, tmp_path):
    lines = [chat("good", "Say yes.", max_tokens=2), b"", b"  ", *(line for line, _, _ in BAD_LINES)]
    source = write_lines(tmp_path / "in.jsonl", [*lines, chat("last", "Say no.", max_tokens=2)])
    out = tmp_path / "out.jsonl"
    counts = quern_json("batch", source, out, *GREEDY)
    assert (counts["answered"], counts["failed"]) == (2, len(BAD_LINES))
    rows = read_lines(out)
    failed = {row["custom_id"] or row["line"]: row for row in rows if row["error"]}
    for number, (_, custom_id, named) in enumerate(BAD_LINES, 4):
        row = failed.pop(custom_id or number)
        assert row["error"]["code"] and named in row["error"]["message"], (named, row)
        assert row["response"]["status_code"] == 400
        assert row["response"]["body"]["error"]["message"] == row["error"]["message"]
    assert not failed
    before = out.read_bytes()
    counts = quern_json("batch", source, out, *GREEDY)
    assert (counts["answered"], counts["failed"], counts["skipped"]) == (0, 0, len(rows))
    assert out.read_bytes() == before


def test_a_line_too_long_is_passed_over(quern_json, tmp_path):
    long = chat("long", "x" * (17 << 20))
    source = write_lines(tmp_path / "in.jsonl", [long, chat("short", "Say yes.", max_tokens=1)])
    out = tmp_path / "out.jsonl"
    counts = quern_json("batch", source, out, *GREEDY)
    assert (counts["answered"], counts["failed"]) == (1, 1)
    assert [row["custom_id"] for row in read_lines(out) if row["error"] is None] == ["short"]
    assert "16 MiB" in next(row for row in read_lines(out) if row["error"])["error"]["message"]


def test_requests_come_through_a_pipe(quern, start, tmp_path):
    out = tmp_path / "out.jsonl"
    process = start("-", out, *GREEDY, stdin=subprocess.PIPE)
    process.stdin.write(json.dumps(chat("a", "Say yes.", max_tokens=2)).encode() + b"\n")
    process.stdin.flush()
    wait_for_lines(out, 1, process)  # written while more may come
    process.stdin.write(json.dumps(chat("b", "Say no.", max_tokens=2)).encode())  # no newline
    process.stdin.close()
    assert process.wait(120) == 0
    assert set(texts(out)) == {"a", "b"}


@pytest.fixture(scope="module")
def many(tmp_path_factory, quern):
    """(IN, texts of an undisturbed run): lengths and prompts of all kinds."""
    folder = tmp_path_factory.mktemp("batch")
    chance = random.Random(5)
    requests = [
        chat(f"id {i}", f"What is {chance.randrange(100)} plus {i}?", max_tokens=chance.randrange(1, 40))
        for i in range(40)
    ]
    source = write_lines(folder / "in.jsonl", requests)
    quern("batch", source, folder / "out.jsonl", *GREEDY)
    return source, texts(folder / "out.jsonl")


def test_nothing_is_lost_or_done_twice_on_kill(many, start, quern, tmp_path):
    source, expected = many
    chance = random.Random()
    out = tmp_path / "out.jsonl"
    process, kills = start(source, out, *GREEDY), 0
    while kills < 4:
        n = out.read_bytes().count(b"\n") if out.exists() else 0
        if n + 8 >= len(expected):
            break
        wait_for_lines(out, n + chance.randrange(1, 8), process)
        time.sleep(chance.random() * 0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        if kills == 2:  # as if killed in the middle of a line
            with open(out, "ab") as file:
                file.write(b'{"id":"batch_req_1","custom_id":"id 39","respon')
        process = start(source, out, *GREEDY)
    stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 0, stderr
    assert kills > 0 and b"not asked for again" in stderr
    assert texts(out) == expected


def test_ctrl_c_finishes_what_runs(many, start, tmp_path):
    source, expected = many
    out = tmp_path / "out.jsonl"
    process = start(source, out, *GREEDY, "--concurrency", 4, "--json")
    wait_for_lines(out, 2, process)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 130 and b"Ctrl-C again" in stderr
    counts = json.loads(stdout)
    assert counts["interrupted"] and counts["answered"] == len(texts(out)) < len(expected)
    assert all(expected[key] == value for key, value in texts(out).items())


def test_a_second_ctrl_c_drops_what_runs(start, tmp_path):
    endless = [text(str(i), "1, 2, 3,", max_tokens=2000 if i else 1) for i in range(4)]
    out = tmp_path / "out.jsonl"
    process = start(write_lines(tmp_path / "in.jsonl", endless), out, *GREEDY)
    wait_for_lines(out, 1, process)
    process.send_signal(signal.SIGINT)
    assert b"Ctrl-C again" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert {row["custom_id"] for row in read_lines(out)} == {"0"}


def test_a_full_disk_is_told_and_mended(many, start, quern, tmp_path):
    source, expected = many
    out = tmp_path / "out.jsonl"

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write then fails, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    process = start(source, out, *GREEDY, preexec_fn=small_files, restore_signals=False)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    assert b"cannot write an answer" in stderr and str(out).encode() in stderr
    assert out.read_bytes().endswith(b"\n") and 0 < len(texts(out)) < len(expected)
    quern("batch", source, out, *GREEDY)
    assert texts(out) == expected


def test_two_processes_do_not_write_one_file(quern, tmp_path):
    source = write_lines(tmp_path / "in.jsonl", [chat("a", "x", max_tokens=1)])
    out = tmp_path / "out.jsonl"
    with open(out, "a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = quern("batch", source, out, expect=1)
    assert b"another process" in done.stderr and out.read_bytes() == b""


def test_files_of_others_are_left_as_they_are(quern, tmp_path):
    source = write_lines(tmp_path / "in.jsonl", [chat("a", "x", max_tokens=1)])
    letter = tmp_path / "letter.txt"
    for content in (b"Dear Ann,\nhow are you?\n", b"Dear Ann", source.read_bytes()):
        letter.write_bytes(content)
        assert b"not the output of a batch" in quern("batch", source, letter, expect=2).stderr
        assert letter.read_bytes() == content
    assert b"regular file" in quern("batch", source, "/dev/null", expect=2).stderr
    assert b"same file" in quern("batch", out := write_lines(tmp_path / "same", []), out, expect=2).stderr


def test_wrong_use_is_named(quern, tmp_path):
    assert b"IN is missing" in quern("batch", expect=2).stderr
    assert b"OUT is missing" in quern("batch", "x", expect=2).stderr
    assert b"/nowhere/in" in quern("batch", "/nowhere/in", tmp_path / "out", expect=1).stderr
    assert not (tmp_path / "out").exists()


def test_a_bar_on_a_terminal(binary, smollm2, many, tmp_path):
    source, expected = many
    out = tmp_path / "out.jsonl"
    environment = dict(os.environ, TERM="xterm")
    with Terminal([str(binary), "batch", str(source), str(out), *GREEDY, "--threads", "1"], environment) as terminal:
        terminal.read(rf"\[#*\.*\] +\d+ %  \d+/{len(expected)}, \d+ tok/s, \d+:\d\d left")
        terminal.send(CTRL_C)
        assert terminal.wait() == 130
