"""Random expressions of templates, mostly of a wanted kind so that most of them give a value.

A kind is "str", "int", "float", "bool", "list", "dict", "tuple", "none" or "any". FORMS has the ways to write each;
in a form, {str} stands for an expression of that kind, {name} for a name, {text} for characters of a string literal.
"""

import re

WORDS = ["a", "b c", "Hello", "x-y", "né", "😀", "<b>", "ß", "İ", "1", "-2", "1.5", " x ", "a,b,c", "A", "zz", "%s", "{}", ""]
ESCAPES = ["\\n", "\\t", "\\\\", "\\'", '\\"', "\\x41", "\\u00e9", "\\q", "\\101", "\n", "\\\n", "\\r"]
KEYS = ["a", "b", "c", "name", "role", "content", "items", "é", "x y", "keys", "0"]
SIMPLE = ["str", "int", "bool", "float", "none"]
KINDS = SIMPLE + ["list", "dict", "tuple"]

TESTS = """boolean callable defined divisibleby(2) eq(1) eq({any}) even false float ge(1) gt(0) in([1,'a']) in({list})
    integer iterable le(2) lower lt(1) mapping ne({any}) none number odd sameas(none) sequence string true undefined upper
    escaped filter test""".split()
NAMED_TESTS = ["odd", "even", "string", "number", "none", "defined", "mapping", "sequence", "iterable", "boolean", "integer"]

TO_STR = """upper lower capitalize title trim string reverse replace({str},{str}) replace({str},{str},{int}) center({int})
    indent({int}) indent({int},true) indent({str}) truncate({int},{bool},{str},{int}) wordwrap({int}) escape e striptags
    urlencode forceescape safe default({str}) d({str},true) first last tojson pprint join join({str}) wordwrap(5,false)
    trim({str}) format({any}) filesizeformat min max urlize""".split()
STR_METHODS = """upper() lower() capitalize() title() swapcase() casefold() strip() lstrip() rstrip() strip({str})
    replace({str},{str}) replace({str},{str},{int}) center({int}) ljust({int}) rjust({int},'*') zfill({int}) expandtabs({int})
    join({list}) removeprefix({str}) removesuffix({str}) format({any}) format({any},a={any}) lstrip({str}) rstrip({str})""".split()
STR_TO_BOOL = """startswith({str}) endswith({str}) isalpha() isdigit() isalnum() isspace() isupper() islower() istitle()
    isnumeric() isdecimal() isidentifier() isprintable() isascii() startswith(({str},{str}))""".split()
STR_TO_INT = """find({str}) rfind({str}) count({str}) find({str},{int}) index({str}) count({str},{int},{int})""".split()
STR_TO_LIST = """split() split({str}) split({str},{int}) rsplit({str},1) rsplit(none,{int}) splitlines() splitlines(true)
    partition({str}) rpartition({str})""".split()
LIST_FILTERS = """sort sort(reverse=true) sort(case_sensitive=true) unique|list reverse|list map('string')|list select|list
    reject|list select('TEST')|list reject('TEST')|list map('length')|list map('upper')|list batch(2)|list batch({int},{any})|list
    slice(2)|list slice({int},{any})|list map('default',{any})|list list map(attribute='KEY')|list
    map(attribute='KEY',default={any})|list selectattr('KEY')|list selectattr('KEY','TEST')|list rejectattr('KEY')|list
    selectattr('KEY','equalto',{any})|list groupby('KEY')|list map('tojson')|list sort(attribute='KEY') map('int')|list
    map('replace',{str},{str})|list select('in',{list})|list unique(attribute='KEY')|list map('first')|list
    map(attribute=0)|list items|list dictsort dictsort(true) dictsort(by='value') dictsort(reverse=true)""".split()
FORMATS = ["%s", "%d", "%5s|", "%-4s|", "%05d", "%.2f", "%x", "%r", "%e", "%g", "%+d", "%c", "%%", "%(a)s", "%i", "%.1s"]
SPECS = ["", ":>5", ":<4", ":^6", ":*^5", ":>05", ":.2f", ":x", ":,", ":d", ":s", "!r", "!s:>6", ":+", ":e", ":%", ":.2", "[0]", ".a", "[a]"]
SLICES = ["1:", ":2", "::-1", "-1:", ":-1", "{int}:{int}", "::2", "{int}:", ":{int}", "{int}:{int}:{int}", ":"]
COMPARE = ["==", "!=", "<", ">", "<=", ">=", "in", "not in"]

FORMS = {
    "str": [
        "{literal}", "{literal}", "{literal}", "{var}", "{var}", "{str} ~ {any}", "{str} + {str}", "{str}|{to_str}",
        "{any}|string|{to_str}", "({str}).{str_method}", "{str}[{int}]", "({str})[{slice}]", "{str} if {bool} else {str}",
        "{format} % ({any},)", "'%s and %r' % ({any}, {any})", "'%s' % ({any},)", "'%5d|%-3d|%x' % ({int}, {int}, {int})", "'{{spec}}'.format({any})", "'{{0spec}}{{aspec}}'.format({any}, a={any})",
        "({str})", "{list}|join({str})", "{any}|string", "{any}|string", "{str}|{to_str}", "({str}).{str_method}", "{str} * {int}", "{literal} {literal}", "{any}|tojson", "{macro}",
        "{any}|tojson(indent={int})", "({str} or {str})", "{dict}['{key}']|string", "{dict}.get('{key}', {str})|string",
        "({str}).split({literal})[0]", "{message}.role", "{message}.content|string", "({dict}.{key})|string", "({list}|first)|string", "{namespace}.{key}|string",
    ],
    "int": [
        "{number}", "{number}", "{number}", "{var}", "{int} + {int}", "{int} - {int}", "{int} * {int}", "{int} // {number}",
        "{int} % {number}", "-{int}", "{int} ** 2", "{list}|length", "{tuple}|length", "{str}|length", "({str}).{str_to_int}",
        "({int})", "{any}|int", "{any}|int({int})", "[{int}, {int}]|sum", "[{int}, {int}]|first", "[{int}, {int}]|last", "({list}|first)|int", "({list}|last)|int", "[{int}, {int}]|max",
        "{int} if {bool} else {int}", "({list}[{int}])|int(2)", "{int}|abs", "{index}", "{index}", "{float}|round|int", "{str}|wordcount", "({list}).count({any})", "{list}|count",
        "({int}).bit_length()", "{dict}|length", "{namespace}.{key}|int", "{str}|int(0, 16)",
    ],
    "float": [
        "0.5", "2.5", "-1.25", "1e3", "{int} / {number}", "{int}|float", "{float} + {int}", "{float} * {int}", "{any}|float",
        "{float}|round", "{float}|round(1)", "{float}|round({small}, 'ceil')", "{var}", "-{float}", "{float} // {int}", "{float} % 2",
    ],
    "bool": [
        "true", "false", "{any} == {any}", "{any} != {any}", "{int} {order} {int}", "{str} {compare} {str}", "{float} {order} {int}", "{any} is {test}",
        "{any} is not {test}", "not {any}", "{bool} and {any}", "{bool} or {any}", "({str}).{str_to_bool}", "{str} in {str}",
        "{any} in {list}", "'{key}' in {dict}", "{int} < {int} < {int}", "{name} is defined", "{edge}", "{var}",
        "{int} == {int} != {int}", "{any} is in {list}", "not ({bool})", "{dict} == {dict}", "[{int}, {int}] < [{int}]",
    ],
    "list": [
        "[]", "[{any}]", "[{int}, {int}, {int}]", "[{str}, {str}]", "[{any}, {any},]", "{var}", "{var}", "({list})[{slice}]",
        "{list}|{list_filter}", "[{str}, {str}]|{list_filter}", "[{dict}, {dict}]|{list_filter}", "({str}).{str_to_list}", "{str}|list", "{list} + {list}", "{list} * 2",
        "range({small})|list", "range({small}, {small})", "range({small}, {int}, {step})", "{dict}.keys()|list", "{dict}.values()|list",
        "{dict}.items()|list", "{dict}|dictsort", "{list} if {bool} else {list}", "messages", "messages[{slice}]", "({list})",
        "messages|map(attribute='role')|list", "messages|selectattr('role', 'equalto', {str})|list", "dict.fromkeys({str})|list",
        "[{dict}, {dict}]", "{dict}|list", "({list}).copy()", "[{list}, {list}]", "(varargs or [])",
    ],
    "dict": [
        "{{}}", "{{'{key}': {any}}}", "{{'{key}': {any}, '{key}': {any}}}", "{var}", "{var}", "dict({ident}={any})", "dict({dict}, {ident}={any})",
        "{{{str}: {any}, {int}: {any}}}", "({dict})", "{message}", "({dict}).copy()", "{dict} if {bool} else {dict}",
        "{{{str}: {any}}}", "{{{int}: {any}, {bool}: {any}}}", "dict(**{dict})", "dict({dict}.items())", "(kwargs or {{}})",
    ],
    "tuple": [
        "()", "({any},)", "({any}, {any})", "({int}, {str}, {any})", "({str}).partition({str})", "({tuple})[{slice}]",
        "{tuple} + {tuple}", "({dict}.items()|list)[0]", "{tuple} * 2",
    ],
    "none": ["none", "None", "{var}", "{dict}.get({str})", "{dict}.{key}"],
}
SIMPLEST = {"str": "'s'", "int": "3", "float": "1.5", "bool": "true", "list": "[1]", "dict": "{'a': 1}", "tuple": "(1,)", "none": "none"}
PLACE = re.compile(r"\{\{|\}\}|\{(\w+)\}")


class Expressions:
    """Writes expressions; subclasses say which names there are (names: {name: kind}) and add macros and loops."""

    def __init__(self, random):
        self.random = random
        self.names = {}
        self.macros = {}
        self.in_loop = False

    def one_of(self, items):
        return items[self.random.randrange(len(items))]

    def chance(self, share):
        return self.random.random() < share

    def expression(self, kind="any", depth=3):
        if kind == "any" or self.chance(0.015):
            kind = self.one_of(KINDS)
        forms = FORMS[kind]
        if depth <= 0:
            forms = [form for form in forms if re.sub(r"\{(literal|number|var|name|key|ident|index|edge|small|order|message)\}", "", form).count("{") == 0]
        if not forms:
            forms = FORMS[kind][:1]
        form = self.one_of(forms)
        text = PLACE.sub(lambda found: self.part(found, kind, depth - 1), form)
        return text.replace("spec", self.one_of(SPECS)) if "spec" in form else text

    def part(self, found, kind, depth):
        name = found.group(1)
        if name is None:
            return found.group(0)[0]
        if name in FORMS or name == "any":
            return self.operand(name, depth)
        writers = {
            "literal": self.literal, "number": self.number, "var": lambda: self.variable(kind), "name": self.any_name,
            "key": lambda: self.one_of(KEYS).replace(" ", "_"), "ident": lambda: self.one_of(["a", "b", "name"]),
            "step": lambda: self.one_of(["1", "2", "-1", "3"]), "compare": lambda: self.one_of(COMPARE),
            "message": self.message, "order": lambda: self.one_of(COMPARE[:6]), "small": lambda: self.one_of(["0", "1", "3", "4", "n"]),
            "format": lambda: "'" + self.one_of(FORMATS) + self.one_of(["", "", " x", self.one_of(FORMATS)]) + "'",
            "index": lambda: self.of_loop(["index", "index0", "length", "revindex", "revindex0", "depth"], "4"),
            "edge": lambda: self.of_loop(["first", "last", "changed(1)", "previtem is defined", "nextitem is defined"], "not 0"),
            "macro": self.macro_call, "namespace": lambda: self.one_of(self.of_kind("namespace") or ["namespace(a=1, b=[2], c='x', name=3)"]),
        }
        lists = {
            "test": TESTS, "to_str": TO_STR, "str_method": STR_METHODS, "str_to_bool": STR_TO_BOOL, "str_to_int": STR_TO_INT,
            "str_to_list": STR_TO_LIST, "list_filter": LIST_FILTERS, "slice": SLICES,
        }
        if name in lists:
            chosen = self.one_of(lists[name]).replace("TEST", self.one_of(NAMED_TESTS)).replace("KEY", self.one_of(KEYS))
            return re.sub(r"\{(\w+)\}", lambda inner: self.operand(inner.group(1), depth - 1), chosen)
        return writers[name]()

    def operand(self, kind, depth):
        """In brackets mostly: precedence is tried as well."""
        text = self.expression(kind, depth)
        simple = re.fullmatch(r"[\w.]+|'[^'\\]*'|\[[^\[\]]*\]", text)
        return text if simple or self.chance(0.25) else f"({text})"

    def literal(self):
        quote = self.one_of("''''\"")
        text = "".join(self.one_of(WORDS) for _ in range(self.random.randrange(3)))
        if self.chance(0.15):
            text += self.one_of(ESCAPES) + self.one_of(WORDS)
        return quote + text.replace(quote, "") + quote

    def number(self):
        return self.one_of(["0", "1", "2", "3", "5", "1", "2", "-1", "10", "7", "1_0", "0x1f", "12345678901234567890"])

    def of_kind(self, kind):
        return [name for name, known in self.names.items() if known == kind]

    def variable(self, kind):
        fitting = self.of_kind(kind)
        if fitting and not self.chance(0.03):
            return self.one_of(fitting)
        return self.any_name() if self.chance(0.3) else SIMPLEST[kind]

    def any_name(self):
        return self.one_of([*self.names, *self.names, "missing", "x", "tools"])

    def arguments(self, count, depth=1):
        return ", ".join(self.expression("any", depth) for _ in range(count))

    def of_loop(self, attributes, otherwise):
        return "loop." + self.one_of(attributes) if self.in_loop or self.chance(0.02) else otherwise

    def message(self):
        return "message" if "message" in self.names else self.one_of(["(messages[0] or {})", "(messages|last|default({}))"])

    def macro_call(self):
        if not self.macros:
            return "'no macro'"
        name, parameters = self.one_of(list(self.macros.items()))
        count = self.random.randrange(parameters + 1) if not self.chance(0.05) else parameters + 1
        given = self.arguments(count)
        if self.chance(0.1):
            given += (", " if given else "") + self.one_of(["*[1]", "**{'p1': 2}", "p0=1", "extra=2", "*'ab'"])
        return f"{name}({given})"
