"""The table of small templates (cases/*.txt) and chat templates (cases/chats): reading, and running it against jinja2.

    python tests/jinja/table.py [TOPIC...]            each entry that differs, then one line for each topic
    python tests/jinja/table.py --against PYTHON      entries that jinja2 renders otherwise with that interpreter

A line of cases/TOPIC.txt is one template, or several with " ;; " between them. In it ⏎ is a newline, ␍ a carriage return, ⇥ a tab, ␣ a space where an
editor would lose one. After " ‖ " comes a JSON object of further variables; messages, tools, documents,
add_generation_prompt and now go where a request has them. A line beginning with "# " is a comment. Directives:

    :each NAME = one ;; two ;; three      «NAME» in later lines of the file stands for each of these in turn
    :each NAME += four                    and for these
    :python 3.12                          the next line's result is another one before that Python
"""

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import engine

CASES = Path(__file__).resolve().parent / "cases"
SIGNS = str.maketrans({"⏎": "\n", "␍": "\r", "⇥": "\t", "␣": " "})
PLACE = re.compile("«(\\w+)»")
EACH = re.compile(r"(\w+) (\+?=) (.*)")
REQUEST = ("messages", "tools", "documents")
NOW = 1721952000  # a Friday in 2024
OLDEST = (3, 9)  # Python that the tests run on


@dataclass
class Entry:
    topic: str
    where: str
    line: str  # as the file has it, with every «NAME» replaced: what gaps.txt names it by
    case: dict
    python: tuple = OLDEST


@dataclass
class Reader:
    """One file of cases."""

    topic: str
    lists: dict = field(default_factory=dict)
    python: tuple = OLDEST

    def directive(self, line):
        name, _, rest = line[1:].partition(" ")
        if name == "each":
            key, sign, values = EACH.fullmatch(rest).groups()
            more = [value.strip() for value in values.split(" ;; ")]
            self.lists[key] = more if sign == "=" else self.lists[key] + more
        elif name == "python":
            self.python = tuple(int(part) for part in rest.split("."))
        else:
            raise ValueError(f"{self.topic}: no directive {line!r}")

    def expanded(self, line):
        names = list(dict.fromkeys(PLACE.findall(line)))
        for values in itertools.product(*(self.lists[name] for name in names)):
            chosen = dict(zip(names, values))
            yield PLACE.sub(lambda found: chosen[found.group(1)], line)

    def entries(self, text):
        for number, raw in enumerate(text.split("\n"), 1):
            if raw.startswith(":"):
                self.directive(raw)
            elif raw.strip() and not raw.startswith("# "):
                where = f"{self.topic}.txt:{number}"
                templates, sign, options = raw.partition(" ‖ ")
                for template in templates.split(" ;; "):
                    for line in self.expanded(template + sign + options):
                        yield Entry(self.topic, where, line, case_of(line), self.python)
                self.python = OLDEST


def text_of(value):
    return json.dumps(value, ensure_ascii=False)


def case_of(line):
    template, _, options = line.partition(" ‖ ")
    return made_case(template.translate(SIGNS), json.loads(options) if options else {})


def made_case(template, options):
    given = {**VARIABLES, **options}
    data = {name: given.pop(name, None) for name in REQUEST}
    case = {name: text_of(value) for name, value in data.items() if value is not None}
    for name in ("add_generation_prompt", "now", "bos", "eos"):
        if name in given:
            case[name] = given.pop(name)
    case.setdefault("now", NOW)
    return {"template": template, **case, "kwargs": text_of(given)}


def chats():
    """Every chat template with every conversation."""
    conversations = json.loads((CASES / "chats" / "conversations.json").read_text(encoding="utf-8"))
    for path in sorted((CASES / "chats").glob("*.jinja")):
        source = path.read_bytes().decode()
        for name, options in conversations.items():
            line = f"{path.name} {name}"
            yield Entry("chats", line, line, made_case(source, {"tools": None, **options}))


def entries():
    for path in sorted(CASES.glob("*.txt")):
        if path.name != "gaps.txt":
            yield from Reader(path.stem).entries(path.read_text(encoding="utf-8"))
    yield from chats()


def gaps():
    """{line of an entry: why Quern refuses it}, from cases/gaps.txt: "= reason" lines, and under each its entries."""
    found, why = {}, None
    for line in (CASES / "gaps.txt").read_text(encoding="utf-8").split("\n"):
        if line.startswith("= "):
            why = line[2:]
        elif line.strip() and not line.startswith("# "):
            found[line] = why
    return found


VARIABLES = json.loads((CASES / "variables.json").read_text(encoding="utf-8"))


@dataclass
class Result:
    entry: Entry
    want: dict
    got: dict
    verdict: str

    def problem(self, declared):
        """What is wrong with it, or None. An entry whose result says nothing tests nothing."""
        if self.verdict == engine.OPEN:
            return "tests nothing: " + self.want["open"]
        if self.entry.line in declared:
            return None if self.verdict == engine.REFUSED else "declared in gaps.txt, but not refused"
        return None if self.verdict == engine.SAME else self.verdict

    def describe(self, problem):
        return (
            f"{self.entry.where}: {problem}\n    {self.entry.line}\n"
            f"    jinja2: {shown(self.want)}\n    Quern:  {shown(self.got)}"
        )


def shown(answer):
    text = json.dumps(answer.get("text", answer), ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "..."


def run(chosen, workers=None):
    """Results in the order of the entries; the workers share them."""
    chosen = [entry for entry in chosen if sys.version_info[:2] >= entry.python]
    workers = workers or min(4, os.cpu_count() or 1)

    def part(first):
        with engine.Pair() as pair:
            for entry in chosen[first::workers]:
                want, got = pair.answers(entry.case)
                yield Result(entry, want, got, engine.verdict(want, got))

    with ThreadPoolExecutor(workers) as pool:
        parts = [iter(done) for done in pool.map(lambda first: list(part(first)), range(workers))]
    return [next(parts[i % workers]) for i in range(len(chosen))]


def compare_pythons(chosen, other):
    """Entries whose result is another one with another Python."""
    here, there = engine.Program(engine.reference_program()), engine.Program(engine.reference_program(other))
    script = "import sys; print(*sys.version_info[:2])"
    version = tuple(map(int, subprocess.run([other, "-c", script], capture_output=True, check=True).stdout.split()))
    differing = 0
    for entry in chosen:
        if entry.python > version:
            continue
        here.send(entry.case), there.send(entry.case)
        one, two = here.receive(), there.receive()
        same = one.get("text") == two.get("text") and one.get("open") == two.get("open")
        if not same:
            differing += 1
            print(f"{entry.where}: {entry.line}\n    here:  {shown(one)}\n    there: {shown(two)}")
    here.stop(), there.stop()
    print(f"{differing} entries differ")
    return 1 if differing else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("topic", nargs="*")
    parser.add_argument("--brief", action="store_true", help="the topics alone")
    parser.add_argument("--against", metavar="PYTHON", help="another interpreter that has jinja2")
    options = parser.parse_args()
    chosen = [entry for entry in entries() if not options.topic or entry.topic in options.topic]
    if options.against:
        return compare_pythons(chosen, options.against)
    declared, counts, problems = gaps(), defaultdict(Counter), Counter()
    for result in run(chosen):
        counts[result.entry.topic][result.verdict] += 1
        problem = result.problem(declared)
        problems[result.entry.topic] += problem is not None
        if problem and not options.brief:
            print(result.describe(problem))
    for topic, verdicts in counts.items():
        each = ", ".join(f"{n} {verdict}" for verdict, n in verdicts.most_common())
        print(f"{topic}: {sum(verdicts.values())} entries, {problems[topic]} problems ({each})")
    print(f"{len(chosen)} entries, {sum(problems.values())} problems")
    return 1 if sum(problems.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
