"""What the documents show is what the program takes: code is compiled, JSON parsed, commands are looked up.

A fenced block says its language. `cpp` and `c` are compiled against include/ and src/; what such a block needs around it
stands in a comment before it, `<!-- compiled with: ... BLOCK ... -->`. `json` is parsed, `python` compiled, `sh` is commands;
`text` is no code. Indented blocks are commands: of each line that begins with one, verbs and flags must be those of the
program or script. A block of neither kind has `<!-- not run: the reason -->` before it.
"""

import json
import os
import re
import shlex
import subprocess
from dataclasses import dataclass

import pytest

from conftest import REPOSITORY

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("tests/**/README.md")])
DOCUMENTS = [path for path in DOCUMENTS if path.name != "CHANGELOG.md"]  # what was true once

# The front page has no comments in it: blocks by their first word(s), and why they are not run.
NOT_RUN = {("README.md", "quern 0.1.0"): "a recorded conversation"}

COMMAND = re.compile(r"^(quern|build\S*/bin/\S+|\./dev|python3?|node|cmake|ninja|chrt|ln|gdb|[A-Z_]+=\S+ )")


@dataclass
class Block:
    where: str
    language: str  # "": an indented block
    comment: str  # the HTML comment right before it
    text: str


def blocks_of(path):
    name = str(path.relative_to(REPOSITORY))
    lines = path.read_text().split("\n")
    at, comment = 0, ""
    while at < len(lines):
        line, begin = lines[at], at
        if line.startswith("<!--"):
            while "-->" not in lines[at]:
                at += 1
            comment = "\n".join(lines[begin : at + 1]).removeprefix("<!--").removesuffix("-->").strip()
            at += 1
            continue
        if line.startswith("```"):
            at = lines.index("```", at + 1)
            yield Block(f"{name}:{begin + 1}", line[3:].strip() or "none", comment, "\n".join(lines[begin + 1 : at]))
        elif line.startswith("    ") and (at == 0 or not lines[at - 1].strip()):
            while at + 1 < len(lines) and (lines[at + 1].startswith("    ") or not lines[at + 1].strip()):
                at += 1
            yield Block(f"{name}:{begin + 1}", "", comment, "\n".join(part[4:] for part in lines[begin : at + 1]).rstrip())
        if line.strip():
            comment = ""
        at += 1


def header_blocks():
    """The example at the top of a public C++ header, in its comment."""
    before = {
        "model.h": "#include <iostream>\n#include \"quern/model.h\"\nint show() {\nBLOCK\nreturn 0; }",
        "embeddings.h": "#include <iostream>\n#include <numeric>\n#include \"quern/model.h\"\n"
        "int show(quern::Result<quern::Model> model) {\nBLOCK\nreturn alike > 0; }",
    }
    for name, around in before.items():
        head = (REPOSITORY / "include/quern" / name).read_text().split("#pragma once")[0]
        text = "\n".join(line[5:] for line in head.split("\n") if line.startswith("//   "))
        yield Block(f"include/quern/{name}", "cpp", "compiled with:\n" + around, text)
    head = (REPOSITORY / "include/quern/quern.h").read_text().split("*/")[0]
    text = "\n".join(line[5:] for line in head.split("\n") if line.startswith(" *   "))
    around = "#include <stdio.h>\n#include \"quern/quern.h\"\nvoid show(void) {\nBLOCK\n}"
    yield Block("include/quern/quern.h", "c", "compiled with:\n" + around, text)


BLOCKS = [block for path in DOCUMENTS for block in blocks_of(path)] + list(header_blocks())


def test_there_are_blocks():
    languages = {block.language for block in BLOCKS}
    assert {"", "c", "cpp", "json"} <= languages and len(BLOCKS) > 20


def compile_block(block):
    text = block.text
    if block.comment.startswith("compiled with:"):
        around = block.comment.removeprefix("compiled with:")
        assert around.count("BLOCK") == 1
        text = around.replace("BLOCK", f'#line 1 "{block.where}"\n{text}\n')
    c = block.language == "c"
    compiler = os.environ.get("CC", "cc") if c else os.environ.get("CXX", "c++")
    command = [compiler, "-xc" if c else "-xc++", "-std=c11" if c else "-std=c++20", "-fsyntax-only", "-Werror=return-type"]
    folders = [f"-I{REPOSITORY / folder}" for folder in ("include", "src")]
    done = subprocess.run([*command, *folders, "-"], input=text.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, f"{block.where}:\n{done.stderr.decode()[:2000]}"


_helps = {}


def help_of(quern, verb):
    if verb not in _helps:
        _helps[verb] = quern(verb, "--help", expect=None)
    assert _helps[verb].returncode == 0, f"quern has no verb {verb}"
    return _helps[verb].stdout.decode()


def flags_of(words):
    return [word.split("=")[0] for word in words if re.match(r"^--?[A-Za-z]", word)]


def check_command(quern, line):
    words = shlex.split(line.replace("...", ""), comments=True)
    for separator in ("&&", "|", ">", "2>&1"):
        if separator in words:
            at = words.index(separator)
            check_command(quern, shlex.join(words[:at]))
            if separator in ("&&", "|"):
                check_command(quern, shlex.join(words[at + 1 :]))
            return
    while words and ("=" in words[0] or words[0] in ("chrt", "-f", "20")):
        words = words[1:]
    if not words:
        return
    program, rest = words[0], words[1:]
    name = program.rsplit("/", 1)[-1]
    if name == "quern":
        known = re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", help_of(quern, rest[0])) + ["--help"]
        for flag in flags_of(rest[1:]):
            assert flag in known, f"quern {rest[0]} has no flag {flag}"
    elif program == "./dev":
        assert not rest or (REPOSITORY / f"tools/dev/{rest[0]}.sh").exists(), f"./dev has no verb {rest[0]}"
    elif name.startswith("python") or name == "node":
        if rest[0] == "-m":
            return
        script = REPOSITORY / rest[0]
        assert script.exists(), f"{rest[0]} is not there"
        for flag in flags_of(rest[1:]):
            assert f'"{flag}"' in script.read_text(), f"{rest[0]} has no flag {flag}"
    elif program.startswith("build"):
        assert is_target(name), f"nothing builds {name}"


def is_target(name):
    """test_X is the tests of src/X; other programs are named where they are built."""
    prefix, _, rest = name.partition("_")
    if prefix == "test" and any(path.name == rest for path in (REPOSITORY / "src").rglob(rest)):
        return True
    text = "".join(path.read_text() for path in REPOSITORY.glob("*/CMakeLists.txt")) + "".join(
        path.read_text() for path in REPOSITORY.glob("*/**/CMakeLists.txt") if "build" not in path.parts[len(REPOSITORY.parts)]
    )
    return name == "fuzz_NAME" or rest in text or any(REPOSITORY.glob(f"bench/{name}.cc"))


def check_commands(quern, block):
    found = 0
    for line in block.text.replace("\\\n", " ").split("\n"):
        if COMMAND.match(line):
            check_command(quern, re.split(r" {2,}", line)[0])  # behind it: what the command does
            found += 1
    return found


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_a_block_holds(quern, block):
    first = block.text.split("  ")[0].strip()
    if block.comment.startswith("not run:"):
        assert len(block.comment) > len("not run: ") + 3, "the reason is missing"
    elif (block.where.split(":")[0], first) in NOT_RUN:
        pass
    elif block.language in ("c", "cpp"):
        compile_block(block)
    elif block.language == "json":
        json.loads(block.text)
    elif block.language == "python":
        compile(block.text, block.where, "exec")
    elif block.language in ("", "sh"):
        assert check_commands(quern, block) > 0, "neither commands nor a comment that says why not"
    else:
        assert block.language == "text", f"unknown language {block.language}"
