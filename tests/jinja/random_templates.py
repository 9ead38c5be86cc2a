"""Random templates, conversations and variables, the same for the same seed on every Python; and mutated ones."""

import json
import random
import re

from random_expressions import KEYS, KINDS, WORDS, Expressions

TEXTS = ["a", " b ", "\n", "  \n", "\n\n", "\t", "é😀", "<|im_start|>", "{ ", "} ", "% ", "# ", " ", "x\r\ny", "\n  ", "", "", "-", "\n "]
OPEN, CLOSE = ["{% "] * 8 + ["{%- ", "{%-", "{%+ ", "{%"], [" %}"] * 8 + [" -%}", "-%}", " +%}", "%}"]


class Templates(Expressions):
    def __init__(self, generator, names):
        super().__init__(generator)
        self.names = dict(names)
        self.count = 0
        self.in_macro = False
        self.blocks = 0

    def tag(self, text):
        return self.one_of(OPEN) + text + self.one_of(CLOSE)

    def fresh(self):
        self.count += 1
        return f"v{self.count}" if self.chance(0.7) else self.one_of(["x", "y", "item", "content", *list(self.names)[:3]])

    def body(self, depth, most=4):
        """Statements in a scope: what they name may be read after it too, which is one of the things to compare."""
        return "".join(self.statement(depth) for _ in range(1 + self.random.randrange(most)))

    def scoped(self, depth, names=(), loop=False, most=3):
        before, in_loop = dict(self.names), self.in_loop
        self.names.update(names)
        self.in_loop = self.in_loop or loop
        text = self.body(depth, most)
        if self.chance(0.7):
            self.names = before
        self.in_loop = in_loop
        return text

    def statement(self, depth):
        if depth <= 0 or self.chance(0.3):
            return self.one_of([self.text, self.output, self.output])()
        return self.one_of(STATEMENTS)(self, depth - 1)

    def text(self):
        return self.one_of(TEXTS) + self.one_of(TEXTS)

    def output(self):
        begin, end = self.one_of(["{{ "] * 6 + ["{{- ", "{{"]), self.one_of([" }}"] * 6 + [" -}}", "}}"])
        text = self.expression("any", 3)
        return ("{{ " if begin == "{{" and text[:1] in "{-+" else begin) + text + (" }}" if text[-1:] == "}" else end)

    def condition(self, depth):
        text = self.tag("if " + self.expression("bool", 2)) + self.body(depth)
        if self.chance(0.3):
            text += self.tag("elif " + self.expression("any", 2)) + self.body(depth, 2)
        if self.chance(0.5):
            text += self.tag("else") + self.body(depth, 2)
        return text + self.tag("endif")

    def loop(self, depth):
        name, values = self.fresh(), self.expression(self.one_of(["list", "list", "list", "dict", "str", "any"]), 2)
        target, names = name, {name: self.one_of(KINDS)}
        if self.chance(0.25):
            other = self.fresh()
            target, names = f"{name}, {other}", {name: "str", other: self.one_of(KINDS)}
            values = self.one_of([self.expression("dict", 1) + ".items()", f"[({self.arguments(2)}), 'ab']", f"({values})|batch(2)"])
        if " if " in values:
            values = f"({values})"
        where = " if " + self.scoped_test(names) if self.chance(0.2) else ""
        recursive = self.chance(0.06)
        inner = self.scoped(depth, names, loop=True)
        if recursive:
            inner += self.tag("if loop.depth < 3 and " + self.expression("bool", 1))
            inner += "{{ loop(" + self.expression("list", 1) + ") }}" + self.tag("endif")
        text = self.tag(f"for {target} in {values}{where}{' recursive' if recursive else ''}") + inner
        if self.chance(0.15):
            text += self.tag("else") + self.body(depth, 2)
        return text + self.tag("endfor")

    def scoped_test(self, names):
        before = self.names
        self.names = {**before, **names}
        text = self.expression("bool", 1)
        self.names = before
        return text

    def leave_loop(self, depth):
        if not self.in_loop and not self.chance(0.02):
            return self.output()
        return self.tag("if " + self.expression("bool", 1)) + self.tag(self.one_of(["break", "continue"])) + self.tag("endif")

    def assignment(self, depth):
        name, kind = self.fresh(), self.one_of(KINDS)
        value = self.expression(kind, 3)
        self.names[name] = kind
        if self.chance(0.1):
            other = self.fresh()
            self.names[other] = "any"
            return self.tag(f"set {name}, {other} = {value}, {self.expression('any', 1)}")
        return self.tag(f"set {name} = {value}")

    def block_assignment(self, depth):
        name = self.fresh()
        filters = self.one_of(["", "", "|upper", "|trim", " | replace('a', 'b')", "|length"])
        text = self.tag(f"set {name}{filters}") + self.scoped(depth, most=2) + self.tag("endset")
        self.names[name] = "str"
        return text

    def namespace(self, depth):
        known = self.of_kind("namespace")
        if known and self.chance(0.7):
            return self.tag(f"set {self.one_of(known)}.{self.one_of(['a', 'b', 'name'])} = {self.expression('any', 2)}")
        name = self.one_of(["ns", "ns2"])
        self.names[name] = "namespace"
        given = self.one_of(["", f"a={self.expression('any', 1)}", f"a=0, b={self.expression('list', 1)}"])
        return self.tag(f"set {name} = namespace({given})")

    def macro(self, depth):
        name, count = self.one_of(["m1", "m2", "m3"]), self.random.randrange(3)
        written = []
        for i in range(count):
            default = f"={self.expression('any', 1)}" if self.chance(0.3) or (written and "=" in written[-1]) else ""
            written.append(f"p{i}{default}")
        before, macros, in_loop = dict(self.names), dict(self.macros), self.in_loop
        self.macros = {known: n for known, n in macros.items() if known < name}  # no recursion without end
        self.in_loop = False
        self.names.update({f"p{i}": self.one_of(KINDS) for i in range(count)})
        inner = self.body(depth, 3)
        if self.chance(0.3):
            inner += "{{ " + self.one_of(["varargs", "kwargs", "caller is defined", "caller() if caller", "varargs|length"]) + " }}"
        self.names, self.macros, self.in_loop = before, {**macros, name: count}, in_loop
        return self.tag(f"macro {name}({', '.join(written)})") + inner + self.tag("endmacro")

    def call_block(self, depth):
        if not self.macros:
            return self.output()
        parameters = self.one_of(["", "", "(q)", "(q, r=1)"])
        return self.tag(f"call{parameters} {self.macro_call()}") + self.scoped(depth, {"q": "any"}, most=2) + self.tag("endcall")

    def filter_block(self, depth):
        chosen = self.one_of(["upper", "trim", "replace('a', 'b')", "indent(2)", "lower|title", "length", "escape", "tojson", "wordcount"])
        return self.tag("filter " + chosen) + self.scoped(depth, most=2) + self.tag("endfilter")

    def with_block(self, depth):
        name = self.fresh()
        given = self.one_of(["", f"{name} = {self.expression('any', 2)}", f"{name} = 1, y = {self.expression('any', 1)}"])
        return self.tag("with " + given) + self.scoped(depth, {name: "any"}) + self.tag("endwith")

    def raw(self, depth):
        inner = self.one_of(["{{ x }}", "{% if %}", "\n a \n", "{#", ""])
        return self.one_of(["{% raw %}", "{%- raw -%}", "{%+ raw%}"]) + inner + self.one_of(["{% endraw %}", "{%- endraw -%}", "{% endraw +%}"])

    def comment(self, depth):
        return self.one_of(["{#", "{#-"]) + self.one_of(["", " x ", "\n", " {{ 1 }} ", "{% if %}"]) + self.one_of(["#}", "-#}"])

    def block(self, depth):
        self.blocks += 1
        name, scoped = f"b{self.blocks}", self.one_of(["", " scoped"])
        in_loop, self.in_loop = self.in_loop, False
        text = self.tag(f"block {name}{scoped}") + self.scoped(depth, most=2) + self.tag("endblock")
        self.in_loop = in_loop
        return text + ("{{ self." + name + "() }}" if self.chance(0.3) else "")

    def escaping(self, depth):
        return self.tag("autoescape " + self.one_of(["true", "false"])) + self.scoped(depth, most=3) + self.tag("endautoescape")

    def generation(self, depth):
        return self.tag("generation") + self.scoped(depth, most=2) + self.tag("endgeneration")

    def messages(self, depth):
        inner = self.scoped(depth, {"message": "dict"}, loop=True)
        return self.tag("for message in messages") + inner + self.tag("endfor")

    def error(self, depth):
        return self.tag("if " + self.expression("bool", 2)) + "{{ raise_exception(" + self.expression("str", 1) + ") }}" + self.tag("endif")


T = Templates
STATEMENTS = [T.condition] * 4 + [T.loop] * 5 + [T.assignment] * 5 + [T.macro] * 2 + [T.messages, T.namespace, T.namespace]
STATEMENTS += [T.block_assignment, T.call_block, T.filter_block, T.with_block, T.raw, T.comment, T.block, T.escaping]
STATEMENTS += [T.generation, T.leave_loop, T.leave_loop, T.error]


def json_value(generator, depth=2):
    one_of = generator.choice
    kind = generator.randrange(8 if depth else 5)
    if kind == 0:
        return "".join(one_of(WORDS) for _ in range(generator.randrange(3)))
    if kind == 1:
        return one_of([0, 1, -3, 42, 2**40, 10**20])
    if kind == 2:
        return one_of([0.5, 2.5, -1.0, 1e20, 0.1])
    if kind in (3, 4):
        return one_of([True, False, None])
    if kind in (5, 6):
        return [json_value(generator, depth - 1) for _ in range(generator.randrange(4))]
    return {one_of(KEYS): json_value(generator, depth - 1) for _ in range(generator.randrange(4))}


KIND_OF = {str: "str", int: "int", float: "float", bool: "bool", list: "list", dict: "dict", type(None): "none"}


def conversation(generator):
    messages = []
    for _ in range(generator.randrange(5)):
        message = {"role": generator.choice(["system", "user", "assistant", "tool"])}
        message["content"] = json_value(generator) if generator.random() < 0.2 else generator.choice(WORDS) + generator.choice(WORDS)
        if generator.random() < 0.15:
            message[generator.choice(["reasoning_content", "thinking", "reasoning"])] = generator.choice(["why", None, "", "né"])
        if generator.random() < 0.15:
            message["tool_calls"] = [{"id": "1", "function": {"name": "f", "arguments": {"a": json_value(generator)}}}]
        messages.append(message)
    return messages


def text_of(value):
    return json.dumps(value, ensure_ascii=False)


def grown(seed):
    """A case written from scratch."""
    generator = random.Random(f"grown {seed}")
    given = {name: json_value(generator) for name in ("a", "b", "c", "d", "text", "items", "é")}
    given.update(words=[generator.choice(WORDS) for _ in range(3)], record={key: json_value(generator, 1) for key in KEYS[:4]}, n=generator.randrange(5))
    names = {name: KIND_OF[type(value)] for name, value in given.items()}
    templates = Templates(generator, {**names, "words": "list", "record": "dict", "n": "int"})
    source = templates.body(2, 4)
    case = {"template": source, "messages": text_of(conversation(generator)), "kwargs": text_of(given), "now": 1721952000}
    if generator.random() < 0.3:
        case["tools"] = text_of([{"type": "function", "function": {"name": "f", "parameters": json_value(generator)}}])
    case["add_generation_prompt"] = generator.random() < 0.5
    return case


TOKEN = re.compile(r"\{%[-+]?|[-+]?%\}|\{\{-?|-?\}\}|\{#-?|-?#\}|'[^'\n]*'|\"[^\"\n]*\"|\w+|\s+|\*\*|//|[=!<>]=|.", re.DOTALL)


def tokens(source):
    return TOKEN.findall(source)


def mutated(seed, cases):
    """One of the cases with some of its tokens taken away, repeated, moved or taken from another one."""
    generator = random.Random(f"mutated {seed}")
    case = dict(generator.choice(cases))
    parts = tokens(case["template"])
    for _ in range(1 + generator.randrange(3)):
        if not parts:
            break
        at, other = generator.randrange(len(parts)), generator.randrange(len(parts))
        way = generator.randrange(5)
        if way == 0:
            del parts[at]
        elif way == 1:
            parts.insert(at, parts[at])
        elif way == 2:
            parts[at], parts[other] = parts[other], parts[at]
        elif way == 3:
            foreign = tokens(generator.choice(cases)["template"])
            parts[at : at + generator.randrange(2)] = [generator.choice(foreign)] if foreign else []
        else:
            parts.insert(other, parts[at])
    return {**case, "template": "".join(parts)}
