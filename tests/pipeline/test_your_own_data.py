"""docs/your_own_data.md, followed as it is written, on pictures that are drawn here."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from stages.files import read_json
from tests.pipeline.test_repro import clone, edit, environment, ran

HERE = Path(__file__).parents[2]
PAGE = (HERE / "docs/your_own_data.md").read_text()
EACH = 24  # pictures a class


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S)


def draw(folder):
    """Draw circles and squares where the page says, and one that no program can read."""
    random = np.random.default_rng(0)
    names = dict(re.findall(r"^(data/photos/(\w+))/1\.png$", blocks("text")[0], re.M))
    assert sorted(names.values()) == ["circle", "square"]
    for path, name in names.items():
        (folder / path).mkdir(parents=True)
        for number in range(1, EACH + 1):
            image = Image.new("RGB", (40, 30), tuple(random.integers(0, 90, 3).tolist()))
            left, top = random.integers(2, 14, 2).tolist()
            side = int(random.integers(8, 14))
            shape = ImageDraw.Draw(image)
            drawn = shape.ellipse if name == "circle" else shape.rectangle
            drawn(
                (left, top, left + side, top + side), tuple(random.integers(150, 256, 3).tolist())
            )
            image.save(folder / path / f"{number}.png")
    (folder / "data/photos/circle/broken.png").write_bytes(b"no picture")


def bash(folder, commands):
    done = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clone the repository, with an environment that `make` finds up to date."""
    folder = clone(tmp_path_factory.mktemp("own"), {})
    (folder / ".venv").mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != "ready":
            (folder / ".venv" / path.name).symlink_to(path)
    (folder / ".venv/ready").touch()
    return folder


def test_the_five_steps(folder):
    draw(folder)
    where, what = (yaml.safe_load(block) for block in blocks("yaml")[:2])
    look, run = blocks("bash")
    edit(folder, where)
    assert "image" in bash(folder, look)
    dataset = read_json(folder / "data/prepared/dataset.json")
    assert dataset["classes"] == ["circle", "square"]
    assert dataset["image_shape"] == [32, 32, 3]
    assert list(dataset["unreadable"]) == ["circle/broken.png"]
    edit(folder, what)
    edit(folder, {"folds": {"count": 2}, "train": {"epochs": 1}, "tracking": {"live_after": None}})
    bash(folder, run)
    assert "basic_augmented" in (folder / "results/comparison.md").read_text()
    report = (folder / "results/report.html").read_text()
    assert "circle/broken.png" in report
    assert (folder / "results/basic/plots/data_card.png").stat().st_size > 10_000


def test_changed_photos_are_noticed_and_none_is_copied(folder):
    command = "source .venv/bin/activate; dvc repro prepare"
    assert ran(bash(folder, command)) == []
    (folder / "data/photos/circle/broken.png").unlink()
    assert ran(bash(folder, command)) == ["prepare"]
    assert read_json(folder / "data/prepared/dataset.json")["unreadable"] == {}
    cached = [path for path in (folder / ".dvc/cache/files").rglob("*") if path.is_file()]
    assert len(cached) > 10
    drawn = {path.read_bytes() for path in (folder / "data/photos").rglob("*.png")}
    assert not drawn & {path.read_bytes() for path in cached}


def test_groups_stay_together(folder):
    (table,) = blocks("csv")
    header, *lines = table.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"{name}/{number}.png" for name in ("circle", "square") for number in (1, 2)
    ]
    others = [
        f"{name}/{number}.png,{number // 3}" for name in ("circle", "square")
        for number in range(3, EACH + 1)
    ]  # fmt: skip
    text = "\n".join([header, *lines, *others]) + "\n"
    (folder / "data/photos/groups.csv").write_text(text)
    edit(folder, yaml.safe_load(blocks("yaml")[2]))
    bash(folder, "source .venv/bin/activate; dvc repro prepare")
    found = read_json(folder / "data/prepared/dataset.json")["groups"]
    assert sum(found.values()) == 3 + 8


def test_a_temporary_experiment_finds_the_photos(folder):
    """Without the option DVC would look for them in a folder that has only what Git tracks."""
    bash(folder, "git add -A; git commit -qm groups")
    assert "--copy-paths data/photos" in PAGE
    run = "dvc exp run --temp --copy-paths data/photos -S folds.seed=2 prepare"
    assert ran(bash(folder, f"source .venv/bin/activate; {run}")) == ["prepare"]
