"""Random templates, rendered by Quern and by jinja2.

    python tests/jinja/fuzz.py --seconds 600 --seed 7

Every difference is reported, made as small as it goes. Where Quern refuses a template (what it does not build, or a
limit) nothing is wrong, but it is counted. Exit code 1 where there was a difference.
"""

import argparse
import json
import os
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import engine
import random_templates
import table

WRONG = (engine.DIFFERS, engine.RENDERS, engine.FAILS, engine.CRASHES)
MOST_TRIALS = 3000  # of making one find smaller
MUTATED_SHARE = 3  # every third template is a mutated one


class Shrinker:
    """Takes away parts of a case as long as both sides still disagree in the same way."""

    def __init__(self, pair, case, kind):
        self.pair, self.case, self.kind, self.trials = pair, case, kind, MOST_TRIALS

    def still_wrong(self, case):
        if self.trials <= 0:
            return False
        self.trials -= 1
        return engine.verdict(*self.pair.answers(case)) == self.kind

    def keep(self, case):
        if self.still_wrong(case):
            self.case = case
            return True
        return False

    def shrink_template(self):
        parts = random_templates.tokens(self.case["template"])
        size = max(1, len(parts) // 2)
        while size:
            at = 0
            while at < len(parts):
                fewer = parts[:at] + parts[at + size :]
                if self.keep({**self.case, "template": "".join(fewer)}):
                    parts = fewer
                else:
                    at += size
            size //= 2

    def shrink_pairs(self):
        """Two parts that only go together: brackets, a block and its end."""
        parts = random_templates.tokens(self.case["template"])
        for first in range(len(parts) - 1, -1, -1):
            for last in range(len(parts) - 1, first, -1):
                fewer = parts[:first] + parts[first + 1 : last] + parts[last + 1 :]
                if self.trials > 0 and self.keep({**self.case, "template": "".join(fewer)}):
                    parts = fewer
                    break

    def shrink_data(self):
        for name in ("messages", "tools", "documents", "kwargs"):
            if name not in self.case:
                continue
            if self.keep({key: value for key, value in self.case.items() if key != name}):
                continue
            value = json.loads(self.case[name])
            for key in list(value) if isinstance(value, dict) else range(len(value) - 1, -1, -1):
                fewer = type(value)(value)
                del fewer[key]
                if self.keep({**self.case, name: random_templates.text_of(fewer)}):
                    value = fewer

    def run(self):
        before = None
        while before != self.case and self.trials > 0:
            before = self.case
            self.shrink_template()
            self.shrink_data()
            if len(random_templates.tokens(self.case["template"])) < 60:
                self.shrink_pairs()
        return self.case


@dataclass
class Find:
    seed: str
    kind: str
    case: dict
    want: dict
    got: dict

    def describe(self):
        data = {name: value for name, value in self.case.items() if name not in ("template", "now")}
        return (
            f"{self.seed}: {self.kind}\n    {json.dumps(self.case['template'], ensure_ascii=False)}\n    {data}\n"
            f"    jinja2: {table.shown(self.want)}\n    Quern:  {table.shown(self.got)}"
        )


@dataclass
class Report:
    counts: Counter = field(default_factory=Counter)
    texts: int = 0  # templates written from scratch that render one
    refusals: Counter = field(default_factory=Counter)
    finds: list = field(default_factory=list)

    @property
    def total(self):
        return sum(self.counts.values())

    @property
    def refused_share(self):
        return self.counts[engine.REFUSED] / max(1, self.total)

    def describe(self):
        each = ", ".join(f"{n} {verdict}" for verdict, n in self.counts.most_common())
        return f"{self.total} templates: {each}; {self.texts} rendered a text, {100 * self.refused_share:.2f}% refused"


class Fuzzer:
    def __init__(self, seed, seconds=None, templates=None, most_finds=10):
        self.seed, self.until, self.templates = seed, seconds and time.monotonic() + seconds, templates
        self.most_finds = most_finds
        of_every_python = [entry.case for entry in table.entries() if entry.python == table.OLDEST]
        self.cases = [case for case in of_every_python if len(case["template"]) < 600]
        self.report = Report()

    def is_over(self, number):
        late = self.until is not None and time.monotonic() > self.until
        return late or (self.templates is not None and number >= self.templates) or len(self.report.finds) >= self.most_finds

    def case(self, number):
        if number % MUTATED_SHARE == 0:
            return random_templates.mutated(f"{self.seed} {number}", self.cases)
        return random_templates.grown(f"{self.seed} {number}")

    def part(self, first, step):
        with engine.Pair() as pair:
            number = first
            while not self.is_over(number):
                self.compare(pair, number)
                number += step

    def compare(self, pair, number):
        case = self.case(number)
        want, got = pair.answers(case)
        verdict = engine.verdict(want, got)
        self.report.counts[verdict] += 1
        self.report.texts += "text" in want and number % MUTATED_SHARE != 0
        if verdict == engine.REFUSED:
            self.report.refusals[got["message"].split(" (line")[0]] += 1
        if verdict in WRONG:
            small = Shrinker(pair, case, verdict).run()
            self.report.finds.append(Find(f"seed {self.seed}, template {number}", verdict, small, *pair.answers(small)))

    def run(self, workers=None):
        workers = workers or min(4, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda first: self.part(first, workers), range(workers)))
        return self.report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--templates", type=int)
    parser.add_argument("--finds", type=int, default=10, help="stop after so many")
    options = parser.parse_args()
    report = Fuzzer(options.seed, options.seconds, options.templates, options.finds).run()
    for find in report.finds:
        print(find.describe())
    for message, count in report.refusals.most_common(20):
        print(f"refused {count} times: {message}")
    print(report.describe())
    return 1 if report.finds else 0


if __name__ == "__main__":
    sys.exit(main())
