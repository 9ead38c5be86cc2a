"""The engines that compare.py lets run against each other: each answers one test at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Worker:
    """A process in an engine's own venv that keeps the model loaded for all rounds."""

    def __init__(self, python: Path, script: str, model: Path, threads: int, options=()):
        command = [python, HERE / script, model, "--threads", threads, *options]
        self.process = subprocess.Popen(
            [str(x) for x in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        self.about = json.loads(line) if line else None  # None: it ended

    def ask(self, test: dict) -> float | None:
        self.process.stdin.write(json.dumps(test) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.process.args[:2])} ended in the middle of {test}")
        return json.loads(line)["ts"]

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Quern:
    """One process per test: loading is not measured."""

    def __init__(self, program: Path, model: Path, threads: int, numerics: str):
        self.name = "quern" if numerics == "auto" else f"quern {numerics}"
        self.command = [program, "bench", model, "--threads", threads, "--numerics", numerics]
        version = subprocess.run([program, "version"], capture_output=True, text=True, check=True)
        self.about = {"version": version.stdout.split("\n")[0], "system": ""}

    def run(self, test: dict) -> dict:
        sizes = ["-p", test["n_prompt"], "-n", test["n_gen"], "-d", test["n_depth"], "-r", 1]
        if test["n_seqs"] > 1:
            sizes += ["--seqs", test["n_seqs"]]
        command = [str(x) for x in [*self.command, *sizes, "--json"]]
        out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        (row,) = json.loads(out)
        self.about["system"] = row["isa"]
        return row | {"ts": row["median_ts"]}

    def stop(self):
        pass


class LlamaCpp:
    """Without or with flash attention; both share one process."""

    def __init__(self, worker: Worker, flash: bool, note: str):
        self.name = "llama.cpp -fa" if flash else "llama.cpp"
        self.worker, self.flash = worker, flash
        self.about = worker.about | {"note": note}

    def run(self, test: dict) -> dict:
        return {"ts": self.worker.ask(test | {"flash": self.flash})}

    def stop(self):
        if self.flash:
            self.worker.stop()


class OpenVino:
    name = "openvino"

    def __init__(self, worker: Worker):
        self.worker, self.about = worker, worker.about

    def run(self, test: dict) -> dict:
        return {"ts": self.worker.ask(test)}

    def stop(self):
        self.worker.stop()


def llama_cpp(python: Path, model: Path, threads: int) -> list[LlamaCpp]:
    """Where its build crashes at start it runs without repacked weights: gcc 12 drops the stores of
    ggml's AMX tile configuration, and the first multiplication by tiles ends the process."""
    note, options = "", []
    worker = Worker(python, "llama_cpp_worker.py", model, threads)
    if not worker.about:
        note, options = "weights not repacked: the build crashes otherwise", ["--plain-buffers"]
        worker = Worker(python, "llama_cpp_worker.py", model, threads, options)
    if not worker.about:
        sys.exit(f"llama.cpp does not run: {python} {HERE / 'llama_cpp_worker.py'} {model}")
    return [LlamaCpp(worker, flash, note) for flash in (False, True)]


def openvino(python: Path, model: Path, threads: int) -> list[OpenVino]:
    """Empty where it cannot load the model; it has said so on stderr."""
    worker = Worker(python, "openvino_worker.py", model, threads)
    return [OpenVino(worker)] if worker.about else []
