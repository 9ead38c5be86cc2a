"""quern bench: what its rows say, in JSON and as a table."""

import json
import math

import pytest


def test_bench_uses_llama_bench_names(quern_json):
    rows = quern_json("bench", "-p", 32, "-n", 4, "-r", 2)
    assert [(r["n_prompt"], r["n_gen"]) for r in rows] == [(32, 0), (0, 4)]
    for row in rows:
        assert row["n_threads"] >= 1 and len(row["samples_ts"]) == 2
        for key in ("avg_ts", "gbps", "gops", "share_dram", "share_int8"):
            assert row[key] > 0 and math.isfinite(row[key]), key
        assert row["stddev_ts"] >= 0


def test_bench_takes_lists_and_zero(quern_json):
    rows = quern_json("bench", "-p", "8,16", "-n", 0, "-r", 1, "--threads", 1)
    assert [(r["n_prompt"], r["n_gen"], r["n_threads"]) for r in rows] == [(8, 0, 1), (16, 0, 1)]


def test_bench_counts_sequences_depth_and_threads(quern_json):
    flags = ["bench", "-p", 8, "-n", 2, "-r", 1]
    rows = quern_json(*flags, "--threads", "1,2")
    assert [(r["n_threads"], r["n_prompt"], r["n_gen"], r["n_seqs"], r["n_depth"]) for r in rows] == [
        (1, 8, 0, 1, 0), (1, 0, 2, 1, 0), (2, 8, 0, 1, 0), (2, 0, 2, 1, 0)
    ]  # fmt: skip
    rows = quern_json(*flags, "-d", "0,100", "-t", 2)
    assert [(r["n_prompt"], r["n_gen"], r["n_depth"]) for r in rows] == [
        (8, 0, 0), (0, 2, 0), (8, 0, 100), (0, 2, 100)
    ]  # fmt: skip
    rows = quern_json(*flags, "--seqs", "1,5", "-b", 4)
    assert [(r["n_prompt"], r["n_gen"], r["n_seqs"]) for r in rows] == [(8, 2, 1), (8, 2, 5)]
    for row in rows:
        # Bytes per second are weights and cache per pass; a sequence alone is read for as well.
        assert row["gbps"] / row["median_ts"] * row["n_seqs"] > 0.09
        assert row["median_ts"] == pytest.approx(row["samples_ts"][0])
        assert row["dram_gbps"] > 0 and row["int8_gops"] > 0
        (cache,) = row["cache"]
        assert cache["group"] == "full" and cache["bytes"] >= 64 * cache["bytes_per_token"] > 0


def test_bench_lets_requests_come_when_they_like(quern, quern_json):
    flags = ["bench", "--seqs", "1,3", "-p", 6, "-n", 4, "-r", 2, "--arrivals", "random"]
    rows = quern_json(*flags)
    assert [(r["n_seqs"], r["arrivals"], r["n_requests"]) for r in rows] == [
        (1, "together", 4), (1, "random", 4), (3, "together", 12), (3, "random", 12)
    ]  # fmt: skip
    for row in rows:
        assert len(row["samples_ts"]) == 2 and all(s > 0 for s in row["samples_ts"])
        assert 0 < row["mean_running"] <= row["n_seqs"] + 1e-6
    assert len(quern(*flags).stdout.decode().splitlines()) == 8


def test_bench_counts_what_a_cached_prompt_costs(quern, quern_json):
    flags = ["bench", "-p", "200,300", "--cached", "70,128", "-r", 2]
    rows = quern_json(*flags)
    assert [(r["n_prompt"], r["n_cached"], r["n_computed"]) for r in rows] == [
        (200, 70, 130), (200, 128, 72), (300, 70, 230), (300, 128, 172)
    ]  # fmt: skip
    for row in rows:
        assert len(row["samples_cold_ms"]) == len(row["samples_cached_ms"]) == 2
        assert row["first_token_cold_ms"] > 0 and row["first_token_cached_ms"] > 0 and row["share"] > 0
    assert len(quern(*flags).stdout.decode().splitlines()) == 8


def test_bench_counts_the_cache_it_reads(quern_json):
    # 30 layers, 3 heads of 64, keys and values in bf16.
    flat, deep = quern_json("bench", "-p", 0, "-n", 2, "-r", 1, "-d", "0,256")
    bytes_per_token = [r["gbps"] / r["median_ts"] * 1e9 for r in (flat, deep)]
    assert bytes_per_token[1] - bytes_per_token[0] == pytest.approx(256 * 30 * 3 * 64 * 2 * 2, rel=0.02)


def test_bench_compares_with_an_earlier_run(quern, quern_json, tmp_path):
    before = tmp_path / "before.json"
    rows = quern_json("bench", "-p", 8, "-n", 2, "-r", 1, "--threads", 1)
    rows[1]["median_ts"] = 0.5
    before.write_text(json.dumps(rows[1:]))
    flags = ["bench", "-p", 8, "-n", 2, "-r", 1, "--threads", 1, "--compare", before]
    pp, tg = quern_json(*flags)
    assert "ratio" not in pp
    assert tg["earlier_ts"] == 0.5 and tg["ratio"] == pytest.approx(tg["median_ts"] / 0.5)
    table = quern(*flags).stdout.decode()
    assert "ratio" in table and len(table.splitlines()) == 6
    before.write_text("[]")
    assert str(before).encode() in quern(*flags, expect=2).stderr


def test_bench_limits(quern, quern_json):
    one, two = quern_json("bench", "limits", "--threads", "1,2")
    assert (one["n_threads"], two["n_threads"]) == (1, 2)
    for row in (one, two):
        for key in ("dram_gbps", "int8_gops", "f32_gflops"):
            assert row[key] > 0 and math.isfinite(row[key]), key
        assert row["int4_gops"] >= row["int8_gops"] and row["dram_pages"] in ("large", "small")
        assert all(row[key] for key in ("dram_by", "int8_by", "int4_by"))
    (scalar,) = quern_json("bench", "limits", "--threads", "1", "--isa", "scalar")
    assert scalar["isa"] == "scalar" and scalar["int8_gops"] < one["int8_gops"]
    assert b"quern doctor" in quern("bench", "limits", "--isa", "vax", expect=1).stderr
    lines = quern("bench", "limits", "--threads", 1).stdout.decode().splitlines()
    assert len(lines) == 7 and lines[0].split() == ["threads", "1"]


@pytest.mark.parametrize("shape, quant, parameters", [
    ("qwen2.5-1.5b", "q4_0", 1543714304),
    ("bitnet-2b-4t", "tq1_0", 2412820480),
])  # fmt: skip
def test_bench_runs_other_families(quern_json, shape, quant, parameters):
    rows = quern_json("bench", "--shape", shape, "--quant", quant, "-p", 4, "-n", 1, "-r", 1)
    assert [r["model_n_params"] for r in rows] == [parameters] * 2
    assert all(r["avg_ts"] > 0 for r in rows)
    if shape.startswith("bitnet"):
        assert rows[0]["model_filename"] == "bitnet-2b-4t tq1_0+q6_k (random)"


@pytest.mark.parametrize("quant", ["q4_0", "q8_0"])
def test_bench_makes_random_weights(quern_json, quant):
    rows = quern_json("bench", "--shape", "smollm2-135m", "--quant", quant, "-p", 8, "-n", 2, "-r", 1)
    assert len(rows) == 2 and rows[0]["model_n_params"] == 134515008
    assert "random" in rows[0]["model_filename"]


# inspect and doctor
