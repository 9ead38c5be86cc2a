#!/usr/bin/env python3
"""Writes rust/text/src/jinja/values_test.json: templates over random values, and what jinja2 renders of them.

    python3.11 tests/reference/jinja_values.py > rust/text/src/jinja/values_test.json          (needs jinja2 3.1.6)
    python3.11 tests/reference/jinja_values.py --seed 7 --rows 5000 --kinds percent,time       any number of other rows

A row is [kind, template, variables, now, text]; the text is null where jinja2 raises. tests/jinja/reference.py renders.
"""

import argparse
import json
import os
import random
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "jinja"))

NOW = 1721952000
CHARACTERS = "abcXYZ 019_-.,:;!?'\"\\/()[]{}<>&%#@\n\t\r\x0b\x1c\x85\xa0éßŉΣσςİıſǆǅﬁ😀٣²½Ⅷ\u2028\u200b\u0301K\u1e9e\u3000ªͅ"
EDGES = [2**31, 2**53, 2**63, -(2**63), 2**64, 10**22, 10**30, -(10**40), 3**200, 2**1024, 10**308]
FLOATS = [0.0, -0.0, 0.5, 1.5, 2.5, -0.5, 1e15, 1e16, 1e17, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308, 0.1, 2.675, 1e22]
WORDS = ["foo", "bar-baz", "a", "well-known--thing", "--", "x--y", "long" * 6, "it's", "(par)", "-dash", "dash-", "a-b-c"]
DIRECTIVES = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ%EOfqQ1+"
ADDRESSES = ["http://a.com", "https://www.x.org/p?q=1#f", "www.foo.de", "foo.com", "x@y.com", "mailto:me@x.org", "(b.net)"]
ADDRESSES += ["http://1.2.3.4:80/", "http://[::1]/", "ftp://a.b", "xn--a.com", "a..com", "<x.com>", "HTTP://A.COM", "tel:123"]
TAGS = ["<b>", "</b>", "<!-- c -->", "<!-- x", "<", "&amp;", "&#65;", "&#x41;", "&eacute", "&notit;", "&#0;", "&#128;"]
TAGS += ["&#xD800;", "&nbsp;", "&", "a b", "\n x ", "é", ">", "&#;", "&unknown;"]
UNARY = "capitalize casefold expandtabs isalnum isalpha isdecimal isdigit isidentifier islower isnumeric isprintable"
UNARY += " isspace istitle isupper lower lstrip rsplit rstrip split splitlines strip swapcase title upper"
TEXT_FILTERS = "title capitalize upper lower trim wordcount reverse length urlencode escape forceescape striptags list"
ON_TEXT = """s.count(t) s.count(t,n,m) s.find(t,n,m) s.rfind(t) s.index(t) s.startswith(t,n,m) s.endswith((t,'a'))
s.split(t) s.split(t,n) s.rsplit(t,n) s.split(none,n) s.rsplit(none,n) s.replace(t,'--') s.replace(t,'é',n) s.strip(t)
s.center(n) s.ljust(n,'*') s.rjust(n) s.zfill(n) s.expandtabs(n) s.partition(t) s.rpartition(t) s.removeprefix(t)
s.splitlines(true) s[n] s[n:m] s[::n] s[n:m:k] t.join(s) s.translate({97:'x',98:none,233:n}) s*2~t s<t
s|truncate(n+25) s|truncate(5,true,'..',0) s|truncate(9,false,'.',1) s|center(n) s|indent(n,true,true) s|indent(t)
s|replace(t,'x',n) s|trim(t) s|wordwrap(5) s|first s|last s|batch(3)|list s|slice(3)|list""".split()
ON_LISTS = """v|sort v|sort(true) v|sort(case_sensitive=true) v|sort(attribute='a') v|sort(attribute='b.c.0,a') v|min v|max
v|max(attribute='a') v|sum v|sum(attribute='a') v|unique|list v|unique(attribute='a')|list v|groupby('a') v|groupby(1)
v|groupby('zz',default='x') v|join(',') v|join('-',attribute='a') v|map(attribute='b.c.1')|list v|map('upper')|list
v|map(attribute='zz',default=3)|list v|map('int')|list v|select('odd')|list v|reject('string')|list v|select|list
v|selectattr('a','gt',0)|list v|rejectattr('b')|list v|select('in',[1,'a'])|list v|reverse|list v|last v|batch(2,'x')|list
v|slice(3,'x')|list (v+v)|unique|list|length v[::-1] v.index(v[0]) v.count(v[0]) v<v[1:] v|pprint v|urlencode dict(v)
v[0]|items|list v[0]|dictsort(by='value') v[0].keys()|list v[0].get('a','z')""".split()


class Cases:
    """Each method but `case` and those of values makes one template and its variables."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *choices):
        return self.random.choice(choices)

    def some(self, choices, most, glue=""):
        return glue.join(self.random.choice(choices) for _ in range(self.random.randrange(most)))

    def number(self):
        r = self.random
        return self.pick(
            lambda: r.randrange(-10, 11),
            lambda: r.randrange(-(10**6), 10**6),
            lambda: r.choice(EDGES) + r.randrange(-2, 3),
            lambda: r.choice(FLOATS),
            lambda: r.uniform(-1000, 1000),
            lambda: r.uniform(-1, 1) * 10 ** r.randrange(-300, 300),
            lambda: round(r.uniform(-100, 100), r.randrange(4)),
            lambda: r.choice([True, False]),
        )()

    def value(self, depth=0):
        kind = self.random.randrange(12)
        if depth > 2 or kind < 5:
            return self.number() if self.random.random() < 0.5 else self.some(CHARACTERS, 12)
        if kind == 5:
            return None
        if kind < 9:
            return [self.value(depth + 1) for _ in range(self.random.randrange(5))]
        return {self.some(CHARACTERS, 5): self.value(depth + 1) for _ in range(self.random.randrange(4))}

    def items(self):
        count = range(self.random.randrange(7))
        return self.pick(
            lambda: [self.number() for _ in count],
            lambda: [self.some(CHARACTERS, 4) for _ in count],
            lambda: [{"a": self.number(), "b": {"c": [self.some("abAB", 3), self.number()]}} for _ in count],
            lambda: [self.value(1) for _ in count],
            lambda: [[self.random.randrange(3), self.some("abAB", 2)] for _ in count],
        )()

    def kind_for(self, value, of_float, of_int, of_text):
        """A conversion that mostly suits the value."""
        if self.random.random() < 0.15:
            return self.pick(*of_float, *of_int, *of_text, "q")
        of_number = of_float if isinstance(value, float) else of_int
        return self.pick(*(of_text if value is None or isinstance(value, str) else of_number))

    def format(self):
        value = self.pick(self.number(), self.number(), self.number(), self.some(CHARACTERS, 9))
        spec = self.pick("", "", self.pick("", "*", "0", "é", "<") + self.pick(*"<>^"))
        if not isinstance(value, str):
            spec += self.pick("", "", *"+- ") + self.pick("", "", "#") + self.pick("", "0")
        spec += self.pick("", "5", "30") + ("" if isinstance(value, str) else self.pick("", "", "", ",", "_"))
        spec += self.pick("", ".0", ".3", ".17") if isinstance(value, (float, str)) else ""
        spec += self.kind_for(value, "defgEFG%n", "dnxXobeg", "ss")
        return "{{ ('{:'~s~'}').format(v) }}", {"s": spec, "v": value}

    def percent(self):
        value = self.pick(self.number(), self.number(), self.some(CHARACTERS, 9), [1], None)
        spec = "%" + self.some("-+ #0", 3) + self.pick("", "", "5", "12") + self.pick("", ".0", ".3", ".10", ".")
        if isinstance(value, list):
            value = str(value)
        return "{{ f % (v,) }}", {"f": spec + self.kind_for(value, "deEfFgGsr", "diuoxXgfsra", "sra"), "v": value}

    def arithmetic(self):
        op = self.pick("+", "-", "*", "/", "//", "%", "==", "<", "<=", "**")
        a, b = self.number(), self.number()
        if op == "**":
            a, b = abs(a), self.pick(0, 1, 2, 3, -1, -2, 0.5, 17)
        return f"{{{{ a {op} b }}}}", {"a": a, "b": b}

    def rounding(self):
        place = self.pick(0, 1, 2, 3, 5, -1, -2, -3, 16, -310, 320)
        return "{{ v|round(p) }}|{{ v|abs }}|{{ v|filesizeformat }}|{{ v|filesizeformat(true) }}", {
            "v": self.number(),
            "p": place,
        }

    def parsing(self):
        text = self.pick("", "", "0x", "0b", "-", "1e", "inf") + self.some("0123456789_+-.exobinf ٣a", 7)
        template = "{{ s|int('d') }}|{{ s|float('d') }}|{{ s|int(7,b) }}"
        return template, {"s": text, "b": self.pick(0, 2, 8, 16, 36, 37)}

    def text(self):
        method, name = self.pick(*UNARY.split()), self.pick(*TEXT_FILTERS.split())
        template = f"{{{{ [s.{method}()] }}}}|{{{{ [(s|safe).{method}()] }}}}|{{{{ s|{name} }}}}"
        return template, {"s": self.some(CHARACTERS, 12)}

    def arguments(self):
        text, r = self.some(CHARACTERS, 20), self.random
        part = self.pick(self.some(CHARACTERS, 2), text[r.randrange(len(text) + 1) :][:2], "")
        n, m = r.randrange(-25, 25), r.randrange(-25, 25)
        return f"{{{{ [{self.pick(*ON_TEXT)}] }}}}", {"s": text, "t": part, "n": n, "m": m, "k": self.pick(-2, -1, 1, 3)}

    def wrapping(self):
        text = self.some(WORDS, 14, " ").replace(" ", self.pick(" ", "\n", "  "), 1)
        template = "{{ s|wordwrap(w) }}|{{ s|wordwrap(w,false) }}|{{ s|wordwrap(w,true,'#',false) }}"
        return template, {"s": text, "w": self.random.randrange(1, 25)}

    def pprint(self):
        value = [self.value(), self.some(WORDS, 40, " "), {"x" * self.random.randrange(60): self.value()}]
        return "{{ v|pprint }}\n{{ {'k':v,1:[v],none:2,(1,2):v}|pprint }}", {"v": value}

    def json(self):
        options = ["", "indent=2", "indent='--'", "separators=(',',':')", "sort_keys=true", "true", "indent=-1"]
        return f"{{{{ v|tojson({self.pick(*options)}) }}}}|{{{{ {{1:v,true:2,none:3,2.5:4}}|tojson }}}}", {"v": self.value()}

    def printing(self):
        return "{{ v }}|{{ [v] }}|{{ '%r'%(v,) }}|{{ '{!a}'.format(v) }}", {"v": self.value()}

    def time(self):
        def directive():
            width = self.pick("", "", "3", "25")
            return "%" + self.some("_-0^#", 3) + width + self.pick("", "", "E", "O") + self.random.choice(DIRECTIVES)

        text = "".join(directive() for _ in range(self.random.randrange(1, 4)))
        return "{{ strftime_now(f) }}", {"f": text}

    def links(self):
        text = " ".join(self.pick(*ADDRESSES) + self.pick("", "", ".", ")", "&", "'") for _ in range(3))
        options = ["", "10", "5,true", "none,false,'_blank'", "rel='a b'", "extra_schemes=['tel:','ftp:']"]
        return f"{{{{ s|urlize({self.pick(*options)}) }}}}", {"s": text}

    def html(self):
        template = "{{ s|striptags }}|{{ (s|safe).unescape() }}|{% autoescape true %}{{ s }}{{ s ~ (s|safe) }}{{ [s,s|safe]"
        template += "|join(s) }}{{ (s|safe)|replace('a',s) }}{{ (s|safe) + s }}{{ (s|safe).join([s,1]) }}{% endautoescape %}"
        return template, {"s": self.some(TAGS, 8)}

    def lists(self):
        return f"{{{{ {self.pick(*ON_LISTS)} }}}}", {"v": self.items()}


HELPERS = ("pick", "some", "number", "value", "items", "kind_for")
KINDS = [name for name in vars(Cases) if name not in HELPERS and name[0] != "_"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=20, help="of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS))
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"
    time.tzset()
    warnings.simplefilter("ignore")
    import reference

    chance, cases, rows = reference.Chance(), Cases(options.seed), []
    for kind in options.kinds.split(","):
        for _ in range(options.rows):
            template, variables = getattr(cases, kind)()
            now = NOW + 86400 * cases.random.randrange(-400, 400) + cases.random.randrange(86400)
            answer = reference.outcome({"template": template, "kwargs": json.dumps(variables), "now": now}, chance)
            if "open" not in answer:
                rows.append(json.dumps([kind, template, variables, now, answer.get("text")], ensure_ascii=True))
    print("[" + ",\n".join(rows) + "]")


if __name__ == "__main__":
    sys.exit(main())
