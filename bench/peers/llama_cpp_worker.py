"""Times llama.cpp through llama-cpp-python's C API; engines.py starts it in that package's venv.

First it prints a line that describes the build: {"version": ..., "system": ...}. Then it reads a test
per line, {"n_prompt", "n_gen", "n_seqs", "n_depth", "flash"}, and answers {"ts": tokens per second}.
Timed as llama-bench and llama-batched-bench time: one run to warm up for each new kind of test; the
cache is filled before the clock starts; of a prompt the last token alone has logits; nothing is
sampled. Tests mean what `quern bench` means by them.
"""

import argparse
import ctypes
import json
import sys
import time

import llama_cpp as lc


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def silent(_level, _text, _user):
    pass


class Session:
    """A model, and the context of the last test with what is in its cache."""

    def __init__(self, path: str, threads: int, extra_buffers: bool):
        lc.llama_log_set(silent, ctypes.c_void_p(0))
        lc.llama_backend_init()
        params = lc.llama_model_default_params()
        params.use_extra_bufts = extra_buffers
        self.threads = threads
        self.model = lc.llama_model_load_from_file(path.encode(), params)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        self.n_vocab = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(self.model))
        self.contexts = {}

    def context(self, length: int, n_seqs: int, flash: bool):
        """Kept from round to round; [context, tokens of the first sequence that are in it]."""
        key = (length, n_seqs, flash)
        if key in self.contexts:
            return self.contexts[key]
        params = lc.llama_context_default_params()
        params.n_ctx = n_seqs * ((length + 255) // 256 * 256)
        params.n_batch, params.n_ubatch = 2048, 512  # llama-bench's
        params.n_seq_max = n_seqs
        params.n_outputs_max = 0
        params.n_threads = params.n_threads_batch = self.threads
        params.flash_attn_type = 1 if flash else 0
        params.no_perf = True
        ctx = lc.llama_init_from_model(self.model, params)
        if not ctx:
            sys.exit("llama.cpp cannot make a context")
        self.contexts[key] = [ctx, None]
        return self.contexts[key]

    def decode(self, ctx, sequences: range, position: int, n: int, logits: bool):
        """n tokens of each sequence from `position` on; logits of each one's last token, or none."""
        batch = lc.llama_batch_init(n * len(sequences), 0, 1)
        for seq in sequences:
            for i in range(n):
                at = batch.n_tokens
                batch.token[at] = (7919 * (position + i) + 104729 * seq + 13) % self.n_vocab
                batch.pos[at] = position + i
                batch.n_seq_id[at] = 1
                batch.seq_id[at][0] = seq
                batch.logits[at] = logits and i == n - 1
                batch.n_tokens += 1
        status = lc.llama_decode(ctx, batch)
        lc.llama_synchronize(ctx)
        lc.llama_batch_free(batch)
        if status != 0:
            sys.exit("llama_decode failed")

    def fill(self, ctx, seq: int, n: int):
        for position in range(0, n, 2048):
            self.decode(ctx, range(seq, seq + 1), position, min(2048, n - position), False)

    def run(self, ctx, test: dict, untimed: int, warm_up: bool) -> float:
        sequences = range(test["n_seqs"])
        memory = lc.llama_get_memory(ctx)
        for seq in sequences:
            lc.llama_memory_seq_rm(memory, seq, untimed, -1)
        start = time.perf_counter()
        if test["n_gen"] == 0:
            for position in range(0, test["n_prompt"], 2048):
                n = min(2048, test["n_prompt"] - position)
                last = position + n == test["n_prompt"]
                self.decode(ctx, sequences, untimed + position, n, last)
            return test["n_prompt"] / (time.perf_counter() - start)
        n_gen = min(8, test["n_gen"]) if warm_up else test["n_gen"]
        for i in range(n_gen):
            self.decode(ctx, sequences, untimed + i, 1, True)
        return n_gen * len(sequences) / (time.perf_counter() - start)

    def measure(self, test: dict) -> float:
        untimed = test["n_depth"] + (test["n_prompt"] if test["n_gen"] else 0)
        length = untimed + (test["n_gen"] or test["n_prompt"])
        slot = self.context(length, test["n_seqs"], test["flash"])
        if slot[1] != untimed:
            lc.llama_memory_clear(lc.llama_get_memory(slot[0]), True)
            for seq in range(test["n_seqs"]):
                self.fill(slot[0], seq, untimed)
            slot[1] = untimed
            self.run(slot[0], test, untimed, True)
        return self.run(slot[0], test, untimed, False)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("model")
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--plain-buffers", action="store_true", help="keep weights as in the file")
    args = args.parse_args()
    session = Session(args.model, args.threads, not args.plain_buffers)
    session.measure({"n_prompt": 64, "n_gen": 0, "n_seqs": 1, "n_depth": 0, "flash": False})
    system = lc.llama_print_system_info().decode().strip()
    print(json.dumps({"version": lc.__version__, "system": system}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"ts": session.measure(json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()
