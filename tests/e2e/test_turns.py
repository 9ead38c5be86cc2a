"""Where answers end: tokens that end a turn, and stop strings, in models that say what they should."""

import json

import pytest
from chain_model import Normal, UserDefined, write

RUN = ("-p", "a", "-n", "8", "--temperature", "0")
NAMED = {"tokenizer.ggml.bos_token_id": 256, "tokenizer.ggml.eos_token_id": 257}

# Texts that end a turn wherever they are tokens, whatever type the file gives them.
ENDS = """<|im_end|> <|eot_id|> <|eom_id|> <|eot|> <|eom|> <|end|> <|end_of_text|> <|endoftext|>
<|return|> <|call|> <|flush|> <|calls|> <end_of_turn> <turn|> <|tool_response> <eos> </s> <EOT> _<EOT>
\u2581<EOT> [EOT] [EOS] [e~[ <end_of_utterance> <\uff5cend\u2581of\u2581sentence\uff5c> <|end_of_sentence|>
<|end_of_turn|> <|endofturn|> [|endofturn|] <|END_OF_TURN_TOKEN|> <EOS_TOKEN> <|eos|> <|stop|>
<|assistant_end|> <|endofresponse|> <|role_end|> <seed:eos> <|fim_pad|> <fim-pad> <fim_pad> <PAD> [PAD]
<|fim_repo|> <|repo_name|> <fim-repo> <REPO> <reponame> <|file_sep|>""".split()


@pytest.fixture
def says(quern, quern_json, tmp_path):
    """says(pieces, said, keys, merges, *flags) -> the text of the answer of such a model."""

    def ask(pieces, said, *flags, keys=None, merges=()):
        path = write(tmp_path / "m.gguf", pieces, said, NAMED if keys is None else keys, merges)
        return quern_json("run", "-m", path, *RUN, *flags)

    return ask


@pytest.mark.parametrize("kind", [str, Normal, UserDefined])
@pytest.mark.parametrize("text", ENDS)
def test_known_ends_of_turns_end_answers(says, text, kind):
    answer = says(["<s>", "<|pad|>", kind(text)], ["b", text, "c"])
    assert answer["text"] == "b" and answer["finish_reason"] == "stop"


NAMING = [
    {"tokenizer.ggml.eos_token_id": 256},
    {"tokenizer.ggml.eot_token_id": 256},
    {"tokenizer.ggml.eom_token_id": 256},
    {"tokenizer.ggml.fim_pad_token_id": 256},
    {"tokenizer.ggml.fim_rep_token_id": 256},
    {"tokenizer.ggml.fim_sep_token_id": 256},
    {"tokenizer.ggml.eos_token_ids": [257, 256]},
    {"tokenizer.ggml.eos_token_id": 257, "tokenizer.ggml.eos_token_ids": [256]},
]


@pytest.mark.parametrize("kind", [str, Normal, UserDefined])
@pytest.mark.parametrize("keys", NAMING)
def test_keys_name_ends_of_turns(says, keys, kind):
    assert says([kind("<x>"), "<y>"], ["b", "<x>", "c"], keys=keys)["text"] == "b"


# (tokens, what is said, merges, the answer's text): looks like an end and is none.
HARMONY = ["<|return|>", "<|call|>"]
NO_ENDS = [
    (["<|end|>", *HARMONY], ["<|end|>"], (), "bcccccc"),  # a control token has no text
    (["<|end|>", "<|flush|>", "<|calls|>"], ["<|end|>"], (), "bcccccc"),
    ([Normal("</s>"), Normal("</b>")], ["</s>"], (), "b</s>cccccc"),
    ([UserDefined("</s>"), UserDefined("</i>")], ["</s>"], (), "b</s>cccccc"),
    ([Normal("</s>"), "<|tool_response>"], ["</s>"], (), "b</s>cccccc"),
    ([Normal("</"), Normal("s>"), Normal("</s>")], ["</s>"], ("< /", "s >", "</ s>"), "b</s>cccccc"),
    ([Normal("[P"), Normal("AD]"), Normal("[PAD]")], ["[PAD]"], ("[P AD]",), "b[PAD]cccccc"),
    (["<|x|>"], ["<|x|>"], (), "bcccccc"),
    ([Normal("<|im_end|")], ["<|im_end|"], (), "b<|im_end|cccccc"),
    ([Normal("EOT")], ["EOT"], (), "bEOTcccccc"),
    ([Normal("<|EOT_ID|>")], ["<|EOT_ID|>"], (), "b<|EOT_ID|>cccccc"),
]


@pytest.mark.parametrize("pieces, said, merges, text", NO_ENDS)
def test_what_looks_like_an_end_and_is_none(says, pieces, said, merges, text):
    answer = says(["<s>", "<|pad|>", *pieces], ["b", *said, "c"], merges=merges)
    assert (answer["text"], answer["finish_reason"]) == (text, "length")


def test_gpt_oss_ends_at_return_and_call_and_where_eos_is_named(says):
    pieces = ["<s>", "<|pad|>", "<|end|>", *HARMONY]
    for text in HARMONY:
        assert says(pieces, ["b", "<|end|>", "d", text, "c"])["text"] == "bd"
    named = {**NAMED, "tokenizer.ggml.eot_token_id": 258}
    assert says(pieces, ["b", "<|end|>", "c"], keys=named)["finish_reason"] == "length"
    eos = {"tokenizer.ggml.eos_token_id": 258}
    assert says(pieces, ["b", "<|end|>", "c"], keys=eos)["text"] == "b"


def test_a_template_writes_the_token_whatever_its_type(says):
    template = {**NAMED, "tokenizer.chat_template": "{{ messages[0].content }}<EOT>a"}
    answer = says(["<s>", "<|pad|>", Normal("<EOT>")], ["b", "<EOT>", "c"], keys=template)
    assert answer["prompt_ids"] == [97, 258, 97]


# (stops, what is said, the answer's text, whether it was stopped). <|x> and <|y> are control
# tokens, <u> is user-defined, and <n> an ordinary token: the last two have text.
X, Y = "<|x>", "<|y>"
SPELLED = list(X)
STOPS = [
    ([X], ["b", X, "c"], "b", True),
    (["<|none|>", X], ["b", X, "c"], "b", True),
    ([X, X], ["b", X, "c"], "b", True),
    ([X, Y], ["b", Y, "c"], "b", True),
    ([X], ["b", Y, X, "c"], "b", True),
    ([X], [X, "c"], "", True),
    ([X], ["b", *SPELLED, "c"], "b", True),  # spelled out
    (["b" + X], ["e", "b", X, "c"], "e", True),
    (["b" + X], ["e", "b", *SPELLED, "c"], "e", True),
    ([X + "d"], ["b", X, "d", "c"], "b", True),
    ([X + "d"], ["b", X, "c"], "bccccc", False),
    (["b" + X + "d"], ["e", "b", X, "d", "c"], "e", True),
    (["b" + X + "d"], ["b", X, "c"], "bcccccc", False),
    ([X + Y], ["b", X, Y, "c"], "b", True),
    ([X + Y], ["b", X, "c"], "bcccccc", False),
    ([X + Y], ["b", Y, X, "c"], "bccccc", False),
    ([X + "d" + Y], ["b", X, "d", Y, "c"], "b", True),
    (["bd"], ["b", X, "d", "c"], "", True),  # a text skips control tokens
    (["<"], ["b", X, "c"], "bcccccc", False),  # a part of a control token is none
    (["x>c"], ["b", X, "c"], "bcccccc", False),
    (["b<|"], ["b", X, "c"], "bcccccc", False),
    (["<u>"], ["b", "<u>", "c"], "b", True),
    (["b<u"], ["e", "b", "<u>", "c"], "e", True),  # a user-defined token is text
    ([X + "<u>"], ["b", X, "<u>", "c"], "b", True),
    (["<n>"], ["b", "<n>", "c"], "b", True),
    (["</s>"], ["b", "</s>", "c"], "b", True),  # an end token as well
]


@pytest.mark.parametrize("stops, said, text, stopped", STOPS)
def test_stops_match_control_tokens(says, stops, said, text, stopped):
    pieces = ["<s>", "</s>", X, Y, UserDefined("<u>"), Normal("<n>")]
    answer = says(pieces, said, *(flag for stop in stops for flag in ("--stop", stop)))
    assert answer["finish_reason"] == ("stop" if stopped else "length")
    if stopped:
        assert answer["text"] == text
    else:
        assert answer["text"].startswith(text[:3])


@pytest.mark.parametrize("stop", [X, [X], ["none", "b" + X, X]])
@pytest.mark.parametrize("url", ["/v1/completions", "/v1/chat/completions"])
def test_stops_of_requests_match_control_tokens(quern, tmp_path, stop, url):
    path = write(tmp_path / "m.gguf", ["<s>", "</s>", X], ["d", "b", X, "c"], NAMED)
    ask = {"messages": [{"role": "user", "content": "a"}]} if "chat" in url else {"prompt": "a"}
    body = {**ask, "max_tokens": 8, "temperature": 0, "stop": stop}
    line = {"custom_id": "1", "method": "POST", "url": url, "body": body}
    (tmp_path / "in.jsonl").write_text(json.dumps(line) + "\n")
    quern("batch", tmp_path / "in.jsonl", tmp_path / "out.jsonl", path)
    choice = json.loads((tmp_path / "out.jsonl").read_text())["response"]["body"]["choices"][0]
    assert choice["finish_reason"] == "stop"
    said = choice["message"]["content"] if "chat" in url else choice["text"]
    assert said == ("d" if "b" + X in stop else "db")


@pytest.mark.parametrize("flags", [("--stop", ""), ("--stop", "x", "--stop", "")])
def test_an_empty_stop_is_refused(quern, tmp_path, flags):
    path = write(tmp_path / "m.gguf", ["<s>", "</s>"], ["b"], NAMED)
    done = quern("run", "-m", path, *RUN, *flags, expect=2)
    assert b"--stop" in done.stderr and b"empty" in done.stderr


@pytest.mark.parametrize("stop", ["", [""], ["x", ""]])
def test_an_empty_stop_of_a_request_is_refused(quern, tmp_path, stop):
    path = write(tmp_path / "m.gguf", ["<s>", "</s>"], ["b"], NAMED)
    body = {"prompt": "a", "max_tokens": 2, "stop": stop}
    line = {"custom_id": "1", "method": "POST", "url": "/v1/completions", "body": body}
    (tmp_path / "in.jsonl").write_text(json.dumps(line) + "\n")
    quern("batch", tmp_path / "in.jsonl", tmp_path / "out.jsonl", path, expect=None)
    error = json.loads((tmp_path / "out.jsonl").read_text())["response"]["body"]["error"]
    assert error["param"] == "stop" and "empty" in error["message"]


# ---- files

SPECIAL_IDS = """bos eos eot eom unknown seperator separator padding cls mask fim_pre fim_suf fim_mid
fim_pad fim_rep fim_sep prefix suffix middle""".split()
OUTSIDE = [{f"tokenizer.ggml.{name}_token_id": 258} for name in SPECIAL_IDS] + [
    {"tokenizer.ggml.eos_token_ids": [257, 258]},
    {"tokenizer.ggml.padding_token_id": 4294967294},
    {"tokenizer.ggml.padding_token_id": 258, "tokenizer.ggml.mask_token_id": 300},
]


@pytest.mark.parametrize("keys", OUTSIDE)
@pytest.mark.parametrize("verb", ["run", "tokenize"])
def test_special_ids_outside_the_vocabulary_are_passed_over(quern, tmp_path, keys, verb):
    path = write(tmp_path / "m.gguf", ["<s>", "</s>"], ["b", "</s>"], {**NAMED, **keys})
    flags = RUN if verb == "run" else ("--text", "a")
    done = quern(verb, *(("-m",) if verb == "run" else ()), path, *flags)
    if verb == "run":
        assert done.stdout == b"b\n"
    notes = [line for line in done.stderr.decode().splitlines() if "passed over" in line]
    assert len(notes) == 1
    for key in keys:
        assert key.removeprefix("tokenizer.ggml.") in notes[0]


@pytest.mark.parametrize("none", [4294967295])
def test_ids_that_say_there_is_none_need_no_note(quern, tmp_path, none):
    keys = {**NAMED, "tokenizer.ggml.padding_token_id": none}
    path = write(tmp_path / "m.gguf", ["<s>", "</s>"], ["b", "</s>"], keys)
    assert quern("run", "-m", path, *RUN).stderr == b""


# (merges, how many of them the vocabulary has tokens for)
MERGES = [
    (["a b", "a c"], 1),  # no "ac"
    (["ab c", "a b"], 1),  # no "abc"
    (["no such", "a b"], 1),
    (["a b", "x ab"], 1),
    (["q r", "s t"], 0),
]


@pytest.mark.parametrize("merges, n_good", MERGES)
def test_merges_without_tokens_are_passed_over(quern, tmp_path, merges, n_good):
    pieces = ["<s>", "</s>", Normal("ab")]
    path = write(tmp_path / "m.gguf", pieces, ["b", "</s>"], NAMED, merges)
    done = quern("tokenize", path, "--text", "ab", "--json")
    assert json.loads(done.stdout)["ids"] == ([258] if n_good else [97, 98])
    notes = done.stderr.decode().splitlines()
    n = len(merges) - n_good
    assert len(notes) == 1 and f"{n} merge" in notes[0] and "passed over" in notes[0]
    assert quern("run", "-m", path, *RUN).stderr.count(b"passed over") == 1


# ---- inspect


def test_inspect_lists_what_ends_a_turn_and_why(quern, quern_json, tmp_path):
    pieces = ["<s>", "</s>", "<|x|>", Normal("<EOT>"), UserDefined("<|im_end|>"), "<|end|>", "<f>"]
    keys = {**NAMED, "tokenizer.ggml.eot_token_id": 258, "tokenizer.ggml.fim_sep_token_id": 262}
    path = write(tmp_path / "m.gguf", pieces, ["b"], keys)
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [256, 257]}')
    ends = quern_json("inspect", path)["tokenizer"]["ends"]
    assert [(end["id"], end["text"]) for end in ends] == [
        (256, "<s>"), (257, "</s>"), (258, "<|x|>"), (259, "<EOT>"), (260, "<|im_end|>"),
        (261, "<|end|>"), (262, "<f>"),
    ]  # fmt: skip
    why = [end["why"] for end in ends]
    assert why[0] == "eos_token_id of generation_config.json" and why[1] == "eos_token_id"
    assert why[2] == "eot_token_id" and why[6] == "fim_sep_token_id"
    assert "ordinary" in why[3] and "user-defined" in why[4] and why[5] == "its text"
    text = quern("inspect", path).stdout.decode()
    for end in ends:
        assert any(end["text"] in line and end["why"] in line for line in text.splitlines())
