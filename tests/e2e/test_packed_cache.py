"""Packed weights between starts: kept, mapped, and never in the way."""

import os
import subprocess

import pytest

RUN = ["run", "--raw", "-p", "Once upon a time", "-n", 8, "--temperature", 0, "--seed", 1]


@pytest.fixture
def folder(monkeypatch, tmp_path):
    path = tmp_path / "packed"
    monkeypatch.setenv("QUERN_PACKED_CACHE", str(path))
    return path


def ids(quern_json, *flags):
    return quern_json(*RUN, *flags)["ids"]


def mapped(quern):
    return "mapped from" in quern(*RUN, "--dump", "emit").stderr.decode()


def only_file(folder):
    (path,) = folder.iterdir()
    return path


def test_the_second_start_maps_what_the_first_kept(quern, quern_json, folder):
    fresh = ids(quern_json, "--packed-cache", "off")
    assert not folder.exists()
    assert ids(quern_json, "--packed-cache", "on") == fresh
    path = only_file(folder)
    assert path.stat().st_size > 50e6
    before = path.stat()
    assert mapped(quern)
    assert ids(quern_json) == fresh
    after = only_file(folder).stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert after.st_mtime_ns > before.st_mtime_ns  # the note of use


def test_logits_are_the_same_bits(quern, quern_json, folder, tmp_path):
    text = tmp_path / "text"
    text.write_text("It was a bright cold day in April, and the clocks were striking thirteen.")
    for name, use in (("off", "off"), ("first", "on"), ("second", "on")):
        quern("eval", "--text", text, "--logits", tmp_path / name, "--packed-cache", use)
    fresh = (tmp_path / "off").read_bytes()
    assert (tmp_path / "first").read_bytes() == fresh
    assert (tmp_path / "second").read_bytes() == fresh
    assert mapped(quern)


def test_a_damaged_file_is_named_once_and_made_again(quern, quern_json, folder):
    fresh = ids(quern_json, "--packed-cache", "on")
    path = only_file(folder)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    done = quern(*RUN, "--json", "--packed-cache", "on")
    assert done.stderr.decode().count("packed anew") == 1 and path.name in done.stderr.decode()
    assert ids(quern_json) == fresh
    assert mapped(quern)


def test_a_changed_model_is_packed_anew(quern, quern_json, folder, smollm2, tmp_path):
    fresh = ids(quern_json, "--packed-cache", "on")
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(smollm2.read_bytes())
    # Written just now: not even kept.
    assert quern_json(*RUN, "-m", copy, "--packed-cache", "on")["ids"] == fresh
    assert len(list(folder.iterdir())) == 1


def test_a_folder_that_cannot_be_does_no_harm(quern, quern_json, monkeypatch):
    fresh = ids(quern_json, "--packed-cache", "off")
    for place in ("/dev/null/packed", "/proc/packed", ""):
        monkeypatch.setenv("QUERN_PACKED_CACHE", place)
        done = quern(*RUN)
        assert done.stderr == b""
        assert ids(quern_json, "--packed-cache", "on") == fresh


def test_without_a_home(quern, quern_json, monkeypatch, smollm2):
    for name in ("HOME", "XDG_CACHE_HOME", "QUERN_PACKED_CACHE"):
        monkeypatch.delenv(name, raising=False)
    assert quern_json(*RUN, "-m", smollm2, "--packed-cache", "on")["ids"]
    quern("cache", expect=1)


def test_cache_lists_checks_and_clears(quern, quern_json, folder, smollm2):
    empty = quern_json("cache")
    assert empty["files"] == [] and empty["bytes"] == 0 and empty["folder"] == str(folder)
    ids(quern_json, "--packed-cache", "on")
    listed = quern_json("cache")
    (file,) = listed["files"]
    assert file["model"] == str(smollm2) and file["model_present"] and file["state"] == "not checked"
    assert file["kind"] == "weights"
    assert file["path"] == str(only_file(folder)) and listed["bytes"] == file["bytes"] > 50e6
    assert listed["limit"] > 0
    assert str(smollm2) in quern("cache").stdout.decode()
    assert quern_json("cache", "--check")["files"][0]["state"] == "whole"

    with open(file["path"], "r+b") as packed:
        packed.seek(-100, os.SEEK_END)
        byte = packed.read(1)
        packed.seek(-100, os.SEEK_END)
        packed.write(bytes([byte[0] ^ 1]))
    done = quern("cache", "--check", expect=1)
    assert "damaged" in done.stdout.decode()

    (folder / "mine").write_text("not the cache's")
    cleared = quern_json("cache", "--clear")
    assert cleared["deleted"] == 1 and cleared["bytes"] == file["bytes"]
    assert [p.name for p in folder.iterdir()] == ["mine"]
    assert quern_json("cache")["files"] == []


def test_tokenizers_are_listed_and_cleared_too(quern_json, folder):
    folder.mkdir()
    (folder / "0123.tokenizer").write_bytes(b"none of ours")
    (file,) = quern_json("cache", "--check")["files"]
    assert (file["kind"], file["state"]) == ("tokenizer", "not usable")
    assert quern_json("cache", "--clear")["deleted"] == 1
    assert list(folder.iterdir()) == []


def test_cache_flags(quern, folder):
    assert b"--check" in quern("cache", "--clear", "--check", expect=2).stderr


def test_two_at_once(binary, folder, quern, quern_json):
    fresh = ids(quern_json, "--packed-cache", "off")
    command = [str(binary), *map(str, RUN), "--json", "--packed-cache", "on", "--threads", "1"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0 and err == b""
    assert len(list(folder.iterdir())) == 1
    assert quern_json("cache", "--check")["files"][0]["state"] == "whole"
    assert ids(quern_json) == fresh
