"""Times llama.cpp through llama-cpp-python's C API; compare_llama_cpp.py starts it in that venv.

Reads one line per request on stdin, {"n_prompt": P, "n_gen": G, "flash": bool}, and answers with
one line, {"pp": seconds, "tg": seconds}. The first line it prints describes the build:
{"version": "...", "system": "..."}. Timed as llama-bench times: an empty cache before each, the
prompt as one batch whose last token alone has logits, then from an empty cache G decodes of one
token each, nothing sampled.
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
    """A model with two contexts, flash attention off and on; both with every prompt one batch."""

    def __init__(self, path: str, threads: int, n_ctx: int, extra_buffers: bool):
        lc.llama_log_set(silent, ctypes.c_void_p(0))
        lc.llama_backend_init()
        params = lc.llama_model_default_params()
        params.use_extra_bufts = extra_buffers
        self.model = lc.llama_model_load_from_file(path.encode(), params)
        if not self.model:
            sys.exit(f"llama.cpp cannot load {path}")
        self.n_vocab = lc.llama_vocab_n_tokens(lc.llama_model_get_vocab(self.model))
        self.contexts = {flash: self.context(threads, n_ctx, flash) for flash in (False, True)}

    def context(self, threads: int, n_ctx: int, flash: bool):
        params = lc.llama_context_default_params()
        params.n_ctx = n_ctx
        params.n_batch = params.n_ubatch = n_ctx
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = 1 if flash else 0
        params.no_perf = True
        ctx = lc.llama_init_from_model(self.model, params)
        if not ctx:
            sys.exit("llama.cpp cannot make a context")
        return ctx

    def tokens(self, n: int):
        return (lc.llama_token * n)(*[(7919 * i + 13) % self.n_vocab for i in range(n)])

    def decode(self, ctx, tokens, n: int):
        if lc.llama_decode(ctx, lc.llama_batch_get_one(tokens, n)) != 0:
            sys.exit("llama_decode failed")

    def prefill(self, flash: bool, n: int) -> float:
        ctx, tokens = self.contexts[flash], self.tokens(n)
        lc.llama_memory_clear(lc.llama_get_memory(ctx), True)
        start = time.perf_counter()
        self.decode(ctx, tokens, n)
        lc.llama_synchronize(ctx)
        return time.perf_counter() - start

    def generate(self, flash: bool, n: int) -> float:
        ctx, tokens = self.contexts[flash], self.tokens(n)
        lc.llama_memory_clear(lc.llama_get_memory(ctx), True)
        singles = [(lc.llama_token * 1)(t) for t in tokens]
        start = time.perf_counter()
        for single in singles:
            self.decode(ctx, single, 1)
            lc.llama_synchronize(ctx)
        return time.perf_counter() - start


def main():
    args = argparse.ArgumentParser()
    args.add_argument("model")
    args.add_argument("--threads", type=int, default=2)
    args.add_argument("--n-ctx", type=int, default=640)
    args.add_argument("--plain-buffers", action="store_true", help="keep weights as in the file")
    args = args.parse_args()
    session = Session(args.model, args.threads, args.n_ctx, not args.plain_buffers)
    for flash in (False, True):  # warm up
        session.prefill(flash, min(512, args.n_ctx))
        session.generate(flash, 8)
    system = lc.llama_print_system_info().decode().strip()
    print(json.dumps({"version": lc.__version__, "system": system}), flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        pp = session.prefill(ask["flash"], ask["n_prompt"])
        tg = session.generate(ask["flash"], ask["n_gen"])
        print(json.dumps({"pp": pp, "tg": tg}), flush=True)


if __name__ == "__main__":
    main()
