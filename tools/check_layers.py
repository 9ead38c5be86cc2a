#!/usr/bin/env python3
"""Checks that every include under src/ respects the layers of docs/layers.txt.

A file may include its own folder and folders of lower layers. Folders of one layer do not include each other. Tests
(`*_test.cc`, `*_fuzz.cc`) may also include tests/support. The public headers include/quern lie below every layer: any
file may include them, they include only each other. A line "private FOLDER FILE..." names the only files outside of FOLDER that may
include it. The C face of rust/text is for src/text alone. Angle brackets name other people's libraries, except <quern/...>.

Usage: check_layers.py [ROOT]     exit code 1 if an include breaks the rule or names no file.
"""

import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<(quern/[^>]+)>)')
PUBLIC_API = "include/quern"
TEST_SUPPORT = "tests/support"
RUST_FACE = "rust/text/include"


def read_layers(path):
    """{folder: level} from lines "L2 nn", whose numbers must rise, and {folder: files} from lines "private nn x/a.cc"."""
    levels, private = {}, {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "private" and len(words) > 2:
            private[words[1]] = {"src/" + name for name in words[2:]}
            continue
        if not re.fullmatch(r"L\d+", words[0]) or len(words) < 2:
            raise SystemExit(f"{path}:{number}: expected 'L<number> folder...', found '{line}'")
        level = int(words[0][1:])
        if levels and level <= max(levels.values()):
            raise SystemExit(f"{path}:{number}: layers must rise from line to line")
        for folder in words[1:]:
            if folder in levels:
                raise SystemExit(f"{path}:{number}: folder '{folder}' is already in L{levels[folder]}")
            levels[folder] = level
    for folder, files in private.items():
        missing = [name for name in sorted(files) if not (path.parent.parent / name).is_file()]
        if folder not in levels or missing:
            raise SystemExit(f"{path}: 'private {folder}' names no folder above, or no file: {' '.join(missing)}")
    return levels, private


def row_of(levels, folder):
    """The entry that stands for a folder: itself, or "backend/*" for "backend/cpu"."""
    return folder if folder in levels else f"{folder.split('/')[0]}/*"


def resolve(root, source, name):
    """The included file as a path below root, or None. Quoted includes are relative to one of the folders below."""
    for base in (root / "src", root / "include", root / "tests", root / RUST_FACE, root, source.parent):
        candidate = base / name
        if candidate.is_file():
            return candidate.resolve().relative_to(root.resolve())
    return None


def is_test(source):
    return source.stem.endswith(("_test", "_fuzz"))


def folder_of(levels, path):
    """'nn' of src/nn/norms/x.h, 'backend/cpu' of src/backend/cpu/x.h where there is a layer "backend/*", 'include/quern' and
    'tests/support' as they are; None for anything else."""
    if path.parts[0] == "src" and len(path.parts) > 2:
        if len(path.parts) > 3 and f"{path.parts[1]}/*" in levels:
            return f"{path.parts[1]}/{path.parts[2]}"
        return path.parts[1]
    for name in (PUBLIC_API, TEST_SUPPORT, RUST_FACE):
        if path.is_relative_to(name):
            return name
    return None


def problem(levels, private, source, target):
    """Why `source` may not include `target` (both relative to the root), or None if it may."""
    own, other = folder_of(levels, source), folder_of(levels, target)
    if own == other:
        return None
    if other is None:
        return "is in no folder that has a layer"
    if other == TEST_SUPPORT:
        return None if is_test(source) else "is for tests only"
    if other == RUST_FACE:
        return None if own == "text" else "is for src/text alone"
    if own == PUBLIC_API:
        return "is not public: include/quern includes only itself and the standard library"
    if other == PUBLIC_API:
        return None
    row = row_of(levels, other)
    if row not in levels:
        return f"is in src/{other}, which docs/layers.txt does not name"
    theirs, ours = levels[row], levels[row_of(levels, own)]
    if theirs >= ours:
        relation = "the same layer" if theirs == ours else "a higher layer"
        return f"is of {relation} (L{theirs} {other}; this file is in L{ours} {own})"
    if row in private and str(source) not in private[row]:
        return f"is private to src/{other}: only {' '.join(sorted(private[row]))} may include it"
    return None


def check_file(root, levels, private, source):
    """Problems of one file as printable lines."""
    lines = []
    relative = source.relative_to(root)
    folder = folder_of(levels, relative)
    if folder != PUBLIC_API and row_of(levels, folder) not in levels:
        return [f"{relative}:1: src/{relative.parts[1]} has no line in docs/layers.txt"]
    for number, line in enumerate(source.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        name = match.group(1) or match.group(2)
        target = resolve(root, source, name)
        why = "names no file" if target is None else problem(levels, private, relative, target)
        if why:
            lines.append(f'{relative}:{number}: "{name}" {why}')
    return lines


def main(arguments):
    root = Path(arguments[0] if arguments else Path(__file__).parent.parent).resolve()
    levels, private = read_layers(root / "docs" / "layers.txt")
    sources = sorted(p for top in ("src", "include") for p in (root / top).rglob("*") if p.suffix in (".h", ".cc", ".inc"))
    problems = [line for source in sources for line in check_file(root, levels, private, source)]
    print("\n".join(problems + [f"layers: {len(sources)} files, {len(problems)} wrong includes"]))
    return 1 if problems or not sources else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
