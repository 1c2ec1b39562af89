"""The ledger of a test set's uses, with processes and with Git."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.inputs import ROOT
from stages.errors import UserError
from stages.statistics.uses import LEDGER, Use, digest, note

pytestmark = pytest.mark.usefixtures("folder")
TEST, MODELS = "ab" * 32, [f"{number:064x}" for number in range(6)]


def test_the_digest_is_that_of_images_and_labels():
    images, labels = np.arange(48, dtype="uint8").reshape(3, 4, 4, 1), np.array([0, 1, 0])
    np.save("images.npy", images)
    known = digest(np.load("images.npy", mmap_mode="r"), labels)
    assert digest(images, labels) == known
    others = (images[:, ::-1], labels), (images, 1 - labels), (images.reshape(3, 2, 8, 1), labels)
    assert known not in {digest(*other) for other in others}


def test_lines_are_sorted_and_unique():
    first, second = Use(TEST, "b", MODELS[0]), Use(TEST, "a", MODELS[1])
    assert note([first]) == {first}
    assert note([second, first]) == {first, second}
    text = f"test_sha256,variant,model_sha256\n{','.join(second)}\n{','.join(first)}\n"
    assert LEDGER.read_text() == text
    note([])
    assert LEDGER.read_text() == text


@pytest.mark.slow
def test_processes_that_write_at_once_lose_no_line():
    code = (
        "import sys; from stages.statistics.uses import Use, note\n"
        f"for number in range(20): note([Use({TEST!r}, sys.argv[1], f'{{number:064x}}')])"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, name], env={"PYTHONPATH": str(ROOT)})
        for name in "abc"
    ]
    assert [process.wait(120) for process in started] == [0, 0, 0]
    assert len(note([])) == 60
    assert len(LEDGER.read_text().splitlines()) == 61


def test_git_merges_what_two_branches_have_added():
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)

    Path(".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    git("init", "-q", "-b", "main")
    note([Use(TEST, "basic", MODELS[5])])
    git("add", ".")
    git("commit", "-qm", "one")
    for branch, number in (("left", 3), ("right", 4)):
        git("checkout", "-q", "-b", branch, "main")
        note([Use(TEST, "basic", MODELS[number])])
        git("commit", "-qam", branch)
    git("merge", "left")
    assert note([]) == {Use(TEST, "basic", MODELS[number]) for number in (3, 4, 5)}
    assert LEDGER.read_text().splitlines()[1:] == sorted(LEDGER.read_text().splitlines()[1:])


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "basic,basic,basic", f"{TEST},basic", "\xff"])
def test_what_is_no_line_is_refused_and_stays(line):
    note([Use(TEST, "basic", MODELS[0])])
    LEDGER.write_text(LEDGER.read_text() + line + "\n", encoding="latin-1")
    before = LEDGER.read_bytes()
    with pytest.raises(UserError, match=r"test_set_uses\.csv"):
        note([Use(TEST, "basic", MODELS[1])])
    assert LEDGER.read_bytes() == before
