#!/usr/bin/env python3
"""Quern against llama.cpp (llama-cpp-python) on one GGUF file: prefill and decode in tokens/s.

    python3 -m venv peer && CMAKE_ARGS=-DGGML_NATIVE=ON peer/bin/pip install \\
        --no-binary llama-cpp-python llama-cpp-python==0.3.36
    python3 bench/compare_llama_cpp.py --python peer/bin/python [MODEL.gguf]

Rounds alternate between the two, so that a busy machine hurts both alike: one round of llama.cpp
without and one with flash attention, then one of Quern. A figure is the median over the rounds, the
ratio the median of the rounds' ratios; llama.cpp counts with the better of its two settings.
Where its build crashes at start (gcc 12 breaks ggml's AMX code), it runs without repacked weights.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
DEFAULT_MODEL = CACHE / "quern" / "models" / "smollm2-135m-instruct-q4_1.gguf"


class LlamaCpp:
    """The worker process, kept for all rounds; the model stays loaded."""

    def __init__(self, args):
        self.args = args
        self.note = ""
        if not self.start([]):
            self.note = "weights not repacked: the build crashes otherwise"
            if not self.start(["--plain-buffers"]):
                sys.exit(f"llama.cpp does not run: {args.python} {HERE / 'llama_cpp_worker.py'}")

    def start(self, options: list[str]) -> bool:
        worker = [self.args.python, HERE / "llama_cpp_worker.py", self.args.model, *options]
        sizes = ["--threads", self.args.threads, "--n-ctx", self.args.prompt + self.args.gen]
        self.process = subprocess.Popen(
            [str(x) for x in [*worker, *sizes]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        self.about = json.loads(line) if line else {}
        return bool(line)

    def round(self, flash: bool) -> dict[str, float]:
        ask = {"n_prompt": self.args.prompt, "n_gen": self.args.gen, "flash": flash}
        self.process.stdin.write(json.dumps(ask) + "\n")
        self.process.stdin.flush()
        seconds = json.loads(self.process.stdout.readline())
        return {"pp": self.args.prompt / seconds["pp"], "tg": self.args.gen / seconds["tg"]}

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def quern_round(args) -> dict[str, float]:
    sizes = ["-p", args.prompt, "-n", args.gen, "-r", 1, "--threads", args.threads]
    command = [args.quern, "bench", args.model, *sizes, "--json"]
    out = subprocess.run([str(x) for x in command], stdout=subprocess.PIPE, check=True).stdout
    rows = json.loads(out)
    pp = next(r["avg_ts"] for r in rows if r["n_prompt"] and not r["n_gen"])
    tg = next(r["avg_ts"] for r in rows if r["n_gen"] and not r["n_prompt"])
    return {"pp": pp, "tg": tg}


def measure(args) -> dict:
    llama = LlamaCpp(args)
    rounds = []
    for i in range(args.rounds):
        plain, flash = llama.round(False), llama.round(True)
        ours = quern_round(args)
        rounds.append({"llama.cpp": plain, "llama.cpp -fa": flash, "quern": ours})
        print(f"round {i + 1} of {args.rounds}", file=sys.stderr)
    llama.stop()
    return {
        "model": str(args.model),
        "threads": args.threads,
        "llama_cpp": llama.about | {"note": llama.note},
        "rounds": rounds,
        "summary": {kind: summary(rounds, kind) for kind in ("pp", "tg")},
    }


def summary(rounds: list[dict], kind: str) -> dict:
    medians = {who: statistics.median(r[who][kind] for r in rounds) for who in rounds[0]}
    best = max(("llama.cpp", "llama.cpp -fa"), key=medians.get)
    ratios = [r["quern"][kind] / r[best][kind] for r in rounds]
    return {
        "median_ts": medians,
        "best_of_llama_cpp": best,
        "ratio": statistics.median(ratios),
        "least_ratio": min(ratios),
    }


def print_table(result: dict, args) -> None:
    about = result["llama_cpp"]
    print(f"{Path(result['model']).name}, {args.threads} threads, medians of {args.rounds} rounds")
    print(f"llama-cpp-python {about['version']}: {about['system']} {about['note']}\n")
    print(f"{'tokens/s':<12}{'llama.cpp':>12}{'with -fa':>12}{'quern':>12}{'ratio':>9}{'least':>8}")
    for kind, name in (("pp", f"pp{args.prompt}"), ("tg", f"tg{args.gen}")):
        s = result["summary"][kind]
        figures = "".join(f"{ts:>12.1f}" for ts in s["median_ts"].values())
        print(f"{name:<12}{figures}{s['ratio']:>9.2f}{s['least_ratio']:>8.2f}")


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("model", nargs="?", type=Path, default=DEFAULT_MODEL)
    args.add_argument("--python", required=True, help="a Python that has llama_cpp")
    args.add_argument("--quern", type=Path, default=HERE.parent / "build" / "bin" / "quern")
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--prompt", type=int, default=512)
    args.add_argument("--gen", type=int, default=128)
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--json", type=Path, help="also write everything measured to this file")
    args = args.parse_args()
    for path in (args.quern, args.model):
        if not path.is_file():
            sys.exit(f"no file {path}: ./dev build makes the program, ./dev chat fetches the model")
    result = measure(args)
    print_table(result, args)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
