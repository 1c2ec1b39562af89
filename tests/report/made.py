"""Results of any number of variants, as the stages write them: probable ones, not real ones.

`python -m tests.report.made 200 /tmp/many --train 60000 --tests 10000` makes a folder in which
`python -m stages compare` (with PYTHONPATH at the repository) shows how long so many take.
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from stages import files
from stages.report import html
from stages.report.comparison import compared
from stages.report.results import SCORES, read
from stages.statistics import calibration, classification
from tests.prepared import TRAIN

SHA256 = "ab" * 32
EPOCHS = 4


def make(
    root, names, *, classes=10, train=200, tests=100, folds=5, repeats=1, shape=(8, 8, 1), seed=0
):
    """Write params.yaml, data/prepared and the results of all `names`; the first is the baseline.

    Args:
        root: an existing folder.
        names: the variants.
        classes: how many there are, or their names.
        train: number of training images.
        tests: number of test images.
        folds: folds of one cross-validation.
        repeats: how often it was repeated.
        shape: of an image.
        seed: of all that is drawn.
    """
    random = np.random.default_rng(seed)
    named = [str(i) for i in range(classes)] if isinstance(classes, int) else list(classes)
    label, test_label = (np.arange(n) % len(named) for n in (train, tests))
    prepared = root / "data" / "prepared"
    prepared.mkdir(parents=True)
    np.save(prepared / "test_images.npy", random.integers(0, 256, (tests, *shape), dtype="uint8"))
    counts = {
        split: {
            "images": len(one),
            "per_class": np.bincount(one, minlength=len(named)).tolist(),
        }
        for split, one in (("train", label), ("test", test_label))
    }
    dataset = {"source": "made", "licence": "none", "classes": named, "image_shape": shape}
    dataset |= counts | {"folds": {"count": folds, "repeats": repeats}, "sha256": SHA256}
    files.write_json(prepared / "dataset.json", dataset)
    content = {
        "train": TRAIN,
        "folds": {"count": folds, "repeats": repeats},
        "variants": {name: {"architecture": "basic"} for name in names},
        "compare": {"variants": list(names), "baseline": names[0]},
    }
    (root / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    hard = [random.normal(0, 1, len(one)) for one in (label, test_label)]
    for name in names:
        write(root / "results" / name, name, random, (label, test_label), hard, len(named), dataset)


def write(folder, name, random, labels, hard, classes, dataset):
    """Write the files of one variant that compare reads."""
    skill = random.normal(4.5, 0.3)
    probability = [
        predicted(random, label, skill - own, classes)
        for label, own in zip(labels, hard, strict=True)
    ]
    folds = dataset["folds"]["count"] * dataset["folds"]["repeats"]
    correct = probability[0].argmax(axis=1) == labels[0]
    size = len(correct) // dataset["folds"]["count"]
    accuracy = [
        random.permutation(correct)[:size].mean() if number else correct.mean()
        for number in range(folds)
    ]
    files.write_table(
        folder / "folds.csv",
        ("fold", "accuracy", "loss", "best_epoch", "epochs", "train_images", "val_images"),
        [
            (fold, float(score), 0.1, EPOCHS, EPOCHS, len(correct) - size, size)
            for fold, score in enumerate(accuracy)
        ],
    )
    files.write_table(
        folder / "history.csv",
        ("fold", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"),
        [
            (fold, e, 0.5 / e, 1 - 0.2 / e, 0.6 / e, score - 0.1 * (EPOCHS - e) / EPOCHS, 0.001)
            for fold, score in enumerate(accuracy)
            for e in range(1, EPOCHS + 1)
        ],
    )
    optimizer = {"name": "adam", "arguments": {}}
    settings = {"architecture": {"name": "basic", "arguments": {"dense": int(random.integers(99))}}}
    settings |= {"augmentation": [], "train": {"epochs": EPOCHS, "optimizer": optimizer}}
    training = {"fingerprint": name.encode().hex()[:64], "data_sha256": SHA256}
    training |= {"description": f"The variant {name}.", "settings": settings}
    files.write_json(folder / "training.json", training)
    scores = classification.summary(probability[1], labels[1])
    error = calibration.expected_calibration_error(probability[1], labels[1])
    scores["expected_calibration_error"] = error
    assert set(scores) == set(SCORES)
    files.write_json(
        folder / "metrics.json", {"test": scores, "parameters": int(random.integers(10**6))}
    )
    (folder / "plots").mkdir()
    Image.new("L", (8, 8)).save(folder / "plots" / "data_card.png")
    np.savez(
        folder / "predictions.npz",
        oof_probability=probability[0],
        oof_label=labels[0],
        test_probability=probability[1],
        test_label=labels[1],
        test_sha256=SHA256,
        model_sha256=hashlib.sha256(name.encode()).hexdigest(),
    )


def predicted(random, label, skill, classes):
    """Return probabilities in which the label leads by `skill` before noise: float32."""
    score = random.gumbel(0, 1, (len(label), classes)).astype("float32")
    score[np.arange(len(label)), label] += skill.astype("float32")
    exponent = np.exp(score - score.max(axis=1, keepdims=True))
    return exponent / exponent.sum(axis=1, keepdims=True)


def page(root, names, **changed):
    """Return the page of some variants, whose rows have other cells where `changed` says so."""
    dataset = files.read_json(root / "data" / "prepared" / "dataset.json")
    found = {name: read(name, root / "results") for name in names}
    comparison = compared(found, dataset, names[0], rope=0.0005, uses=7)
    rows = [row | changed.get(row["variant"], {}) for row in comparison.rows]
    card = root / "results" / names[0] / "plots" / "data_card.png"
    images = np.load(root / "data" / "prepared" / "test_images.npy")
    return html.comparison(comparison._replace(rows=rows), images, card.read_bytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("variants", type=int)
    parser.add_argument("folder", type=Path)
    for option, default in (("classes", 10), ("train", 200), ("tests", 100), ("folds", 5)):
        parser.add_argument(f"--{option}", type=int, default=default)
    chosen = vars(parser.parse_args())
    where, number = chosen.pop("folder"), chosen.pop("variants")
    where.mkdir(parents=True, exist_ok=True)
    make(where, [f"variant_{i:03}" for i in range(number)], shape=(28, 28, 1), **chosen)
