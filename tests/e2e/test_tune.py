"""quern tune: a search leaves records, a load uses them without changing a result, and whatever is
wrong with their file costs a note at most."""

import json
import os
import sqlite3
import subprocess

import pytest


@pytest.fixture
def tuned(binary, tmp_path):
    """tuned(*args) -> CompletedProcess with text, in a cache of its own; tuned.file: the records."""
    environment = dict(os.environ, NO_COLOR="1", XDG_CACHE_HOME=str(tmp_path))

    def run(*args, expect=0):
        done = subprocess.run(
            [str(binary), *map(str, args)], capture_output=True, text=True, timeout=300, env=environment
        )
        assert done.returncode == expect, done.stderr[-2000:]
        return done

    run.file = tmp_path / "quern" / "tuning.sqlite"
    return run


def records(tuned):
    return json.loads(tuned("tune", "--list", "--json").stdout)


def answer(tuned, model, *flags):
    return tuned("run", model, "-p", "The capital of France", "-n", 12, "--temperature", 0, *flags)


def products_of(done):
    return [line for line in done.stderr.splitlines() if " product " in line]


def test_a_search_leaves_records_that_are_listed_and_cleared(tuned):
    flags = ["--shape", "smollm2-135m", "--quant", "q4_0", "--quick", "--threads", 1]
    found = json.loads(tuned("tune", *flags, "--json").stdout)
    assert len(found) >= 4 and all(row["product"].startswith("product ") for row in found)
    changed = sum(len(f["changed"]) for row in found for f in row["findings"])
    assert len(records(tuned)) == changed
    assert all(r["threads"] == 1 and r["gain"] > 0 for r in records(tuned))
    assert tuned.file.is_file()
    assert json.loads(tuned("tune", "--clear", "--json").stdout) == {"cleared": changed}
    assert records(tuned) == []


def insert(tuned, product, parameter, value):
    machine = json.loads(tuned("doctor", "--no-measure", "--json", expect=1).stdout)  # no model there
    database = sqlite3.connect(tuned.file)
    with database:
        database.execute(
            "INSERT INTO tuning (cpu, isa, threads, kernels, product, parameter, value, gain)"
            " SELECT ?, ?, ?, 1, ?, ?, ?, 0.1",
            (machine["cpu"], machine["isa"], machine["threads"], product, parameter, value),
        )
    database.close()


def empty_records(tuned):
    tuned("tune", "--shape", "smollm2-135m", "--quick", "--threads", 1)
    tuned("tune", "--clear")


def test_a_load_uses_records_and_says_the_same(tuned, smollm2):
    empty_records(tuned)
    plain = answer(tuned, smollm2, "--dump", "emit")
    products = {line.split("product ")[1] for line in products_of(plain)}
    assert products and not any("chunk_kib" in line for line in products_of(plain))
    profile = tuned("bench", smollm2, "-p", 0, "-n", 2, "-r", 1, "--profile").stderr
    names = {line.split("  ")[-1].strip() for line in profile.splitlines() if "product " in line}
    for name in names:
        insert(tuned, name, "chunk_kib", 64)
    assert len(records(tuned)) == len(names) > 3
    cut = answer(tuned, smollm2, "--dump", "emit")
    assert all("chunk_kib 64" in line for line in products_of(cut))
    assert cut.stdout == plain.stdout
    off = answer(tuned, smollm2, "--dump", "emit", "--tuning", "off")
    assert not any("chunk_kib" in line for line in products_of(off))
    assert off.stdout == plain.stdout


def test_a_file_that_is_no_database_costs_one_note(tuned, smollm2):
    plain = answer(tuned, smollm2)
    assert "records" not in plain.stderr
    tuned.file.parent.mkdir(parents=True, exist_ok=True)
    tuned.file.write_text("not a database " * 100)
    warned = answer(tuned, smollm2)
    assert warned.stdout == plain.stdout
    assert warned.stderr.count("records are left aside") == 1 and str(tuned.file) in warned.stderr
    assert "records" not in answer(tuned, smollm2, "--tuning", "off").stderr
    tuned("tune", "--list", expect=1)


def test_flags_are_checked(tuned, smollm2):
    for flags in (["--tuning", "maybe"], ["--pin", "some"], ["--pin", "70000"]):
        assert flags[1] in tuned("run", smollm2, "-p", "x", "-n", 1, *flags, expect=2).stderr
    tuned("tune", "--quant", "q4_0", expect=2)


def test_pinned_threads_say_the_same(tuned, smollm2):
    plain = answer(tuned, smollm2)
    assert answer(tuned, smollm2, "--pin", "cores").stdout == plain.stdout
    first = min(os.sched_getaffinity(0))
    assert answer(tuned, smollm2, "--pin", first).stdout == plain.stdout
