"""Small hand-made results for the tests of `compare` and of code that reads its table."""

from pathlib import Path

import numpy as np

from stages import files
from tests.report import made

LABEL = np.tile([0, 1], 20)  # of 40 training images, 8 in each of 5 folds
TIED = np.array([0.8, 0.7, 0.8, 0.9, 0.8])
GAIN = np.array([0.08, 0.12, 0.03, 0.10, 0.06])  # mean .078, variance .00122, corrected p .029
BETTER, WORSE = TIED + GAIN, TIED - GAIN
LEANING = TIED + np.array([0.08, -0.05, 0.03, 0.0, 0.01])
TABLE, REPORT = Path("results/comparison.csv"), Path("results/comparison.md")
KNOWN = {"python": "3.11", "keras": "3.15.1", "kernels": "avx2"}
PAGE = Path("results/report.html")


def write_variant(name, accuracy=TIED, wrong=(), *, label=LABEL, test=0.9, **changed):
    """Write a variant's files of train and evaluate; `wrong` are its out-of-fold mistakes."""
    right = ~np.isin(np.arange(len(label)), wrong)
    probability = np.eye(2, dtype=np.float32)[np.where(right, label, 1 - label)]
    scores = {"accuracy": test}
    folder = Path("results") / name
    made.write(folder, accuracy, [probability] * 2, [label] * 2, scores=scores, **changed)


def choose(*names, repeats=1, **compare):
    images, folds = np.zeros((40, 4, 4, 1), "uint8"), {"count": 5, "repeats": repeats}
    compare = {"baseline": "basic"} | compare
    made.prepare(Path(), names, [LABEL] * 2, ["zero", "one"], images, folds=folds, **compare)


def rows():
    return {row["variant"]: row for row in files.read_table(TABLE)}


def update(name, **content):
    """Change keys of the file training.json of a variant."""
    path = Path("results") / name / "training.json"
    files.write_json(path, files.read_json(path) | content)


def write_four():
    """Write four chosen variants with finished results."""
    choose("worse_one", "basic", "better_one", "leaning")
    write_variant("basic", wrong=range(10))
    write_variant("better_one", BETTER, wrong=[0], test=0.955)
    write_variant("worse_one", WORSE, wrong=range(20))
    write_variant("leaning", LEANING, wrong=range(10))
