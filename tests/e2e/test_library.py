"""libquern as users get it: installed, moved elsewhere, and used by pkg-config, by CMake and by dlopen."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from conftest import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "chat.c"
MODEL = REPOSITORY / "tests" / "data" / "tiny" / "llama_gqa3_tied.gguf"
QUESTION = "Hi"


def said(*command, **environment):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, timeout=120, env=dict(os.environ, **environment)
    )
    assert done.returncode == 0, f"{command}\n{done.stderr.decode(errors='replace')}{done.stdout.decode(errors='replace')}"
    return done.stdout.decode()


def files_under(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module")
def build(binary):
    return binary.resolve().parent.parent


@pytest.fixture(scope="module")
def installed(build, tmp_path_factory):
    """Where Quern lies that was installed somewhere else and then moved."""
    first = tmp_path_factory.mktemp("installed") / "first"
    said("cmake", "--install", build, "--prefix", first)
    moved = first.with_name("moved here")
    first.rename(moved)
    return moved


@pytest.fixture(scope="module")
def abi_version():
    header = (REPOSITORY / "include" / "quern" / "quern.h").read_text()
    return re.search(r"#define QUERN_ABI_VERSION (\d+)", header).group(1)


@pytest.fixture(scope="module")
def library(installed):
    return installed / "lib" / "libquern.so"


@pytest.fixture(scope="module")
def answer(library):
    """The text of the answer that every way must give, from the example in Python."""
    return said(sys.executable, REPOSITORY / "examples" / "chat.py", library, MODEL, QUESTION)[:-1]


def expect_answer(output, answer):
    *pieces, result = [json.loads(line) for line in output.splitlines()]
    assert "".join(piece["text"] for piece in pieces) == result["text"] == answer != ""


def test_what_is_installed(installed, library, abi_version):
    version = said(installed / "bin" / "quern", "--version").split()[1]
    real = f"libquern.so.{abi_version}.{version}"
    links = {name: os.readlink(library.with_name(name)) for name in ("libquern.so", f"libquern.so.{abi_version}")}
    assert links == {"libquern.so": f"libquern.so.{abi_version}", f"libquern.so.{abi_version}": real}
    names = files_under(installed)
    targets = {name for name in names if re.fullmatch(r"lib/cmake/quern/quernTargets(-\w+)?\.cmake", name)}
    assert len(targets) == 2
    assert names - targets == {
        "bin/quern",
        "include/quern/quern.h",
        *(f"lib/{name}" for name in (*links, real)),
        "lib/cmake/quern/quernConfig.cmake",
        "lib/cmake/quern/quernConfigVersion.cmake",
        "lib/pkgconfig/quern.pc",
        "share/doc/quern/LICENSE",
        "share/doc/quern/c-api.md",
    }


def test_the_runtime_alone(build, tmp_path):
    said("cmake", "--install", build, "--prefix", tmp_path, "--component", "runtime")
    names = files_under(tmp_path)
    assert "bin/quern" in names and "share/doc/quern/LICENSE" in names
    assert "lib/libquern.so" not in names and any(name.startswith("lib/libquern.so.") for name in names)
    assert not any(name.endswith((".h", ".cmake", ".pc")) for name in names)


def test_the_functions_of_the_header_and_nothing_else_are_exported(library, abi_version):
    header = re.sub(r"/\*.*?\*/", "", (REPOSITORY / "include" / "quern" / "quern.h").read_text(), flags=re.S)
    declared = re.findall(r"\b(quern_\w+)\(", header)
    assert len(declared) == len(set(declared)) > 30
    # "0000000000123456 T quern_version@@QUERN_1", and the version itself as an absolute symbol.
    exported = [line.split()[1:] for line in said("nm", "-D", "--defined-only", library).splitlines()]
    node = f"QUERN_{abi_version}"
    assert {(kind, name) for kind, name in exported} == {
        ("A", node),
        *(("T", f"{name}@@{node}") for name in declared),
    }


def test_what_the_files_remember(build, installed, library, abi_version):
    dynamic = said("readelf", "-d", "-W", library)
    assert f"[libquern.so.{abi_version}]" in re.search(r"\(SONAME\).*", dynamic).group(0)
    assert "BIND_NOW" in dynamic and "GNU_RELRO" in said("readelf", "-l", "-W", library)
    assert "TEXTREL" not in dynamic
    needed = set(re.findall(r"\(NEEDED\).*\[(.*?)\.so", dynamic))
    assert needed <= {"libsqlite3", "libstdc++", "libgcc_s", "libm", "libc", "ld-linux-x86-64", "ld-linux-aarch64"}
    for path in (library, installed / "bin" / "quern"):
        assert not re.search(r"\((RPATH|RUNPATH)\)", said("readelf", "-d", "-W", path))
    texts = [path for path in installed.rglob("*") if path.suffix in (".pc", ".cmake")]
    assert len(texts) == 5
    for path in texts:
        for folder in (build, REPOSITORY, installed.with_name("first")):
            assert str(folder) not in path.read_text(), path


def test_a_program_built_with_pkg_config(installed, library, answer, tmp_path):
    flags = said("pkg-config", "--cflags", "--libs", "quern", PKG_CONFIG_PATH=str(installed / "lib" / "pkgconfig"))
    program = tmp_path / "chat"
    said("sh", "-c", f"cc -o '{program}' '{EXAMPLE}' {flags}")
    expect_answer(said(program, MODEL, QUESTION, LD_LIBRARY_PATH=str(library.parent)), answer)


def test_a_program_built_with_cmake(installed, answer, tmp_path):
    source = tmp_path / "examples" / "installed"  # away from the sources: the header must be the installed one
    shutil.copytree(REPOSITORY / "examples" / "installed", source)
    shutil.copy(EXAMPLE, source.parent)
    said("cmake", "-S", source, "-B", tmp_path / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={installed}")
    said("cmake", "--build", tmp_path / "build")
    expect_answer(said(tmp_path / "build" / "chat_c", MODEL, QUESTION), answer)


UNLOAD = """
import sys, _ctypes
sys.path.insert(0, sys.argv[1])
import chat
for _ in range(3):
    library = chat.opened(sys.argv[2])
    first = chat.answer(library, sys.argv[3], sys.argv[4])
    _ctypes.dlclose(library._handle)
    print("GONE" if "libquern" not in open("/proc/self/maps").read() else "THERE")
"""


def test_it_may_be_loaded_and_unloaded(library, answer):
    output = said(sys.executable, "-c", UNLOAD, REPOSITORY / "examples", library, MODEL, QUESTION)
    assert output == f"{answer}\nGONE\n" * 3
