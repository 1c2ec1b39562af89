"""`python -m benchmarks.photos`: from a folder of pictures to a verdict in two commands.

`make new` and `make repro` run in a copy of the repository on the pictures of a Debian package: the
stamps of Tux Paint, which are photographs and drawings, or Open Clip Art. The record has the time
of both commands, and each variant's results from comparison.csv.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from benchmarks import checkout, inputs, measured, processes
from benchmarks.seeds import SHOWN
from stages.report.terminal import read_rows

PACKAGES = {  # where each has its pictures, and the folders that are taken as classes
    "tuxpaint-stamps-default": (
        Path("/usr/share/tuxpaint/stamps"),
        ("animals", "food", "plants", "symbols", "town"),
    ),
    "openclipart-png": (
        Path("/usr/share/openclipart/png"),
        ("animals", "buildings", "food", "people", "plants", "tools", "transportation"),
    ),
}
QUICK = {
    "folds": {"count": 2},
    "train": {"epochs": 1},
    "compare": {"variants": ["logistic", "majority"], "baseline": "logistic"},
    "tracking": {"live_after": None},
}


def copied(pictures: Path, classes: Sequence[str], folder: Path) -> int:
    """Copy the pictures of each class into its own folder, and return their number."""
    count = 0
    for name in classes:
        (folder / name).mkdir(parents=True)
        for picture in sorted((pictures / name).rglob("*.png")):
            shutil.copy(picture, folder / name / "_".join(picture.relative_to(pictures).parts))
            count += 1
    return count


def noise(folder: Path, classes: Sequence[str]) -> Path:
    """Write a few pictures of noise to use instead of a package's, and return their folder."""
    random = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def main() -> None:
    """Run both commands, and write benchmarks/records/photos-PACKAGE.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("package", nargs="?", choices=PACKAGES, default=next(iter(PACKAGES)))
    chosen = parser.parse_args()
    pictures, classes = PACKAGES[chosen.package]
    with inputs.temporary_folder() as folder:
        place = checkout.make(folder / "copy", inputs.defaults())
        if chosen.quick:
            pictures = noise(folder / "noise", classes)
        count = copied(pictures, classes, folder / "photos")
        seconds = {}
        for name, arguments in {"new": ["new", str(folder / "photos")], "repro": ["repro"]}.items():
            command = [sys.executable, "-m", "stages", *arguments]
            cost = processes.cost(command, place, PYTHONPATH=str(place))
            seconds[name] = {"seconds": cost.seconds, "peak_mib": cost.peak_mib}
            if chosen.quick and name == "new":
                written = yaml.safe_load((place / "params.yaml").read_text(encoding="utf-8"))
                inputs.write_settings(place, inputs.merged(written, QUICK))
        rows = read_rows(place / "results" / "comparison.csv")
    result = {
        "package": chosen.package,
        "images": count,
        "classes": classes,
        "metric": rows[0]["metric"],
        "commands": seconds,
        "variants": {
            row["variant"]: {column: row[column] for column in SHOWN} | {"metric": row["metric"]}
            for row in rows
        },
    }
    print(measured.write(f"photos-{chosen.package}", result, chosen.folder))


if __name__ == "__main__":
    main()
