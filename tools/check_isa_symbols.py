#!/usr/bin/env python3
"""Fails where code compiled for a newer instruction set could end up in the rest of the program.

The linker keeps one copy of every inline function and template that several object files define. If an object file
compiled for AVX2, AVX-512 or a later ARM defines one that others define as well (something of the standard library,
say), its copy may be kept and then run on a processor without those instructions. So such objects may define shareable
symbols in namespace quern::cpu only, and none that another object defines.

usage: check_isa_symbols.py BUILD_FOLDER [NM]
"""
import pathlib
import re
import subprocess
import sys

# Compiled with flags of their own; isa_scalar.cc is not.
NAMED_AFTER_ISA = re.compile(r"^(isa|exercise)_(?!scalar)\w+\.cc\.o$")
# A name, or a local static or guard variable of a function, in namespace quern::cpu.
IN_NAMESPACE = re.compile(r"^_Z(GV)?Z*N[KVrRO]*5quern3cpu")
SHAREABLE = set("WwVvu")


def shareable_symbols(nm, objects):
    """{object: names of the defined symbols that the linker may merge with others}"""
    listing = subprocess.run([nm, "-A", "--defined-only", *map(str, objects)], check=True,
                             capture_output=True, text=True).stdout
    symbols = {path: set() for path in objects}
    for line in listing.splitlines():
        path, entry = line.split(".o:", 1)
        _, kind, name = entry.split(maxsplit=2)
        if kind in SHAREABLE:
            symbols[pathlib.Path(path + ".o")].add(name)
    return symbols


def main(build, nm="nm"):
    objects = sorted(pathlib.Path(build).rglob("*.cc.o"))
    special = [path for path in objects if NAMED_AFTER_ISA.match(path.name)]
    if not special:
        sys.exit(f"{build}: no object file of an instruction set; build first")
    symbols = shareable_symbols(nm, objects)
    definers = {}
    for path, names in symbols.items():
        for name in names:
            definers.setdefault(name, []).append(path)
    wrong = 0
    for path in special:
        for name in sorted(symbols[path]):
            others = [other for other in definers[name] if other != path]
            if IN_NAMESPACE.match(name) and not others:
                continue
            reason = f"also in {others[0].name}" if others else "outside quern::cpu"
            print(f"{path.name}: {name}: {reason}: inline it by force, or keep it out of this file")
            wrong += 1
    print(f"instruction sets: {len(special)} object files, {wrong} symbols that others could share")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
