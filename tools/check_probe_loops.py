#!/usr/bin/env python3
"""Fails where a probe's loop does not execute the instructions that its figure counts.

All chains of a probe (src/backend/cpu/probe_kernel.h) compute the same, so a compiler may compute one of them; then the
measured limits are several times too high. This counts the instructions in the built loops. What a round returns as its
operations is held to the same numbers by probe_test.cc.

usage: check_probe_loops.py BUILD_FOLDER [OBJDUMP]
"""
import pathlib
import re
import subprocess
import sys

FMA = {"x86": {r"vfmadd\w+ps": 12}, "arm": {"fmla": 24}}
# Per object file and function: instructions (regular expressions) of one round.
X86 = {
    "isa_avx2": {
        "probe_int8_dots": {"vpmaddubsw": 12, "vpmaddwd": 12, "vpaddd": 12},
        "probe_int4_dots_avx2": {"vpmaddubsw": 32, "vpaddw": 28, "vpmaddwd": 4, "vpaddd": 4},
        "probe_f32_fmas": FMA["x86"],
    },
    "isa_avxvnni": {"probe_int8_dots": {"vpdpbusd": 12}, "probe_f32_fmas": FMA["x86"]},
    "isa_avx512vnni": {"probe_int8_dots": {"vpdpbusd": 12}, "probe_f32_fmas": FMA["x86"]},
    "isa_avx512bf16": {
        "probe_int8_dots": {"vpdpbusd": 12},
        "probe_bf16_dots": {"vdpbf16ps": 12},
        "probe_f32_fmas": FMA["x86"],
    },
    "isa_amx": {
        "probe_int8_dots": {"vpdpbusd": 12},
        "probe_tile_productsILb0": {"tdpbf16ps": 4},
        "probe_tile_productsILb1": {"tdpbssd": 4},
        "probe_f32_fmas": FMA["x86"],
    },
}
ARM = {
    "isa_neon": {
        "probe_neon_dotsINS0_4NeonELi2": {"smull": 12, "smlal2": 12, "sadalp": 12},
        "probe_neon_dotsINS0_4NeonELi16": {"smull": 12, "smlal": 84, "smlal2": 96, "sadalp": 12},
        "probe_f32_fmas": FMA["arm"],
    },
    "isa_dotprod": {"probe_int8_dots": {"sdot": 24}, "probe_f32_fmas": FMA["arm"]},
    "isa_i8mm": {"probe_usmmla": {"usmmla": 12}, "probe_f32_fmas": FMA["arm"]},
}

FUNCTION = re.compile(r"^[0-9a-f]+ <(\S+)>:$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(?:\{\w+\}\s+)?(\S+)\s*(.*)$")
JUMP = re.compile(r"(j\w+|b|b\.\w+|cbn?z|tbn?z)$")
TARGET = re.compile(r"(?:^|\s|,)(?:0x)?([0-9a-f]+)(?:\s+<|$)")


def functions(objdump, path):
    """{name: [(address, mnemonic, operands)]}"""
    listing = subprocess.run([objdump, "-d", "--no-show-raw-insn", str(path)], check=True, capture_output=True, text=True)
    found, current = {}, []
    for line in listing.stdout.splitlines():
        if match := FUNCTION.match(line):
            current = found.setdefault(match[1], [])
        elif match := INSTRUCTION.match(line):
            current.append((int(match[1], 16), match[2], match[3]))
    return found


def loops(code):
    """Mnemonics of every stretch that ends in a jump back to its beginning."""
    first = code[0][0]
    for address, mnemonic, operands in code:
        target = TARGET.search(operands) if JUMP.match(mnemonic) else None
        if target and first <= int(target[1], 16) < address:
            yield [m for at, m, _ in code if int(target[1], 16) <= at <= address]


def complaint(code, expected):
    """What is wrong with a function, or nothing. A compiler may put several rounds into one turn of the loop."""
    seen = []
    for body in loops(code):
        counts = {name: sum(bool(re.fullmatch(name, m)) for m in body) for name in expected}
        if not any(counts.values()):
            continue
        rounds = [counts[name] / expected[name] for name in expected]
        rest = len(body) - sum(counts.values())
        if rounds[0] < 1 or rounds[0] % 1 or any(r != rounds[0] for r in rounds):
            return f"a round has {counts}, not {expected}"
        if rest > 4 + sum(counts.values()) // 8:
            return f"{rest} other instructions beside {counts}"
        seen.append(counts)
    return None if seen else f"no loop with {', '.join(expected)}"


def main(build, objdump="objdump"):
    objects = {path.name.split(".")[0]: path for path in pathlib.Path(build).rglob("isa_*.cc.o")}
    table = {name: row for name, row in {**X86, **ARM}.items() if name in objects}
    if not table:
        sys.exit(f"{build}: no object file of an instruction set; build first")
    wrong = n_loops = 0
    for name, row in table.items():
        code = functions(objdump, objects[name])
        for function, expected in row.items():
            found = [lines for symbol, lines in code.items() if function in symbol and lines]
            what = complaint(found[0], expected) if len(found) == 1 else f"found {len(found)} times"
            n_loops += 1
            if what:
                print(f"{name}: {function}: {what}")
                wrong += 1
    print(f"probes: {n_loops} loops, {wrong} with other instructions than they count")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
