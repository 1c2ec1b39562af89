"""docs/your_own_data.md, followed to the letter, on pieces of two real photographs."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn.datasets import load_sample_image

from benchmarks import inputs
from benchmarks.checkout import make, ran, run
from stages.files import read_json
from tests.prepared import edit

pytestmark = [pytest.mark.slow, pytest.mark.warm]
PAGE = (inputs.ROOT / "docs/your_own_data.md").read_text()
EACH = 24  # pictures per class


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


GROUPS, PRETRAINED = (yaml.safe_load(block) for block in blocks("yaml"))
NEW, REPRO = blocks("bash")[0].splitlines()


def draw(folder):
    """Write pieces of a photograph where the page says, and one file that no program can read."""
    names = re.findall(r"^(data/photos/\w+)/1\.png$", blocks("text")[0], re.M)
    for name, photo in zip(names, ("china.jpg", "flower.jpg"), strict=True):
        pixels, random = load_sample_image(photo), np.random.default_rng(0)
        (folder / name).mkdir(parents=True)
        for number in range(1, EACH + 1):
            top, left = random.integers(0, (427 - 120, 640 - 160))
            piece = Image.fromarray(pixels[top : top + 120, left : left + 160])
            piece.resize((40, 30)).save(folder / name / f"{number}.png")
    (folder / "data/photos/temple/broken.png").write_bytes(b"no picture")


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """Return a checkout after the page's first command, and what that printed.

    Its environment is one that `make` finds up to date.
    """
    folder = make(tmp_path_factory.mktemp("own") / "folder", inputs.defaults())
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != "ready":
            (folder / ".venv" / path.name).symlink_to(path)
    (folder / ".venv/ready").touch()
    draw(folder)
    printed = run(NEW, folder)
    run("source .venv/bin/activate; dvc repro prepare", folder)
    return folder, printed


@pytest.fixture
def folder(looked_at, tmp_path):
    return shutil.copytree(looked_at[0], tmp_path / "folder", symlinks=True)


def prepare(folder):
    return ran(run("source .venv/bin/activate; dvc repro prepare", folder))


def test_the_two_commands(looked_at, folder):
    assert re.search(rf"temple +{EACH}\b", looked_at[1])
    assert "temple/broken.png" in looked_at[1]
    assert re.search(r"about \d+ min", looked_at[1])
    dataset = read_json(folder / "data/prepared/dataset.json")
    assert dataset["classes"] == ["flower", "temple"]
    assert dataset["image_shape"] == [30, 40, 3]
    assert list(dataset["unreadable"]) == ["temple/broken.png"]
    edit(folder, {"folds": {"count": 2}, "train": {"epochs": 1}, "tracking": {"live_after": None}})
    edit(folder, {"compare": {"variants": ["logistic", "majority"], "baseline": "logistic"}})
    run(REPRO, folder)
    assert "`majority`" in (folder / "results/comparison.md").read_text()
    assert "temple/broken.png" in (folder / "results/report.html").read_text()
    assert (folder / "results/logistic/plots/data_card.png").exists()


def test_pretrained_rows_are_compared_as_any_other(folder):
    edit(folder, PRETRAINED | {"data": {"image_size": 32}})
    (name,) = PRETRAINED["variants"]
    backbone = PRETRAINED["variants"][name]["architecture"]["backbone"]
    deep = {"architecture": {"backbone": backbone | {"dense": 8}}}
    compare = {"variants": [name, "deep"], "baseline": name}
    edit(folder, {"variants": {"deep": deep}, "compare": compare, "folds": {"count": 2}})
    edit(folder, {"train": {"epochs": 2}, "tracking": {"live_after": None}})
    run("source .venv/bin/activate; dvc repro", folder)
    assert len(list((folder / ".foldlab/features").iterdir())) == 1
    digests = [
        read_json(folder / f"results/{row}/training.json")["weights_sha256"][row]
        for row in (name, "deep")
    ]
    assert digests[0] == digests[1]
    assert f"`{name}`" in (folder / "results/comparison.md").read_text()
    assert "efficientnet_lite0" in (folder / "results/report.html").read_text()


def test_changed_photos_are_noticed_and_none_is_copied(folder):
    assert prepare(folder) == []
    (folder / "data/photos/temple/broken.png").unlink()
    assert prepare(folder) == ["prepare"]
    assert read_json(folder / "data/prepared/dataset.json")["unreadable"] == {}
    cached = {path.read_bytes() for path in folder.glob(".dvc/cache/files/md5/*/*")}
    assert (folder / "data/prepared/train_images.npy").read_bytes() in cached
    assert not {path.read_bytes() for path in folder.glob("data/photos/*/*.png")} & cached


def test_groups_stay_together(folder):
    (table,) = blocks("csv")
    header, *lines = table.splitlines()
    shown = [f"{name}/{number}.png" for name in ("temple", "flower") for number in (1, 2)]
    assert [line.split(",")[0] for line in lines] == shown
    others = [
        f"{name}/{number}.png,{number // 3}"
        for name in ("temple", "flower")
        for number in range(3, EACH + 1)
    ]
    (folder / "data/photos/groups.csv").write_text("\n".join([header, *lines, *others]) + "\n")
    edit(folder, GROUPS)
    assert prepare(folder) == ["prepare"]
    found = read_json(folder / "data/prepared/dataset.json")["groups"]
    assert sum(found.values()) == 3 + 8


def test_a_temporary_experiment_finds_the_photos(folder):
    """Without the option DVC would look for them in a folder that has only what Git tracks."""
    run("git add -A; git commit -qm photos", folder)
    assert "--copy-paths data/photos" in PAGE
    experiment = "dvc exp run --temp --copy-paths data/photos -S folds.seed=2 prepare"
    assert ran(run(f"source .venv/bin/activate; {experiment}", folder)) == ["prepare"]


@pytest.mark.parametrize("link", ["hardlink", "symlink"])
def test_dvc_may_keep_the_photos(folder, link):
    assert "`dvc add data/photos`" in PAGE
    before = read_json(folder / "data/prepared/dataset.json")
    run(f"dvc config --local cache.type {link}; dvc add data/photos; git add -A", folder)
    assert (folder / "data/photos/temple/1.png").is_symlink() == (link == "symlink")
    tracked = run("git commit -qm photos; git status --short; git ls-files data", folder)
    assert tracked.split() == ["data/photos.dvc"]
    run("dvc repro --force prepare", folder)
    assert read_json(folder / "data/prepared/dataset.json") == before
    assert ran(run("dvc exp run --temp -S folds.seed=2 prepare", folder)) == ["prepare"]
