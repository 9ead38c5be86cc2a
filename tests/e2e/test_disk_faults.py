"""Disks that are full or read-only, and programs that are killed while they write: an answer is
what it is without any of that, and what is left behind does no harm to the next one."""

import json
import os
import random
import resource
import signal
import subprocess
import time

import pytest

GREEDY = ["--temperature", 0, "-n", 8, "--raw", "--json"]


@pytest.fixture(scope="module")
def prompt(tmp_path_factory):
    """A file with a prompt of some ten pages of the cache."""
    path = tmp_path_factory.mktemp("prompt") / "prompt.txt"
    path.write_text("".join(f"Line {i} of a long prompt, which is the {i * i}th.\n" for i in range(40)))
    return path


@pytest.fixture(scope="module")
def cold(quern_json, prompt):
    return quern_json("run", "-f", prompt, *GREEDY[:-1])["ids"]


def small_files():
    """No file may have more than 100 kB, which is less than a page of the cache: writing fails as
    on a full disk, and the signal that comes with it would end a program that does not care."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.fixture
def run_ids(binary, prompt):
    """run_ids(*args, **how) -> (ids, stderr) of a greedy answer to the prompt."""
    def run(*args, environment=None, **how):
        command = [str(binary), "run", "-f", str(prompt), *map(str, [*GREEDY, *args])]
        environment = dict(os.environ, NO_COLOR="1", **(environment or {}))
        done = subprocess.run(command, capture_output=True, timeout=120, env=environment, **how)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return json.loads(done.stdout)["ids"], done.stderr.decode()

    return run


def test_a_full_disk_ends_the_cache_of_prompts_and_nothing_else(run_ids, cold, tmp_path):
    folder = tmp_path / "prompts"
    ids, said = run_ids("--prefix-cache", folder, preexec_fn=small_files)
    assert ids == cold
    assert said.count("no longer kept on disk") == 1
    assert "File too large" in said and "ulimit -f" in said and str(folder) in said
    assert list(folder.iterdir()) == []


def test_a_full_disk_costs_the_packed_weights_a_note(run_ids, cold, tmp_path):
    folder = tmp_path / "packed"
    ids, said = run_ids(
        "--packed-cache", "on", environment={"QUERN_PACKED_CACHE": str(folder)}, preexec_fn=small_files
    )
    assert ids == cold
    assert "File too large" in said and str(folder) in said
    assert not any(path.is_file() for path in folder.rglob("*"))


def test_a_folder_that_cannot_be_written_costs_a_note(run_ids, cold, tmp_path):
    (tmp_path / "file").write_text("no folder")
    for folder in [tmp_path / "file", tmp_path / "file" / "below", "/proc/quern"]:
        ids, said = run_ids("--prefix-cache", folder)
        assert ids == cold
        assert said.count("no longer kept on disk") == 1 and str(folder) in said


def test_what_killed_programs_wrote_is_right_or_ignored(run_ids, cold, binary, prompt, tmp_path):
    folder = tmp_path / "prompts"
    command = [str(binary), "run", "-f", str(prompt), "--prefix-cache", str(folder), *map(str, GREEDY)]
    chance = random.Random(7)
    n_killed = 0
    for _ in range(10):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (folder.exists() and any(folder.iterdir())):
            time.sleep(0.005)  # until it has begun to write
        time.sleep(chance.random() * 0.2)
        process.kill()
        n_killed += process.wait() == -signal.SIGKILL
        if chance.random() < 0.3:  # and a file lost its end, as with the power
            for path in list(folder.iterdir())[:1]:
                os.truncate(path, path.stat().st_size * chance.randrange(100) // 100)
    assert n_killed > 0
    assert run_ids("--prefix-cache", folder)[0] == cold
    assert run_ids("--prefix-cache", folder)[0] == cold  # and from what that one wrote
