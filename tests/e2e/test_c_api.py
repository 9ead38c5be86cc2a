"""examples/chat.c: a C program over quern/quern.h answers as the program quern does."""

import json
import subprocess


def chat(binary, *args):
    program = binary.parent / "example_chat_c"
    return subprocess.run([str(program), *map(str, args)], capture_output=True, timeout=300)


def test_a_c_program_streams_the_answer(binary, smollm2):
    done = chat(binary, smollm2, 'Say "yes".')
    assert done.returncode == 0, done.stderr.decode()
    *pieces, result = [json.loads(line) for line in done.stdout.splitlines()]
    assert pieces and "".join(piece["text"] for piece in pieces) == result["text"]
    assert [i for piece in pieces for i in piece["ids"]] == result["ids"]
    assert result["finish"] in ("stop", "length")
    assert result["timings"]["predicted_n"] >= len(result["ids"]) > 0


def test_errors_say_what_where_and_what_to_do(binary, tmp_path):
    done = chat(binary, tmp_path / "none.gguf", "Hi")
    assert done.returncode == 1
    assert "none.gguf" in done.stderr.decode()
