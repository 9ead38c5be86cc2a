#!/usr/bin/env python3
"""Quern against its peers on one GGUF file: prompts, generation, a deep cache, sequences at once.

    python3 bench/peers/install.py peers --openvino
    python3 bench/peers/compare.py --peers peers [MODEL.gguf] --svg docs/peers.svg

Rounds alternate between the engines, so that a busy machine hurts all alike. A figure is the median
over the rounds; a ratio is the median of the rounds' ratios to the peer whose median is best. Shares
are of what the machine could do in the same round, as `quern bench` measures it: of its int8 dot
products for prompts, of its memory bandwidth otherwise, with the bytes that the file stores.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

import engines
import plot

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
DEFAULT_MODEL = CACHE / "quern" / "models" / "smollm2-135m-instruct-q4_1.gguf"


def tests_of(args) -> dict[str, dict]:
    """Name -> test, in the words of `quern bench --json`."""

    def test(n_prompt=0, n_gen=0, n_seqs=1, n_depth=0):
        return {"n_prompt": n_prompt, "n_gen": n_gen, "n_seqs": n_seqs, "n_depth": n_depth}

    tests = {
        f"prompt of {args.prompt}": test(n_prompt=args.prompt),
        f"generation of {args.gen}": test(n_gen=args.gen),
    }
    if args.depth:
        tests[f"prompt of {args.depth}"] = test(n_prompt=args.depth)
        tests[f"generation of {args.deep_gen} at depth {args.depth}"] = test(
            n_gen=args.deep_gen, n_depth=args.depth
        )
    for n in args.seqs:
        tests[f"{n} sequences, {args.deep_gen} each after {args.seq_prompt}"] = test(
            args.seq_prompt, args.deep_gen, n
        )
    return tests


def shares(found: dict[str, dict], test: dict) -> dict[str, float]:
    """Engine -> share of the limit of this round, from Quern's row."""
    ours = next((row for row in found.values() if "gbps" in row), None)
    if not ours:
        return {}
    rate, limit = ("gops", "int8_gops") if test["n_gen"] == 0 else ("gbps", "dram_gbps")
    per_token = ours[rate] / ours["ts"]
    return {e: row["ts"] * per_token / ours[limit] for e, row in found.items() if row["ts"]}


def measure(all_engines: list, tests: dict[str, dict], rounds: int) -> list[dict]:
    """Per round: test name -> engine -> {"ts", "share"}."""
    results = []
    for i in range(rounds):
        result = {}
        for name, test in tests.items():
            found = {engine.name: engine.run(test) for engine in all_engines}
            share = shares(found, test)
            result[name] = {
                e: {"ts": row["ts"], "share": share.get(e)} for e, row in found.items() if row["ts"]
            }
        results.append(result)
        print(f"round {i + 1} of {rounds}", file=sys.stderr)
    return results


def summary(rounds: list[dict], name: str) -> dict:
    """Medians by engine, the best peer, and of each of Quern's the ratio to it."""
    names = list(rounds[0][name])

    def medians(key: str) -> dict[str, float]:
        found = {}
        for e in names:
            values = [r[name][e][key] for r in rounds if r[name][e][key] is not None]
            if values:
                found[e] = statistics.median(values)
        return found

    speeds = medians("ts")
    peers = [e for e in names if not e.startswith("quern")]
    best = max(peers, key=speeds.get) if peers else None
    ratios = {
        e: [r[name][e]["ts"] / r[name][best]["ts"] for r in rounds]
        for e in names
        if best and e.startswith("quern")
    }
    return {
        "median_ts": speeds,
        "share": medians("share"),
        "best_peer": best,
        "ratio": {e: statistics.median(r) for e, r in ratios.items()},
        "least_ratio": {e: min(r) for e, r in ratios.items()},
    }


def table(result: dict) -> str:
    """Markdown: a row a test; in brackets the share of the limit, behind Quern's the ratio."""
    names = [e["name"] for e in result["engines"]]
    lines = ["| tokens/s | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for test, s in result["summary"].items():
        cells = [test]
        for e in names:
            if e not in s["median_ts"]:
                cells.append("-")
                continue
            cell = f"{s['median_ts'][e]:.1f}"
            if e in s["share"]:
                cell += f" ({100 * s['share'][e]:.0f} %)"
            if e in s["ratio"]:
                cell += f", {s['ratio'][e]:.2f}x (least {s['least_ratio'][e]:.2f}x)"
            cells.append(cell)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def about(result: dict) -> str:
    """The model, and a line for each build: engines of one build share it."""
    names = {}
    for e in result["engines"]:
        line = " ".join(filter(None, [e["version"], e["system"], e.get("note", "")]))
        names.setdefault(line, []).append(e["name"])
    rounds = f"medians of {len(result['rounds'])} rounds"
    lines = [f"{result['model']}, {result['threads']} threads, {rounds}"]
    return "\n".join([*lines, *(f"{', '.join(who)}: {line}" for line, who in names.items())])


def start(args) -> list:
    found = [engines.Quern(args.quern, args.model, args.threads, n) for n in args.numerics]
    for folder, start_engine in (("llama-cpp", engines.llama_cpp), ("openvino", engines.openvino)):
        python = args.peers / folder / "bin" / "python"
        if python.exists():
            found += start_engine(python, args.model, args.threads)
    return found


def parse():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    number = {"type": int, "metavar": "N"}
    args.add_argument("model", nargs="?", type=Path, default=DEFAULT_MODEL)
    args.add_argument("--peers", type=Path, required=True, help="where install.py put them")
    args.add_argument("--quern", type=Path, default=HERE.parents[1] / "build" / "bin" / "quern")
    args.add_argument("--numerics", nargs="+", default=["auto"], help="of Quern [auto]")
    args.add_argument("--threads", default=2, **number)
    args.add_argument("--prompt", default=512, **number)
    args.add_argument("--gen", default=128, **number)
    args.add_argument("--depth", default=4096, help="0: no such tests", **number)
    args.add_argument("--deep-gen", default=32, help="tokens at depth, and per sequence", **number)
    args.add_argument("--seqs", nargs="*", default=[8], **number)
    args.add_argument("--seq-prompt", default=128, **number)
    args.add_argument("--rounds", default=5, **number)
    args.add_argument("--json", type=Path, help="also write everything measured to this file")
    args.add_argument("--svg", type=Path, help="also draw the medians into this file")
    return args.parse_args()


def main():
    args = parse()
    for path in (args.quern, args.model):
        if not path.is_file():
            sys.exit(f"no file {path}: ./dev build makes the program, ./dev chat fetches the model")
    try:
        all_engines = start(args)
        tests = tests_of(args)
        rounds = measure(all_engines, tests, args.rounds)
    except subprocess.CalledProcessError as error:
        sys.exit(f"{shlex.join(error.cmd)} ended with exit code {error.returncode}")
    result = {
        "model": args.model.name,
        "threads": args.threads,
        "engines": [{"name": e.name} | e.about for e in all_engines],
        "tests": tests,
        "summary": {name: summary(rounds, name) for name in tests},
        "rounds": rounds,
    }
    for engine in all_engines:
        engine.stop()
    print(f"{about(result)}\n\n{table(result)}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    if args.svg:
        bars = [(name, s["median_ts"]) for name, s in result["summary"].items()]
        note = f"{args.threads} threads, medians of {args.rounds} alternating rounds"
        command = "python3 bench/peers/compare.py " + shlex.join(sys.argv[1:])
        args.svg.write_text(plot.svg(args.model.stem, note, bars, command))


if __name__ == "__main__":
    main()
