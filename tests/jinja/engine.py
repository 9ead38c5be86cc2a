"""Both sides of the comparison as programs that stay: Quern's jinja_render and workers of jinja2 (reference.py).

A case is a dict: "template", and if it needs them "messages", "tools", "documents", "kwargs" (JSON, as text), "bos",
"eos", "now", "add_generation_prompt". An answer is {"text": ...}, {"error": ..., "message": ...}, {"open": why}, or
{"crash": why} where a program ended or did not answer.
"""

import json
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import reference

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]

# What a program may take for one case. Quern renders a template up to a hundred times to find what was typed.
SECONDS = 20.0


def quern_program():
    program = Path(os.environ.get("QUERN_BIN", REPOSITORY / "build" / "bin" / "quern")).parent / "jinja_render"
    if not os.access(program, os.X_OK):
        raise FileNotFoundError(f"no program at {program}: run ./dev build, or set QUERN_BIN")
    return [str(program)]


def reference_program(python=sys.executable):
    return [str(python), str(HERE / "reference.py")]


class Program:
    """One case in, one answer out; started again when it ended."""

    def __init__(self, command, seconds=SECONDS):
        self.command, self.seconds, self.process = command, seconds, None

    def start(self):
        environment = dict(os.environ, TZ="UTC", PYTHONHASHSEED="random")
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self.rest = b""

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def send(self, case):
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write(json.dumps(case).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # receive() sees that it ended

    def receive(self):
        until = time.monotonic() + self.seconds
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))
            block = os.read(self.process.stdout.fileno(), 1 << 20) if ready else b""
            if not block:
                why = f"exit code {self.process.wait()}" if ready else f"no answer within {self.seconds:.0f} s"
                self.stop()
                return {"crash": why}
            self.rest += block
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)


class Pair:
    """Quern and jinja2, asked the same at the same time."""

    def __init__(self):
        self.quern = Program(quern_program())
        self.jinja2 = Program(reference_program(), seconds=2 * reference.SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.quern.stop()
        self.jinja2.stop()

    def answers(self, case):
        """(jinja2's, Quern's)"""
        self.jinja2.send(case)
        self.quern.send(case)
        got, want = self.quern.receive(), self.jinja2.receive()
        if "crash" in want:  # the alarm does not stop a long step of C code
            want = {"open": "time"}
        return want, got


# What a comparison can say. The first two are right, the next one is right where it is declared.
SAME, OPEN, REFUSED = "same", "open", "refused"
DIFFERS, RENDERS, FAILS, CRASHES = "differs", "renders", "fails", "crashes"
SILENT = (DIFFERS, RENDERS)  # nobody would notice


# What Rust says where a bug stopped it; while parsing, it has the code of a template that is no good.
PANIC = re.compile(r"out of (bounds|range for slice)|attempt to |`\w+::\w+\(\)`|char boundary|byte index|already borrowed")


# What is not there is unsupported too; but jinja2 has it, where it renders a text.
MISSING = re.compile(r"UndefinedError|there is no (filter|test)")


def is_told(want, message):
    """The words of raise_exception reach the user. That a filter block gave no text, Quern finds out before jinja2."""
    words = want["message"]
    if want["error"] != "TemplateError" or reference.ADDRESS.search(words):
        return True
    return words in message or "expected str instance" in message


def verdict(want, got):
    """Equal texts, or both an error. Where jinja2's text depends on an address, an error alone is right; on chance, any text too."""
    if "crash" in got or got.get("error") == "internal" or PANIC.search(got.get("message", "")):
        return CRASHES
    if want.get("open") in reference.SLOW:
        return OPEN
    if want.get("open") == "chance" and "text" in got:
        return SAME
    refuses = got.get("error") in ("unsupported", "out of memory") and not MISSING.search(got["message"])
    if "open" in want or "error" in want:
        if "text" in got:
            return RENDERS
        return SAME if "open" in want or is_told(want, got["message"]) else REFUSED if refuses else DIFFERS
    if "text" in got:
        return SAME if got["text"] == want["text"] else DIFFERS
    return REFUSED if refuses else FAILS
