#!/usr/bin/env python3
"""Writes the tables of rust/text/src/jinja: what str methods of this Python say about every code point, and HTML's names.

Run it with the Python whose behaviour templates shall see (3.11 has Unicode 14):
    python3.11 tools/make_unicode_tables.py > rust/text/src/jinja/unicode.txt
    python3.11 tools/make_unicode_tables.py entities > rust/text/src/jinja/entities.txt
"""

import sys
import unicodedata
from html.entities import html5

CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def final_sigma(text: str) -> bool:
    return text.lower().endswith("ς")


PROPERTIES = {
    "alpha": str.isalpha,
    "decimal": str.isdecimal,
    "digit": str.isdigit,
    "numeric": str.isnumeric,
    "lower": str.islower,
    "upper": str.isupper,
    "titlecase": lambda c: c.istitle() and not c.isupper(),
    "printable": str.isprintable,
    "identifier_start": str.isidentifier,
    "identifier": lambda c: ("a" + c).isidentifier(),
    "cased": lambda c: (c + "a").title().endswith("a"),
    "case_ignorable": lambda c: final_sigma("a" + c + "Σ") and not final_sigma(c + "Σ"),
}

MAPPINGS = {
    "to_lower": (str.lower, lambda c: c),
    "to_upper": (str.upper, lambda c: c),
    # Only where they differ from the one they are mostly equal to.
    "to_title": (str.title, str.upper),
    "to_folded": (str.casefold, str.lower),
}


def ranges(test) -> str:
    """first-last in hexadecimal, or first alone."""
    found = []
    for code in CODES:
        if not test(chr(code)):
            continue
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return " ".join(f"{a:x}" if a == b else f"{a:x}-{b:x}" for a, b in found)


def runs(function, usual) -> str:
    """first*count/stride+delta for runs of single code points, code>code,code for the rest."""
    single, several = [], []
    for code in CODES:
        text = function(chr(code))
        if text == usual(chr(code)):
            continue
        if len(text) > 1:
            several.append(f"{code:x}>" + ",".join(f"{ord(c):x}" for c in text))
            continue
        delta = ord(text) - code
        run = single[-1] if single else None
        if run and run[3] == delta:
            first, count, stride, _ = run
            if count == 1 and code - first <= 2:
                run[1:3] = [2, code - first]
                continue
            if count > 1 and code == first + count * stride:
                run[1] += 1
                continue
        single.append([code, 1, 1, delta])
    return " ".join([f"{a:x}*{n:x}/{s}{d:+x}" for a, n, s, d in single] + several)


def entities() -> None:
    print("# The named entities of HTML 5, as html.entities.html5 has them: name, code points.", MADE)
    for name, text in sorted(html5.items()):
        print(name, ",".join(f"{ord(c):x}" for c in text))


MADE = "Made by tools/make_unicode_tables.py."


def main() -> None:
    if sys.argv[1:] == ["entities"]:
        entities()
        return
    version = ".".join(map(str, sys.version_info[:2]))
    print(f"# Made by tools/make_unicode_tables.py with Python {version}, Unicode {unicodedata.unidata_version}.")
    for name, test in PROPERTIES.items():
        print(name, ranges(test))
    for name, (function, usual) in MAPPINGS.items():
        print(name, runs(function, usual))


if __name__ == "__main__":
    main()
