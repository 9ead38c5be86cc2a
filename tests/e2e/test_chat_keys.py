"""Keys and pastes at the prompt of `quern chat`, as terminals send them, under a pseudo-terminal.
The parser's whole table is in src/cli/key_parser_test.cc; here is what reaches the conversation."""

import json
import os
import select
import signal
import time

import pytest

from terminal import ARROW_UP, CTRL_C, CTRL_D, Terminal

PROMPT = r"> (?:\x1b\[[0-9;?]*[a-zA-Z])*$"
PASTE, PASTED = "\x1b[200~", "\x1b[201~"


@pytest.fixture(scope="module")
def start(binary, smollm2, tmp_path_factory):
    running = []

    def begin(*arguments, command=None, **extra):
        folder = tmp_path_factory.mktemp("state")
        environment = dict(os.environ, TERM="xterm", XDG_STATE_HOME=str(folder), NO_COLOR="1")
        environment.update(extra)
        terminal = Terminal(command or [str(binary), "chat", "--exact", *map(str, arguments)], environment)
        running.append(terminal)
        if not command:
            terminal.read(PROMPT)
        return terminal

    yield begin
    for terminal in running:
        terminal.__exit__()


@pytest.fixture(scope="module")
def chat(start):
    """One conversation for tests that leave it at an empty prompt."""
    return start("-n", "2")


# Sent within a command, which stays what it is.
NO_MEANING = {
    **{f"F{n}": f"\x1bO{c}" for n, c in zip(range(1, 5), "PQRS")},
    **{
        f"F{n}": f"\x1b[{code}~"
        for n, code in zip(range(5, 25), (15, 17, 18, 19, 20, 21, 23, 24, 25, 26, 28, 29, 31, 32, 33, 34, 42, 43, 44, 45))
    },
    "Shift-F3": "\x1b[1;2R",
    "Ctrl-F5": "\x1b[15;5~",
    "F1 of the Linux console": "\x1b[[A",
    "page up": "\x1b[5~",
    "page down": "\x1b[6~",
    "insert": "\x1b[2~",
    "Shift-Tab": "\x1b[Z",
    "Ctrl-left": "\x1b[1;5D",
    "Ctrl-right": "\x1b[1;5C",
    "Shift-up": "\x1b[1;2A",
    "Alt-down": "\x1b[1;3B",
    "Ctrl-left of rxvt": "\x1bOd",
    "Shift-right of rxvt": "\x1b[c",
    "Ctrl-Delete": "\x1b[3;5~",
    "Alt-q": "\x1bq",
    "Alt-x": "\x1bx",
    "Alt-.": "\x1b.",
    "Alt-ö": "\x1bö",
    "cursor position": "\x1b[12;40R",
    "device attributes": "\x1b[?64;1;2;6;22c",
    "secondary attributes": "\x1b[>41;354;0c",
    "focus in": "\x1b[I",
    "focus out": "\x1b[O",
    "window size": "\x1b[8;24;80t",
    "mode report": "\x1b[?2026;2$y",
    "colour (BEL)": "\x1b]11;rgb:0000/0000/0000\x07",
    "colour (ST)": "\x1b]11;rgb:0000/0000/0000\x1b\\",
    "clipboard": "\x1b]52;c;aGVsbG8=\x07",
    "terminal's version": "\x1bP>|xterm(390)\x1b\\",
    "APC": "\x1b_Gi=31;OK\x1b\\",
    "PM": "\x1b^text\x1b\\",
    "SOS": "\x1bXtext\x1b\\",
    "mouse, SGR": "\x1b[<0;10;20M",
    "mouse, X10": "\x1b[M !!",
    "kitty, a": "\x1b[97u",
    "kitty, Ctrl-a": "\x1b[97;5u",
    "kitty, Enter": "\x1b[13;2u",
    "modifyOtherKeys": "\x1b[27;5;13~",
    "C1 CSI": "\x9b15~",
    "stray end of a paste": PASTED,
}


@pytest.mark.parametrize("key", NO_MEANING)
def test_keys_without_meaning_leave_nothing(chat, key):
    chat.send("/sys" + NO_MEANING[key] + "tem\r")
    chat.read("No system message")
    chat.read(PROMPT)


MEANING = {
    "Home": "ystem\x1b[H/s\r",
    "Home of VT220": "ystem\x1b[1~/s\r",
    "Home of rxvt": "ystem\x1b[7~/s\r",
    "Home, application": "ystem\x1bOH/s\r",
    "End": "/syst\x1b[H\x1b[Fem\r",
    "End of VT220": "/syst\x01\x1b[4~em\r",
    "End, application": "/syst\x01\x1bOFem\r",
    "left": "/sysem\x1b[D\x1b[Dt\r",
    "left, application": "/sysem\x1bOD\x1bODt\r",
    "right": "/systm\x01" + "\x1b[C" * 5 + "e\r",
    "Delete": "/sysxtem\x1b[D\x1b[D\x1b[D\x1b[D\x1b[3~\r",
    "Alt-b": "system\x1bb/\r",
    "Alt-Backspace": "/system\x1b\x7fsystem\r",
}


@pytest.mark.parametrize("key", MEANING)
def test_keys_with_meaning(chat, key):
    chat.send(MEANING[key])
    chat.read("No system message")
    chat.read(PROMPT)


def test_a_sequence_may_come_in_pieces(chat):
    for part in ("/sys", "\x1b", "[", "1", "5", "~", "tem", "\x1b", "]11;rgb:", "0/0/0", "\x1b", "\\", "\r"):
        chat.send(part)
        time.sleep(0.05)
    chat.read("No system message")
    chat.read(PROMPT)


def test_the_escape_key_alone_is_over_after_a_while(chat):
    chat.send("/sys\x1b")
    time.sleep(1)
    chat.send("tem\r")
    chat.read("No system message")
    chat.read(PROMPT)


def test_characters_may_come_in_pieces(start):
    chat = start()
    for byte in "/system größe 你好 🙂\r".encode():
        os.write(chat.fd, bytes([byte]))
        time.sleep(0.01)
    chat.read("begins anew")
    chat.read(PROMPT)
    chat.send("/system\r")
    chat.read("größe 你好 🙂\r\n")


def test_delete_at_an_empty_prompt_does_not_leave(chat):
    chat.send("\x1b[3~/system\r")
    chat.read("No system message")
    chat.read(PROMPT)


def test_keys_end_a_search_of_the_history(chat):
    chat.send("/system\r")
    chat.read("No system message")
    chat.read(PROMPT)
    chat.send("\x12sys\x1b[H\x1b[F\x1b[15~\r")
    chat.read("No system message")
    chat.read(PROMPT)


# What is pasted, and the message it makes.
PASTES = {
    "a line": ("one", "one"),
    "two lines": ("one\rtwo", "one\ntwo"),
    "newlines": ("one\ntwo\n\nthree", "one\ntwo\n\nthree"),
    "of Windows": ("one\r\ntwo\r\n", "one\ntwo"),
    "a final newline": ("one\rtwo\r", "one\ntwo"),
    "tabs": ("a\tb\r\tc", "a\tb\n\tc"),
    "controls": ("a\x01\x03\x04\x15\x17\x1a\x1c\x7fb", "ab"),
    "colours": ("\x1b[31mred\x1b[0m\rplain", "red\nplain"),
    "arrows": ("a\x1b[Ab", "ab"),
    "text beyond ASCII": ("größe\r你好 🙂", "größe\n你好 🙂"),
    "thirty lines": ("\r".join(f"line {i}" for i in range(60)), "\n".join(f"line {i}" for i in range(60))),
}



@pytest.mark.parametrize("case", PASTES)
def test_a_paste_is_one_message(start, tmp_path, case):
    pasted, message = PASTES[case]
    path = tmp_path / "talk.json"
    chat = start("-n", "1")
    chat.send("/system " + PASTE + pasted + PASTED + "\r")
    chat.read("begins anew")
    chat.read(PROMPT)
    chat.send(PASTE + "Hello\rthere" + PASTED + "\r")
    chat.read(r"1 tokens")
    chat.read(PROMPT)
    chat.send(f"/save {path}\r")
    chat.read("1 turns saved")
    messages = json.loads(path.read_text())["messages"]
    assert [m["content"] for m in messages[:2]] == [message, "Hello\nthere"]


def test_a_paste_can_be_edited_and_is_one_entry_of_the_history(start):
    chat = start("-n", "1")
    chat.send("/sys" + PASTE + "tem x\ry" + PASTED + "\x7fz\r")
    chat.read("begins anew")
    chat.read(PROMPT)
    chat.send("/system\r")
    chat.read("x\r\nz\r\n")
    chat.read(PROMPT)
    chat.send("/reset\r")
    chat.read(PROMPT)
    chat.send(ARROW_UP * 3 + "\x7fw\r")
    chat.read("begins anew")
    chat.read(PROMPT)
    chat.send("/system\r")
    chat.read("x\r\nw\r\n")


def test_a_paste_of_a_megabyte(start, tmp_path):
    chat = start("-n", "1", "--context", "64")
    text = "".join(f"Line {i} of a long text that somebody pasted.\r" for i in range(22_000))
    data = ("/system " + PASTE + text + PASTED + "\r").encode()
    assert len(data) > 1_000_000
    while data:
        readable, writable, _ = select.select([chat.fd], [chat.fd], [], 60)
        assert readable or writable
        if readable:
            chat._more(time.monotonic())
        if writable:
            data = data[os.write(chat.fd, data[:4096]) :]
    chat.read("begins anew")


def test_pastes_are_marked_from_the_first_prompt_to_the_end(start):
    chat = start("-n", "1")
    chat.send("/stats\r")
    chat.read("0 turns")
    chat.send("Hello\r")
    chat.read("1 tokens")
    chat.send(CTRL_C)
    chat.read("again")
    assert chat.text.count("\x1b[?2004h") == 1 and "\x1b[?2004l" not in chat.text
    chat.send(CTRL_D)
    assert chat.wait() == 0
    assert chat.text.count("\x1b[?2004h") == chat.text.count("\x1b[?2004l") == 1


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_leaves_the_terminal_as_it_was(start, end):
    chat = start()
    os.kill(chat.pid, end)
    assert chat.wait() == -end
    assert chat.text.endswith("\x1b[?2004l")


def test_a_terminal_without_sequences_gets_none(start):
    chat = start(TERM="dumb")
    chat.send("/stats\r")
    chat.read("0 turns")
    assert "2004" not in chat.text


def test_a_suspended_program_edits_on(start, binary):
    shell = start(command=["/bin/sh", "-i"], PS1="$ ")
    shell.read(r"\$ ")
    shell.send(f"{binary} chat --exact\r")
    shell.read(r"\x1b\[\?2004h")
    shell.read(PROMPT)
    shell.send("/sys")
    shell.read("/sys")
    shell.send("\x1a")
    shell.read(r"\x1b\[\?2004l")
    shell.read(r"\$ ")
    shell.send("fg\r")
    shell.read(r"\x1b\[\?2004h")
    shell.send(PASTE + "tem a\rb" + PASTED + "\r")
    shell.read("begins anew")
    shell.read(PROMPT)
    shell.send("/system\r")
    shell.read("a\r\nb\r\n")
