"""The comparison with other engines (bench/peers), with engines that are made up: what is asked of each, what the
medians, ratios and shares are, and that the random model files it measures on are sound."""

import json
import os
import stat
import struct
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

PEERS = Path(__file__).resolve().parents[2] / "bench" / "peers"
sys.path.insert(0, str(PEERS))

import compare  # noqa: E402
import engines  # noqa: E402
import plot  # noqa: E402
import random_gguf  # noqa: E402


def round_of(test: str, **speeds: float) -> dict:
    return {test: {e.replace("_", " "): {"ts": ts, "share": ts / 100} for e, ts in speeds.items()}}


def test_ratios_are_medians_of_rounds_against_the_best_peer():
    rounds = [
        round_of("t", quern=20.0, quern_fast=30.0, slow=4.0, peer=5.0),
        round_of("t", quern=10.0, quern_fast=30.0, slow=90.0, peer=10.0),
        round_of("t", quern=60.0, quern_fast=30.0, slow=4.0, peer=20.0),
    ]
    s = compare.summary(rounds, "t")
    assert s["median_ts"] == {"quern": 20.0, "quern fast": 30.0, "slow": 4.0, "peer": 10.0}
    assert s["best_peer"] == "peer"
    assert s["ratio"] == {"quern": 3.0, "quern fast": 3.0}  # of 4, 1, 3 and 6, 3, 1.5
    assert s["least_ratio"] == {"quern": 1.0, "quern fast": 1.5}
    assert s["share"]["quern"] == 0.2


def test_a_round_without_peers_has_no_ratio():
    s = compare.summary([round_of("t", quern=20.0)], "t")
    assert s["best_peer"] is None and s["ratio"] == {}


def test_shares_count_the_bytes_of_quern():
    row = {"gbps": 8.0, "gops": 50.0, "dram_gbps": 16.0, "int8_gops": 1000.0, "ts": 10.0}
    found = {"quern": row, "peer": {"ts": 5.0}, "absent": {"ts": None}}
    assert compare.shares(found, {"n_gen": 8}) == {"quern": 0.5, "peer": 0.25}
    assert compare.shares(found, {"n_gen": 0}) == {"quern": 0.05, "peer": 0.025}


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


FAKE_QUERN = """
import json, sys
if sys.argv[1] == "version":
    print("quern 9.9")
else:
    of = lambda flag, otherwise=0: int(sys.argv[sys.argv.index(flag) + 1]) if flag in sys.argv else otherwise
    row = {"isa": "scalar", "gbps": 2.0, "gops": 3.0, "dram_gbps": 4.0, "int8_gops": 6.0}
    print(json.dumps([row | {"median_ts": 100.0 * of("--seqs", 1) + of("-d")}]))
"""
FAKE_PEER = """
import json, sys
if "--plain-buffers" not in sys.argv:
    sys.exit(1)  # as a broken build does
print(json.dumps({"version": "1.2", "system": "some"}), flush=True)
for line in sys.stdin:
    test = json.loads(line)
    ts = None if test["n_depth"] else 50.0 * test["n_seqs"] + test["flash"]
    print(json.dumps({"ts": ts}), flush=True)
"""


@pytest.fixture
def compared(tmp_path, monkeypatch, capsys):
    """Runs compare.py's main with a made-up Quern and a made-up llama.cpp."""
    quern = script(tmp_path / "quern", FAKE_QUERN)
    peer = tmp_path / "peers" / "llama-cpp" / "bin" / "python"
    peer.parent.mkdir(parents=True)
    script(peer, "import sys\nsys.argv = sys.argv[1:]\n" + FAKE_PEER)
    model = tmp_path / "m.gguf"
    model.write_bytes(b"GGUF")
    out, picture = tmp_path / "out.json", tmp_path / "out.svg"
    flags = [model, "--quern", quern, "--peers", tmp_path / "peers", "--rounds", 2, "--depth", 16]
    command = ["compare.py", *flags, "--seqs", 4, "--json", out, "--svg", picture]
    monkeypatch.setattr(sys, "argv", [str(x) for x in command])
    compare.main()
    return json.loads(out.read_text()), picture, capsys.readouterr().out


def test_every_engine_runs_every_test(compared):
    result, _, printed = compared
    assert [e["name"] for e in result["engines"]] == ["quern", "llama.cpp", "llama.cpp -fa"]
    assert "not repacked" in printed  # the peer crashed with its own settings
    medians = {name: s["median_ts"] for name, s in result["summary"].items()}
    assert medians["prompt of 512"] == {"quern": 100.0, "llama.cpp": 50.0, "llama.cpp -fa": 51.0}
    assert medians["4 sequences, 32 each after 128"]["quern"] == 400.0
    assert medians["4 sequences, 32 each after 128"]["llama.cpp"] == 200.0
    assert medians["generation of 32 at depth 16"] == {"quern": 116.0}  # the peer cannot
    assert len(result["rounds"]) == 2
    row = next(line for line in printed.splitlines() if line.startswith("| prompt of 512"))
    assert row == "| prompt of 512 | 100.0 (50 %), 1.96x (least 1.96x) | 50.0 (25 %) | 51.0 (26 %) |"


def test_the_picture_has_a_bar_for_every_figure(compared):
    _, picture, _ = compared
    root = xml.fromstring(picture.read_text())
    space = "{http://www.w3.org/2000/svg}"
    bars = [r for r in root.iter(f"{space}rect") if r.get("rx")]
    assert len(bars) == 3 + 3 + 3 + 1 + 3
    assert "compare.py" in root.find(f"{space}desc").text
    text = [t.text for t in root.iter(f"{space}text")]
    assert "100.0 tokens/s" in text and text.count("llama.cpp -fa") == 4


def test_the_longest_bar_of_a_group_is_its_fastest():
    picture = plot.svg("t & u", "n", [("a", {"quern": 10.0, "x": 40.0})], "c")
    root = xml.fromstring(picture)
    widths = [float(r.get("width")) for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.get("rx")]
    assert widths[1] == pytest.approx(4 * widths[0], rel=0.01)


def test_a_worker_that_ends_is_an_error(tmp_path):
    python = script(tmp_path / "python", 'print("{}", flush=True)\ninput()')
    worker = engines.Worker(python, "unused", tmp_path, 1)
    with pytest.raises(SystemExit, match="ended"):
        worker.ask({})


def f16(data: bytes) -> float:
    return struct.unpack("<e", data)[0]


@pytest.mark.parametrize("kind", random_gguf.TYPES)
def test_random_weights_are_moderate(kind):
    _, block, size, scale_at, *_ = random_gguf.TYPES[kind]
    blocks = random_gguf.pattern(kind, 256)
    assert len(blocks) == (1 << 18) // block * size
    for at in range(0, len(blocks), 997 * size):
        assert 0 < f16(blocks[at + scale_at : at + scale_at + 2]) < 0.1


@pytest.mark.parametrize("kind", random_gguf.TYPES)
def test_quern_runs_a_random_model(quern_binary, tmp_path, kind):
    path = tmp_path / "tiny.gguf"
    subprocess.run([sys.executable, PEERS / "random_gguf.py", "tiny", kind, path], check=True)
    command = [quern_binary, "bench", path, "-p", "4", "-n", "2", "-r", "1", "--json"]
    rows = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert len(rows) == 2
    inspected = subprocess.run([quern_binary, "inspect", path, "--json"], capture_output=True, check=True)
    info = json.loads(inspected.stdout)
    assert info["architecture"] == "llama" and info["width"] == 256 and info["file_bytes"] == path.stat().st_size


@pytest.fixture(scope="session")
def quern_binary() -> Path:
    return Path(os.environ.get("QUERN_BIN", PEERS.parents[1] / "build" / "bin" / "quern"))
