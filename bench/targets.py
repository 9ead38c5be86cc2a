#!/usr/bin/env python3
"""Runs the benches behind docs/performance.md one after the other and prints its table as Markdown.

    python3 bench/targets.py [--quern build/bin/quern] [--only TEXT] [--repetitions N]

Shares are medians of the runs' shares of what the machine could do in the same seconds: bytes of weights
and cache read a second over the measured memory bandwidth, operations over the measured int8 dot
products. Nothing is written; weights are random and made in memory.
"""

import argparse
import json
import subprocess
from dataclasses import dataclass


@dataclass
class Row:
    name: str
    arguments: str  # of quern bench
    share: str | None  # which share the target is about: int8, dram; None: tokens a second
    target: float


FORMATS = {"q4_0": 0.75, "q8_0": 0.75, "q4_1": 0.68, "q4_k": 0.68, "q5_k": 0.68, "q6_k": 0.68,
           "iq4_xs": 0.68, "mxfp4": 0.68}
ONE_B = "--shape llama-3.2-1b --quant"
BITNET = "--shape bitnet-2b-4t --quant tq1_0"
SMALL = "--shape smollm2-135m --quant q4_1"

ROWS = [
    *(Row(f"1b {f}, prefill 512", f"{ONE_B} {f} -p 512 -n 0", "int8", t) for f, t in FORMATS.items()),
    *(Row(f"1b {f}, decode", f"{ONE_B} {f} -p 0 -n 32", "dram", 0.93) for f in FORMATS),
    *(Row(f"1b q4_0, {n} sequences, {numerics}",
          f"{ONE_B} q4_0 -p 128 -n 16 --seqs {n} --numerics {numerics}", None, t)
      for numerics, targets in {"fast": (400, 500, 550), "auto": (230, 270, 280)}.items()
      for n, t in zip((8, 16, 32), targets)),
    Row("bitnet-2b-4t, prefill 512", f"{BITNET} -p 512 -n 0", "int8", 0.85),
    Row("bitnet-2b-4t, decode", f"{BITNET} -p 0 -n 32", "dram", 0.90),
    Row("1b q4_0, prefill 4096", f"{ONE_B} q4_0 -p 4096 -n 0", "int8", 0.60),
    Row("1b q4_0, decode at 4096", f"{ONE_B} q4_0 -p 0 -n 32 -d 4096", "dram", 0.80),
    Row("smollm2-135m q4_1, prefill 512", f"{SMALL} -p 512 -n 0", "int8", 0.55),
    Row("smollm2-135m q4_1, decode", f"{SMALL} -p 0 -n 128", "dram", 0.70),
    Row("smollm2-135m q4_1, prefill 4096", f"{SMALL} -p 4096 -n 0", None, 2000),
    Row("smollm2-135m q4_1, decode at 4096", f"{SMALL} -p 0 -n 64 -d 4096", "dram", 0.60),
]


def measure(quern: str, row: Row, repetitions: int) -> dict:
    command = [quern, "bench", *row.arguments.split(), "-r", str(repetitions), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)[0]


def shown(row: Row, result: dict) -> str:
    if row.share is None:
        return f"{result['median_ts']:.0f} tok/s"
    return f"{100 * result['share_' + row.share]:.0f} % of {row.share}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quern", default="build/bin/quern")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    print("| what | target | measured | tokens/s | limits then |\n|---|---|---|---|---|")
    for row in ROWS:
        if arguments.only not in row.name:
            continue
        result = measure(arguments.quern, row, arguments.repetitions)
        target = f"{100 * row.target:.0f} %" if row.share else f"{row.target:.0f} tok/s"
        limits = f"{result['dram_gbps']:.1f} GB/s, {result['int8_gops']:.0f} GOP/s"
        print(f"| {row.name} | {target} | {shown(row, result)} | {result['median_ts']:.1f} | {limits} |",
              flush=True)


if __name__ == "__main__":
    main()
