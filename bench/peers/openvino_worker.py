"""Times OpenVINO GenAI on a GGUF file; engines.py starts it in that package's venv.

The protocol of llama_cpp_worker.py; {"ts": null} for what it cannot run. The pipeline offers no
forward pass of its own, so speeds come from its own counters: a prompt's from the time to the first
token, generation's from the mean time per token after the first (greedy, the end token ignored),
after a prompt as long as the cache is to be filled.
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np
import openvino
import openvino_genai


def main():
    args = argparse.ArgumentParser()
    args.add_argument("model")
    args.add_argument("--threads", type=int, default=2)
    args = args.parse_args()
    try:
        pipe = openvino_genai.LLMPipeline(args.model, "CPU", INFERENCE_NUM_THREADS=args.threads)
    except Exception as error:  # whatever its reader says of a file that it does not know
        sys.exit(f"OpenVINO GenAI cannot load {args.model}: {str(error).splitlines()[0]}")

    def metrics(n_input: int, n_gen: int):
        config = openvino_genai.GenerationConfig()
        config.max_new_tokens = n_gen
        config.ignore_eos = True
        ids = (np.arange(n_input, dtype=np.int64) * 7919 + 13) % 256
        return pipe.generate(openvino.Tensor(ids.reshape(1, n_input)), config).perf_metrics

    def measure(test: dict) -> float | None:
        n_gen = test["n_gen"]
        if test["n_seqs"] > 1 or (n_gen == 0 and test["n_depth"]):
            return None  # it takes one sequence of ids at a time, and begins with an empty cache
        if n_gen == 0:
            return test["n_prompt"] * 1000 / metrics(test["n_prompt"], 1).get_ttft().mean
        n_input = max(1, test["n_depth"] + test["n_prompt"])
        return 1000 / metrics(n_input, n_gen + 1).get_tpot().mean

    metrics(64, 8)  # warm up
    about = {"version": openvino_genai.__version__, "system": "CPU plugin"}
    print(json.dumps(about), flush=True)
    warm = set()
    for line in sys.stdin:
        test = json.loads(line)
        if line not in warm:  # the first run of a shape compiles kernels for it
            measure(test | {"n_gen": min(test["n_gen"], 8)})
            warm.add(line)
        print(json.dumps({"ts": measure(test)}), flush=True)


if __name__ == "__main__":
    main()
