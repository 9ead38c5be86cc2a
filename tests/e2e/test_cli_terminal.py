"""The program as a person meets it: under a pseudo-terminal."""

import json
import os
import signal
import subprocess

import pytest

from terminal import ARROW_UP, CTRL_C, CTRL_D, Terminal

PROMPT = r"> $"


@pytest.fixture
def start(binary, smollm2, tmp_path):
    """start(*arguments, **environment) -> Terminal; ended with the test."""
    running = []

    def begin(*arguments, **extra):
        environment = dict(os.environ, TERM="xterm", XDG_STATE_HOME=str(tmp_path / "state"))
        environment.pop("NO_COLOR", None)
        environment.update(extra)
        terminal = Terminal([str(binary), *map(str, arguments)], environment)
        running.append(terminal)
        return terminal

    yield begin
    for terminal in running:
        terminal.__exit__()


@pytest.fixture
def chat(start):
    terminal = start("chat", "--temperature", "0", "--exact")
    terminal.read(r"quern \d+\.\d+")
    terminal.read(PROMPT)
    return terminal


def test_banner_names_model_threads_and_isa(start):
    terminal = start("chat")
    banner = terminal.read(r"quern .*?> $").group()
    assert "Smollm2 135M" in banner and "threads" in banner and "/help" in banner


def test_answers_stream_and_the_prompt_returns(chat):
    chat.send("What is the capital of France?\r")
    chat.read("Paris")
    chat.read(PROMPT)
    chat.send("/stats\r")
    chat.read(r"1 turns, \d+ tokens")
    chat.read(r"tokens/s")
    chat.read(PROMPT)
    chat.send("/exit\r")
    assert chat.wait() == 0


def test_commands(chat):
    chat.send("/help\r")
    for name in ("/help", "/regen", "/undo", "/reset", "/system", "/schema", "/save", "/load", "/stats", "/exit"):
        chat.read(name)
    chat.read(PROMPT)
    chat.send("/frob\r")
    chat.read("unknown command '/frob'")
    chat.read(PROMPT)
    chat.send("/system\r")
    chat.read("No system message")
    chat.read(PROMPT)
    chat.send("/system Answer briefly.\r")
    chat.read("begins anew")
    chat.read(PROMPT)
    chat.send("/system\r")
    chat.read(r"Answer briefly\.\r\n")
    chat.read(PROMPT)
    chat.send("/reset\r")
    chat.read("begins anew")


def test_a_line_about_tokens_and_speed_follows_an_answer(chat, start):
    chat.send("What is the capital of France?\r")
    chat.read(r"\d+ tokens, \d+ tok/s, first token \d+\.\d\d s, 0 of \d+ prompt tokens reused")
    chat.read(PROMPT)
    chat.send("And of Italy?\r")
    reused = chat.read(r"(\d+) of (\d+) prompt tokens reused")
    assert 0 < int(reused.group(1)) < int(reused.group(2))
    chat.read(PROMPT)
    quiet = start("chat", "--temperature", "0", "--no-stats")
    quiet.read(PROMPT)
    quiet.send("What is the capital of France?\r")
    quiet.read(PROMPT)
    assert "reused" not in quiet.text


def test_undo_takes_the_last_turn_back(chat):
    chat.send("/undo\r")
    chat.read("no turn to take back")
    chat.read(PROMPT)
    for _ in range(2):
        chat.send("What is the capital of France?\r")
        chat.read(PROMPT)
    chat.send("/undo\r")
    chat.read("1 left")
    chat.read(PROMPT)
    chat.send("/stats\r")
    chat.read("1 turns")


def test_regen_replaces_the_last_answer(start):
    terminal = start("chat", "--temperature", "2", "--seed", "3", "-n", "24", "--min-p", "0", "--top-p", "1")
    terminal.read(PROMPT)
    terminal.send("/regen\r")
    terminal.read("no answer to replace")
    terminal.read(PROMPT)
    terminal.send("Tell me a story.\r")
    first = terminal.read(r"story\.\r\n(.*?)\d+ tokens, ").group(1)
    terminal.read(PROMPT)
    terminal.send("/regen\r")
    second = terminal.read(r"/regen\r\n(.*?)\d+ tokens, ").group(1)
    terminal.read(PROMPT)
    assert first != second
    terminal.send("/stats\r")
    terminal.read("1 turns")


def test_a_saved_conversation_goes_on(chat, start, tmp_path):
    path = tmp_path / "talk.json"
    chat.send(f"/save {path}\r")
    chat.read("nothing to save")
    chat.read(PROMPT)
    chat.send("/system Answer in one word.\r")
    chat.read(PROMPT)
    chat.send("What is the capital of France?\r")
    chat.read(PROMPT)
    chat.send(f"/save {path}\r")
    chat.read("1 turns saved")
    chat.read(PROMPT)
    saved = json.loads(path.read_text())
    assert [m["role"] for m in saved["messages"]] == ["system", "user", "assistant"]
    assert saved["temperature"] == 0 and saved["max_tokens"] == 1024
    chat.send("And of Italy?\r")
    answer = chat.read(r"Italy\?\r\n(.*?)\d+ tokens, ").group(1)
    again = start("chat", "--exact", "--temperature", "2")
    again.read(PROMPT)
    again.send(f"/load {path}\r")
    again.read("1 turns of .*talk.json")
    again.read(PROMPT)
    again.send("/system\r")
    again.read(r"Answer in one word\.\r\n")
    again.read(PROMPT)
    again.send("And of Italy?\r")
    assert again.read(r"Italy\?\r\n(.*?)\d+ tokens, ").group(1) == answer


BROKEN_CHATS = [
    ("", "not JSON"),
    ("{}", "messages"),
    ('{"messages": [{"role": "assistant", "content": "x"}]}', "in turn"),
    ('{"messages": [{"role": "user", "content": "x"}]}', "in turn"),
    ('{"messages": [{"role": "user", "content": 3}]}', "messages"),
    ('{"messages": [], "temperature": "hot"}', "messages"),
    ('{"messages": [{"role": "system", "content": "x"}], "temperature": "hot"}', "temperature"),
    ("[" * 100000, "nested"),
]


def test_broken_conversations_are_refused(quern, tmp_path):
    for text, named in BROKEN_CHATS:
        path = tmp_path / "talk.json"
        path.write_text(text)
        done = quern("chat", stdin=f"/load {path}\n/stats\n".encode(), expect=2)
        assert named in done.stderr.decode() and "talk.json" in done.stderr.decode(), text
        assert b"0 turns" in done.stdout
    assert b"No such file" in quern("chat", stdin=b"/load /nowhere/talk.json\n", expect=1).stderr


def test_answers_follow_a_schema_for_as_long_as_wanted(chat, tmp_path):
    path = tmp_path / "schema.json"
    path.write_text('{"enum": ["red", "green"]}')
    chat.send(f"/schema {path}\r")
    chat.read("Answers follow")
    chat.read(PROMPT)
    chat.send("What is the capital of France?\r")
    chat.read(r'France\?\r\n"(red|green)"\r\n')
    chat.read(PROMPT)
    chat.send("/schema\r")
    chat.read("free text")
    chat.read(PROMPT)
    path.write_text("{")
    chat.send(f"/schema {path}\r")
    chat.read("not a JSON schema")


def test_ctrl_c_stops_the_answer_not_the_program(chat):
    chat.send("Count from one to one thousand, one number a line, leaving none out.\r")
    chat.read(r"out\.\r\n.*\S{1,}")  # the answer has begun
    chat.send(CTRL_C)
    chat.read(r"\(stopped\)")
    chat.read(PROMPT)
    chat.send("/stats\r")
    chat.read("1 turns")
    chat.read(PROMPT)
    chat.send(CTRL_D)
    assert chat.wait() == 0


def test_ctrl_c_clears_the_line(chat):
    chat.send("half a quest")
    chat.read("half a quest")
    chat.send(CTRL_C)
    chat.read(r"\^C")
    chat.read(PROMPT)
    chat.send("/system\r")  # nothing of the half line is left before it
    chat.read("No system message")
    chat.read(PROMPT)
    chat.send(CTRL_C)  # a line was entered since: this is a first one again
    chat.read("again")
    chat.read(PROMPT)
    chat.send(CTRL_C)
    assert chat.wait() == 0


def test_ctrl_d_leaves(chat):
    chat.send(CTRL_D)
    assert chat.wait() == 0


def test_lines_can_be_edited(chat):
    chat.send("/systex\x7fm\r")  # backspace
    chat.read("No system message")
    chat.read(PROMPT)
    chat.send("ystem\x01/s\r")  # Ctrl-A: to the beginning
    chat.read("No system message")


def test_history_within_and_across_starts(chat, start, tmp_path):
    chat.send("/stats\r")
    chat.read("0 turns")
    chat.read(PROMPT)
    chat.send(ARROW_UP + "\r")
    chat.read("0 turns")
    chat.read(PROMPT)
    chat.send(CTRL_D)
    assert chat.wait() == 0
    history = tmp_path / "state" / "quern" / "history"
    assert history.stat().st_mode & 0o777 == 0o600
    again = start("chat")
    again.read(PROMPT)
    again.send(ARROW_UP + "\r")
    again.read("0 turns")


def test_several_lines_make_one_turn(chat):
    chat.send("/system one\\\r")
    chat.read(r"\. $")
    chat.send("two\r")
    chat.read("begins anew")
    chat.read(PROMPT)
    chat.send('"""/system\r')
    chat.read(r"\. $")
    chat.send('"""\r')
    chat.read("one\r\ntwo")


def test_typed_unicode_arrives_whole(chat):
    chat.send("/system größe 你好 🙂\r")
    chat.read("begins anew")
    chat.read(PROMPT)
    chat.send("/system\r")
    chat.read("größe 你好 🙂\r\n")


def test_unicode_without_a_locale(start):
    terminal = start("chat", LC_ALL="C", LANG="C")
    terminal.read(PROMPT)
    terminal.send("/system größe\r")
    terminal.read("begins anew")
    terminal.read(PROMPT)
    terminal.send("/system\r")
    terminal.read("größe\r\n")


def test_a_resized_terminal_keeps_the_line(chat):
    chat.send("/sys")
    chat.read("/sys")
    chat.resize(60)
    chat.send("tem\r")
    chat.read("No system message")


def test_a_resumed_program_edits_on(chat):
    chat.send("/sys")
    chat.read("/sys")
    os.kill(chat.pid, signal.SIGSTOP)
    os.kill(chat.pid, signal.SIGCONT)
    chat.send("tex\x7fm\r")
    chat.read("No system message")


@pytest.mark.parametrize("environment, coloured", [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours(start, environment, coloured):
    terminal = start("inspect", **environment)
    assert terminal.wait() == 0
    assert ("\x1b[1m" in terminal.text) == coloured


def test_control_characters_of_a_file_do_not_reach_the_terminal(start):
    terminal = start("tokenize", "/nowhere/\x1b[31mred", "--text", "x", NO_COLOR="1")
    assert terminal.wait() == 1
    assert "\x1b" not in terminal.text and "red" in terminal.text


def test_run_on_a_terminal_can_be_stopped(start):
    terminal = start("run", "--raw", "-p", "1, 2, 3, 4, 5,", "--temperature", "0", "-n", "4000")
    terminal.read(r"6, 7")
    terminal.send(CTRL_C)
    assert terminal.wait() == 130


def test_progress_is_drawn_for_long_work_only(start, tmp_path):
    quick = start("tokenize", "--text", "x")
    assert quick.wait() == 0 and "%" not in quick.text
    # 40 runs of a prompt take well over the second before which nothing is drawn.
    slow = start("bench", "-p", "256", "-n", "0", "-r", "40", "--threads", "1")
    slow.read(r"\[#*\.*\] +\d+ %  \w+")
    slow.send(CTRL_C)
    assert slow.wait() == 130


def test_one_question_is_answered(quern):
    done = quern("chat", "What is the capital of France?", "--temperature", "0", "--exact")
    assert b"Paris" in done.stdout and done.stdout.endswith(b"\n")
    assert quern("chat", "-p", "What is the capital of France?", "--temperature", "0", "--exact").stdout == done.stdout


def test_lines_of_a_pipe_are_turns(quern):
    turns = b"What is the capital of France?\n\n/stats\n"
    done = quern("chat", "--temperature", "0", "--exact", stdin=turns)
    assert b"Paris" in done.stdout and b"1 turns" in done.stdout
    assert b"> " not in done.stdout and b"\x1b" not in done.stdout


def test_a_pipe_without_a_final_newline(quern):
    assert b"0 turns" in quern("chat", stdin=b"/stats").stdout


def test_interrupted_run_without_a_terminal(binary, smollm2):
    process = subprocess.Popen(
        [str(binary), "run", "--raw", "-p", "1, 2, 3, 4, 5,", "--temperature", "0", "-n", "4000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.read(1)  # the answer has begun
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert out.endswith(b"\n")
