"""What every end-to-end test shares: where the program and the model are, and how to run it.

The program is $QUERN_BIN or build/bin/quern (./dev build); the default model lies where ./dev puts
it. Neither is built or fetched here, and a missing one fails the test: a skipped proof is none.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", autouse=True)
def no_packed_cache_of_the_user():
    """Tests neither find nor leave packed weights; those of the cache name a folder of their own."""
    os.environ["QUERN_PACKED_CACHE"] = ""


@pytest.fixture(scope="session")
def binary() -> Path:
    path = Path(os.environ.get("QUERN_BIN", REPOSITORY / "build" / "bin" / "quern"))
    if not os.access(path, os.X_OK):
        pytest.fail(f"no program at {path}: run ./dev build, or set QUERN_BIN")
    return path


@pytest.fixture(scope="session")
def smollm2() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    path = cache / "quern" / "models" / "smollm2-135m-instruct-q4_1.gguf"
    if not path.is_file():
        pytest.fail(f"no model at {path}: ./dev chat and ./dev test fetch it")
    return path


@pytest.fixture(scope="session")
def quern(binary):
    """quern(*args, stdin=None, timeout=120, expect=0) -> CompletedProcess with bytes; fails the
    test on any other exit code than `expect`."""

    def run(*args, stdin: bytes | None = None, timeout: float = 120, expect: int | None = 0):
        command = [str(binary), *map(str, args)]
        environment = dict(os.environ, NO_COLOR="1")
        done = subprocess.run(
            command, input=stdin or b"", capture_output=True, timeout=timeout, env=environment
        )
        if expect is not None and done.returncode != expect:
            pytest.fail(
                f"{' '.join(command)}\nexit code {done.returncode}, expected {expect}\n"
                f"{done.stderr.decode(errors='replace')[-2000:]}"
            )
        return done

    return run


@pytest.fixture(scope="session")
def quern_json(quern):
    """As quern(), with --json added; returns what it printed, parsed."""

    def run(*args, **options):
        return json.loads(quern(*args, "--json", **options).stdout)

    return run
