"""./dev on machines that lack things: what it says, asks and installs. apt, sudo and the compilers are stand-ins on a
PATH of our own, which note how they were called."""

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASICS = ("bash env cat chmod cut cmp dirname echo basename flock grep head id mkdir mktemp nproc printf rm sed sh sleep sort stat stty "
          "tail tee touch tr true uname xargs").split()
# apt-get install makes every program appear that the build needs; ninja then does nothing and succeeds.
APT_GET = """#!/bin/sh
echo "apt-get $*" >>{log}
[ "$1" = install ] || exit 0
for name in c++ cmake ninja cargo python3; do
  printf '#!/bin/sh\\ncase "$*" in *dumpfullversion*) echo 12.2.0 ;; --version) echo %s 1.96.0 ;; esac\\nexit 0\\n' "$name" >{bin}/$name
  chmod +x {bin}/$name
done
printf '#!/bin/sh\\ncase "$*" in --version) echo cmake version 3.25.1 ;; esac\\nexit 0\\n' >{bin}/cmake
"""
APT_CACHE = """#!/bin/sh
case "$*" in
  "show cargo-web") [ -z "$UBUNTU" ] && echo "Package: cargo-web" ;;
  "pkgnames cargo-1.") [ -n "$UBUNTU" ] && printf 'cargo-1.80\\ncargo-1.89\\ncargo-1.85-doc\\n' ;;
esac
exit 0
"""


class Machine:
    def __init__(self, root):
        self.bin, self.log, self.repo = root / "bin", root / "calls.txt", root / "repo"
        self.bin.mkdir()
        for name in BASICS:
            self.program(name, f'#!/bin/sh\nexec {shutil.which(name)} "$@"\n')
        self.program("apt-get", APT_GET.format(log=self.log, bin=self.bin))
        self.program("apt-cache", APT_CACHE)
        self.repo.mkdir()
        shutil.copy(ROOT / "dev", self.repo)
        shutil.copytree(ROOT / "tools", self.repo / "tools", ignore=shutil.ignore_patterns("__pycache__"))

    def program(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def user(self, with_sudo):
        """The person is no administrator."""
        self.program("id", "#!/bin/sh\necho 1000\n")
        if with_sudo:
            self.program("sudo", f'#!/bin/sh\necho "sudo $*" >>{self.log}\n[ "$1" != -n ] || shift\nexec "$@"\n')

    def environment(self, **extra):
        return {"PATH": str(self.bin), "HOME": str(self.repo.parent), "TERM": "xterm"} | extra

    def build(self, **extra):
        return subprocess.run([self.repo / "dev", "build"], env=self.environment(**extra), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)

    def build_on_terminal(self, answer):
        """(exit code, what the screen showed) of ./dev build under a pseudo-terminal with `answer` typed."""
        main, side = pty.openpty()
        process = subprocess.Popen([self.repo / "dev", "build"], env=self.environment(), stdin=side, stdout=side, stderr=side)
        os.close(side)
        os.write(main, answer.encode())
        shown = b""
        while True:
            try:
                block = os.read(main, 4096)
            except OSError:  # the other end was closed
                break
            if not block:
                break
            shown += block
        os.close(main)
        return process.wait(timeout=60), shown.decode()

    def calls(self):
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def root_machine(machine):
    machine.program("id", "#!/bin/sh\necho 0\n")
    return machine


@pytest.mark.parametrize("environment", [{}, {"CI": "true"}])
def test_root_without_a_terminal_is_not_asked(root_machine, environment):
    result = root_machine.build(**environment)
    assert result.returncode == 0, result.stderr
    assert "C++20 compiler" in result.stderr and "Install them" not in result.stderr
    assert "apt-get update\n" in root_machine.calls()
    assert "install -y --no-install-recommends" in root_machine.calls() and " cargo-web rustc-web" in root_machine.calls()


def test_a_complete_machine_is_left_alone(root_machine):
    assert root_machine.build().returncode == 0
    root_machine.log.unlink()
    result = root_machine.build()
    assert result.returncode == 0 and root_machine.calls() == ""


def test_ubuntu_gets_its_newest_versioned_rust(root_machine):
    root_machine.build(UBUNTU="1")
    assert "cargo-1.89 rustc-1.89" in root_machine.calls()


def test_a_user_without_sudo_is_told_the_command(machine):
    machine.user(with_sudo=False)
    result = machine.build()
    assert result.returncode == 1
    assert "apt-get install -y --no-install-recommends" in result.stderr and "g++ cmake ninja-build" in result.stderr
    assert machine.calls() == ""


def test_a_user_with_sudo_uses_it_and_it_never_waits_for_a_password_unseen(machine):
    machine.user(with_sudo=True)
    result = machine.build()
    assert result.returncode == 0, result.stderr
    assert "sudo -n apt-get update" in machine.calls()


def test_without_apt_the_list_is_printed(machine):
    (machine.bin / "apt-get").unlink()
    result = machine.build()
    assert result.returncode == 1 and "no apt here" in result.stderr and "ninja-build" in result.stderr


@pytest.mark.parametrize("answer, code", [("y\n", 0), ("\n", 0), ("n\n", 1)])
def test_on_a_terminal_it_asks_once(root_machine, answer, code):
    status, screen = root_machine.build_on_terminal(answer)
    assert status == code, screen
    assert screen.count("Install them with apt-get? [Y/n]") == 1
    assert ("install -y" in root_machine.calls()) == (code == 0)
    assert ("run this as root" in screen) == (code == 1)
