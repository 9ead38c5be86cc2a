"""What jinja2 renders: chat templates in the environment that transformers gives them.

As a program it is a worker: it reads the lines that jinja_render reads (engine.py says what is in them) and writes one
line each, {"text": ...}, {"error": class, "message": ...} or {"open": why} where the result says nothing: it took too
long or too much memory, or it depends on an address or on chance. Which of the last two it was is said too, since
there Quern must refuse.
"""

import contextlib
import json
import random
import re
import resource
import signal
import sys
import warnings
from datetime import datetime, timezone

import jinja2
import jinja2.ext
import jinja2.filters
import jinja2.nodes
import jinja2.sandbox
import jinja2.utils

SECONDS = 2.0
MEMORY_BYTES = 1 << 30

# Why a result is open. Of the first kind Quern may say anything, of the second it may render nothing.
SLOW = ("time", "memory", "recursion")
UNDETERMINED = ("address", "chance", "surrogate")

ADDRESS = re.compile(r"0x[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)  # of Linux on 64 bits


class OutOfTime(BaseException):
    """Not an Exception: nothing in jinja2 may catch it."""


class Generation(jinja2.ext.Extension):
    """{% generation %}: a call block, as transformers' AssistantTracker makes it."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_written"), [], [], body).set_lineno(line)

    def _written(self, caller):
        return caller()


class Dict:
    """transformers' `dict`: no type, so nothing is reached by its attributes."""

    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


def checked_name(name):
    if isinstance(name, str) and name.startswith("_"):
        raise jinja2.exceptions.SecurityError(f"a namespace has no attribute {name!r}")


class Namespace(jinja2.utils.Namespace):
    """transformers' `namespace`: no attribute begins with an underscore."""

    __module__ = "transformers.utils.chat_template_utils"
    __qualname__ = "_cached_compile_jinja_template.<locals>.TemplateNamespace"

    def __init__(*args, **kwargs):  # no parameter named self: namespace(self=1) is right
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            checked_name(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        checked_name(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


class Chance:
    """Notes whether a rendering depended on random numbers."""

    def __init__(self):
        self.used = False
        jinja2.filters.random = self
        jinja2.utils.choice, jinja2.utils.randrange = self.choice, self.randrange

    def choice(self, items):
        self.used = self.used or len(items) > 1
        return random.choice(items)

    def randrange(self, *args):
        self.used = True
        return random.randrange(*args)


def environment(now):
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols], cache_size=0
    )

    def strftime_now(format):
        return datetime.fromtimestamp(now, timezone.utc).replace(tzinfo=None).strftime(format)

    made.filters["tojson"] = tojson
    made.globals.update(
        raise_exception=raise_exception, strftime_now=strftime_now, dict=Dict(), namespace=Namespace
    )
    return made


REASONING = ("reasoning_content", "thinking", "reasoning")


def with_reasoning(message):
    """Reasoning under the names that templates read, as transformers fills them."""
    found = next((message[name] for name in REASONING if message.get(name) is not None), None)
    return message if found is None else {"thinking": found, **message, "reasoning_content": found}


def variables(case):
    def field(name):
        return json.loads(case[name]) if case.get(name) else None

    messages, tools, documents = json.loads(case.get("messages", "[]")), field("tools"), field("documents")
    for what in (messages, tools or [], documents or []):
        for item in what:
            if not isinstance(item, dict):
                raise TypeError("messages, tools and documents are objects")
    special = {f"{name}_token": case[name] for name in ("bos", "eos") if case.get(name)}
    rest = {"add_generation_prompt": case.get("add_generation_prompt", True), "tools": tools, "documents": documents}
    return {**special, **(field("kwargs") or {}), **rest, "messages": [with_reasoning(m) for m in messages]}


def ring(*_):
    raise OutOfTime()


@contextlib.contextmanager
def alarm(seconds):
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def outcome(case, chance):
    """One rendering; a line to write."""
    chance.used = False
    try:
        with alarm(SECONDS):
            text = environment(case.get("now", 0)).from_string(case["template"]).render(**variables(case))
    except OutOfTime:
        return {"open": "time"}
    except MemoryError:
        return {"open": "memory"}
    except RecursionError:
        return {"open": "recursion"}
    except SyntaxError as e:  # of the Python code that jinja2 makes
        nested = str(e).startswith("too many")
        return {"open": "recursion"} if nested else {"error": type(e).__name__, "message": str(e)}
    except Exception as e:  # what a template raises is jinja2's, Python's or its own
        message = str(e).encode("utf-8", "replace").decode()
        return {"open": "chance"} if chance.used else {"error": type(e).__name__, "message": message[:500]}
    if chance.used:
        return {"open": "chance"}
    if ADDRESS.search(text):
        return {"open": "address"}
    try:
        text.encode()
    except UnicodeEncodeError:
        return {"open": "surrogate"}
    return {"text": text}


def main():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warnings.simplefilter("ignore")  # of the Python code that jinja2 makes: "1 is not callable"
    chance = Chance()
    for line in sys.stdin:
        print(json.dumps(outcome(json.loads(line), chance)), flush=True)


if __name__ == "__main__":
    main()
