#!/usr/bin/env python3
"""Installs the peers, each into a venv of its own under DIR; what is there already stays.

    python3 bench/peers/install.py DIR [--openvino]

llama-cpp-python is built from its source distribution for the processor at hand: about ten minutes on
two cores.
"""

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

LLAMA_CPP = ["--no-binary", "llama-cpp-python", "llama-cpp-python==0.3.36"]
OPENVINO = ["openvino-genai==2026.4.1.0"]


def install(folder: Path, packages: list[str], probe: str, environment: dict[str, str]) -> None:
    python = folder / "bin" / "python"
    check = [python, "-c", f"import {probe}"]
    if python.exists() and subprocess.run(check, capture_output=True).returncode == 0:
        print(f"{folder}: there")
        return
    print(f"{folder}: installing {packages[-1]}", flush=True)
    venv.create(folder, with_pip=True)
    command = [python, "-m", "pip", "install", "--quiet", *packages]
    subprocess.run(command, env=os.environ | environment, check=True)


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("dir", type=Path)
    args.add_argument("--openvino", action="store_true", help="OpenVINO GenAI as well")
    args = args.parse_args()
    native = {"CMAKE_ARGS": "-DGGML_NATIVE=ON"}
    try:
        install(args.dir / "llama-cpp", LLAMA_CPP, "llama_cpp", native)
        if args.openvino:
            install(args.dir / "openvino", OPENVINO, "openvino_genai", {})
    except subprocess.CalledProcessError as error:
        sys.exit(f"pip failed with exit code {error.returncode}")


if __name__ == "__main__":
    main()
