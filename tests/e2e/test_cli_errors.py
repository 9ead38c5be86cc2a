"""What a wrong use looks like: exit codes, and errors that say what, where and what to do."""

import os
import subprocess

import pytest

VERBS = ["chat", "run", "batch", "embed", "inspect", "tokenize", "eval", "bench", "tune", "cache", "doctor", "version"]


def errors(done):
    return done.stderr.decode()


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_examples(quern, verb):
    text = quern(verb, "--help").stdout.decode()
    assert "Example" in text and f"quern {verb}" in text


def test_help_lists_verbs_and_exit_codes(quern):
    for flag in ("--help", "-h", "help"):
        text = quern(flag).stdout.decode()
        assert all(verb in text for verb in VERBS)
        assert all(code in text for code in ("130", "Exit codes"))


def test_without_a_verb_it_explains_itself(quern):
    done = quern(expect=2)
    assert done.stdout == b"" and "tokenize" in errors(done)


def test_unknown_verb(quern):
    assert "unknown command 'frob'" in errors(quern("frob", expect=2))


WRONG_FLAGS = [
    (["tokenize", "--nonsense"], "--nonsense"),
    (["tokenize", "--text", "a", "--file", "b"], "--file"),
    (["tokenize", "--text"], "--text"),
    (["run", "-p", "x", "--raw", "--system", "y"], "--system"),
    (["run", "-p", "x", "-n", "-2"], "--max-tokens"),
    (["run", "-p", "x", "-n", "1e3"], "--max-tokens"),
    (["run", "-p", "x", "-n", "99999999999999999999"], "--max-tokens"),
    (["run", "-p", "x", "--temperature", "nan"], "--temp"),
    (["run", "-p", "x", "--temperature", "-1"], "--temp"),
    (["run", "-p", "x", "--top-p", "1.5"], "--top-p"),
    (["run", "-p", "x", "--top-k", "2.5"], "--top-k"),
    (["run", "-p", "x", "--seed", "1.0"], "--seed"),
    (["run", "-p", "x", "--seed", "x"], "--seed"),
    (["run", "-p", "x", "--seed", ""], "--seed"),
    (["run", "-p", "x", "--seed", "18446744073709551616"], "--seed"),
    (["run", "-p", "x", "--seed", "-9223372036854775809"], "--seed"),
    (["run", "-p", "x", "--threads", "0"], "--threads"),
    (["eval"], "--text"),
    (["eval", "--text", "a", "--chunk", "0"], "--chunk"),
    (["bench", "-p", "0", "-n", "0"], "nothing to measure"),
    (["bench", "-p", "1,x"], "--n-prompt"),
    (["bench", "-r", "0"], "--repetitions"),
    (["bench", "--quant", "q4_0"], "--shape"),
    (["bench", "--head-quant", "q4_0"], "--shape"),
    (["bench", "--shape", "smollm2-135m", "--head-quant", "q9_9"], "q4_0"),
    (["bench", "--seqs", "2", "-n", "0"], "nothing to measure"),
    (["bench", "--seqs", "0"], "--seqs"),
    (["bench", "--arrivals", "random"], "--seqs"),
    (["bench", "--arrivals", "never"], "random"),
    (["bench", "-p", "100", "--cached", "100"], "--cached"),
    (["bench", "--cached", "10", "--seqs", "2"], "--seqs"),
    (["bench", "-d", "-1"], "--depth"),
    (["bench", "-t", "1,0"], "--threads"),
    (["bench", "--seqs", "4096", "-p", "1000000"], "choose fewer"),
    (["bench", "limits", "--threads", "0"], "--threads"),
    (["bench", "limits", "model.gguf"], "model.gguf"),
    (["bench", "--shape", "gpt-9"], "llama-3.2-1b"),
    (["bench", "--shape", "smollm2-135m", "--quant", "q9_9"], "q4_0"),
    (["run", "-p", "x", "--packed-cache", "sometimes"], "sometimes"),
    (["run", "-p", "x", "--n", "0"], "--n"),
    (["run", "-p", "x", "--logprobs", "2"], "--json"),
    (["run", "-p", "x", "--deadline", "0"], "--deadline"),
    (["run", "-p", "x", "--regex", "a", "--choice", "b"], "--choice"),
    (["inspect", "a", "b"], "b"),
    (["chat", "smollm2", "one", "two"], "two"),
]


@pytest.mark.parametrize("arguments, named", WRONG_FLAGS, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_wrong_flags_are_named(quern, arguments, named):
    done = quern(*arguments, expect=2)
    assert done.stdout == b""
    assert named in errors(done)


@pytest.mark.parametrize("verb", [["tokenize", "--text", "x"], ["inspect"], ["run", "-p", "x"], ["bench"]])
def test_missing_model(quern, verb):
    done = quern(verb[0], "/nowhere/model.gguf", *verb[1:], expect=1)
    assert done.stdout == b"" and "/nowhere/model.gguf" in errors(done)


def test_a_question_in_the_place_of_the_model(quern):
    assert "-p" in errors(quern("run", "What is this?", expect=1, stdin=b"x"))


def test_damaged_model(quern, tmp_path):
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 64)
    done = quern("inspect", path, expect=1)
    assert "broken.gguf" in errors(done)


def test_cut_model(quern, smollm2, tmp_path):
    path = tmp_path / "cut.gguf"
    with smollm2.open("rb") as whole:
        path.write_bytes(whole.read(8 << 20))
    for verb in (["inspect", path], ["run", path, "-p", "x"]):
        done = quern(*verb, expect=1)
        assert "cut.gguf" in errors(done) and done.stdout == b""


def test_missing_text_files(quern):
    for arguments in (["tokenize", "--file"], ["eval", "--text"], ["eval", "--tokens"], ["run", "-f"]):
        done = quern(*arguments, "/nowhere/text", expect=1)
        assert "/nowhere/text" in errors(done) and "No such file" in errors(done)


def test_bad_token_files(quern, tmp_path):
    path = tmp_path / "ids"
    path.write_text("1 2\n3 x")
    done = quern("eval", "--tokens", path, expect=2)
    assert "'x'" in errors(done) and "line 2" in errors(done)
    path.write_text("1 2 49152")  # one beyond the vocabulary
    done = quern("eval", "--tokens", path, expect=2)
    assert "49152" in errors(done)
    done = quern("run", "--tokens", path, expect=2)
    assert "49152" in errors(done)


@pytest.mark.parametrize("text", ["", "a"])
def test_eval_needs_two_tokens(quern, tmp_path, text):
    path = tmp_path / "short"
    path.write_text(text)
    assert "at least 2" in errors(quern("eval", "--text", path, expect=2))


def test_eval_leaves_no_half_file(quern, tmp_path):
    ids = tmp_path / "ids"
    ids.write_text("1 2 3")
    done = quern("eval", "--tokens", ids, "--logits", tmp_path / "no" / "folder.npy", expect=1)
    assert "folder.npy" in errors(done)
    ids.write_text("1 2 49152")
    quern("eval", "--tokens", ids, "--logits", tmp_path / "out.npy", expect=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ids"]


def test_prompt_longer_than_the_context(quern):
    done = quern("run", "--raw", "-f", "-", "-n", 1, stdin=b"word " * 9000, expect=3)
    assert "8192" in errors(done)


def test_eval_of_a_text_longer_than_the_context(quern, tmp_path):
    ids = tmp_path / "ids"
    ids.write_text("1 " * 8193)
    done = quern("eval", "--tokens", ids, expect=3)
    assert "8193" in errors(done) and "8192" in errors(done)


def test_empty_prompt(quern):
    quern("run", "--raw", "-p", "", "-n", 1, expect=2)


def test_full_disk(binary, smollm2):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [str(binary), "tokenize", "--text", "x", "--json"], stdout=full, stderr=subprocess.PIPE, timeout=120
        )
    assert done.returncode == 1 and b"cannot write" in done.stderr


def test_unknown_instruction_set(quern):
    done = quern("run", "-p", "x", "--isa", "z80", expect=1)
    assert "z80" in errors(done) and "scalar" in errors(done)


def test_dump_prints_compile_steps(quern):
    done = quern("run", "--raw", "-p", "x", "-n", 1, "--dump", "emit")
    assert "== emit" in errors(done)
    assert "frobnicate" in errors(quern("run", "-p", "x", "--dump", "frobnicate", expect=2))


def test_doctor_says_what_is_missing(binary, tmp_path):
    environment = dict(os.environ, XDG_CACHE_HOME=str(tmp_path))
    done = subprocess.run(
        [str(binary), "doctor", "--no-measure"], capture_output=True, timeout=120, env=environment
    )
    assert done.returncode == 1 and b"default model" in done.stdout


def test_no_colours_in_a_pipe(binary):
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment["TERM"] = "xterm-256color"
    for arguments in (["inspect"], ["doctor", "--no-measure"], ["frob"]):
        done = subprocess.run([str(binary), *arguments], capture_output=True, timeout=120, env=environment)
        assert b"\x1b" not in done.stdout + done.stderr
