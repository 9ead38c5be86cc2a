#!/usr/bin/env python3
"""Writes the seeds of the fuzz target tool_calls, tests/fuzz/tool_calls/*: of each dialect of
src/tool_calls/tool_dialect.cc one answer, from tests/tool_calls/cases.

usage: python3 make_tool_call_seeds.py
"""

import pathlib
import re

HERE = pathlib.Path(__file__).parent
OUT = HERE / "tool_calls"


def main():
    OUT.mkdir(exist_ok=True)
    source = (HERE.parent.parent / "src/tool_calls/tool_dialect.cc").read_text(encoding="utf-8")
    rows = source[source.index("kRows = {"):]
    functions = re.findall(r"^      (\w+)\((\"[\w-]+\")?", rows, re.MULTILINE)
    for number, (function, name) in enumerate(functions):
        body = source[source.index(f"ToolDialect {function}("):]
        name = name.strip('"') or re.search(r'\.name = "([\w.-]+)"', body)[1]
        cases = (HERE.parent / f"tool_calls/cases/{name}.txt").read_text(encoding="utf-8")
        answers = re.findall(r"^==== [^\n]*\n(.*?)\n----\n", cases, re.MULTILINE | re.DOTALL)
        header = bytes([number, 6, 5])  # dialect, tools, pieces of six bytes
        (OUT / name).write_bytes(header + "\n".join(answers[:4]).encode())


if __name__ == "__main__":
    main()
