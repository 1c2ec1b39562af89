"""`python -m stages export --format onnx`: a model for a runtime without TensorFlow, and its proof.

The new file takes the same images as the Keras file. Both score the whole test set: a float file
that differs by more than TOLERANCE is not kept, and for an int8 file the proof says what it costs.
"""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from stages import files, publish
from stages.commands import models
from stages.engine import latency, onnx_file, tflite_file
from stages.engine.hardware import PROCESSOR
from stages.engine.predict import score
from stages.engine.traced import trace
from stages.errors import UserError
from stages.files import PREPARED, RESULTS, read_dataset, read_prepared
from stages.report import measurements
from stages.settings import params
from stages.settings.sections import Kernels
from stages.statistics.interval import discordant
from stages.statistics.metrics import METRICS
from stages.training.epoch import scoring_batch

FORMATS: dict[str, ModuleType] = {"onnx": onnx_file, "tflite": tflite_file}
TOLERANCE = 1e-4  # of a probability; float32 sums in another order differ by less
CALIBRATION, SEED = 500, 1  # training images that set the ranges of int8 activations
CALLS, ROUNDS = 200, 3  # single images in a round; rounds over both files
Score = Callable[[np.ndarray], np.ndarray]


def export(
    model: str = "", file_format: str = "onnx", int8: bool = False, output: Path | None = None
) -> None:
    """Convert a model, compare the new file with it on the test set, and write the proof.

    Args:
        model: as for `stages.commands.models.find`.
        file_format: one of FORMATS.
        int8: quantize weights and activations; for TFLite only.
        output: the folder to write to; None: `export` beside the model.

    Raises:
        UserError: if a package is missing, if the model is unknown, does not fit the prepared data
            or has a layer that cannot be converted, or if the probabilities of a float file differ.
    """
    module = FORMATS[file_format]
    if int8 and module is not tflite_file:
        raise UserError(f"--int8 needs --format tflite, not {file_format}; leave one of them out.")
    if output is None and models.in_mlflow(model):
        raise UserError(f"{model} has no folder on this machine; name one with --output.")
    if missing := [name for name in module.PACKAGES if find_spec(name) is None]:
        raise UserError(
            f"--format {file_format} needs {', '.join(missing).replace('_', '-')}, not installed; "
            "run pip install -r requirements-export.txt -c constraints.txt."
        )
    dataset = read_dataset(PREPARED)
    with tempfile.TemporaryDirectory() as temporary:
        path, name = models.find(model, dataset, Path(temporary))
        models.check(path, dataset)
        file = (output or path.parent / "export") / f"model{'_int8' * int8}.{file_format}"
        files.check_writable(file.parent)
        proof = _write(file, path, name, module, dataset["classes"], int8)
    print(f"{file}: from {name}")
    for title, text in _cells(proof).items():
        print(f"{title}: {text}")
    print(f"proof: {proof_path(file)}")
    _show()
    if path.parent.parent == RESULTS:
        _log(path.parent.name, proof_path(file))


def _write(
    file: Path, path: Path, name: str, module: ModuleType, classes: Sequence[str], int8: bool
) -> dict[str, Any]:
    """Convert the model at `path`, write `file` with its proof, and return the proof.

    Earlier files are removed first, so that none can be mistaken for those of a refused model.
    """
    settings = params.load()
    kernels = settings.train.kernels
    images, label, training = read_prepared("test_images", "test_labels", "train_images")
    expected = score(path, images, label, settings.parallel, kernels).probability
    models.check_classes(str(path), expected.shape[1], len(classes))
    chosen = np.random.default_rng(SEED).permutation(len(training))[:CALIBRATION]
    calibration = [training[np.sort(chosen)]] if int8 else []
    for earlier in (file, proof_path(file)):
        earlier.unlink(missing_ok=True)
    with files.replacing(file) as partial:
        partial.write_bytes(module.convert(trace(path, kernels), classes, *calibration))
        answer = module.scorer(partial)
        found = _batches(answer, images)
        largest, allowed = float(np.abs(found - expected).max()), 1 if int8 else TOLERANCE
        if not largest <= allowed:  # also if it is not a number
            raise UserError(
                f"{file} would differ from {path} by {largest:.1g} in a probability, where "
                f"{allowed:g} is allowed; use the .keras file."
            )
        packages = ("tensorflow", "keras", "numpy", *module.PACKAGES)
        proof = {
            "model": name.split(" ")[0],
            "tolerance": None if int8 else TOLERANCE,
            "largest_difference": largest,
            "changed_predictions": int((found.argmax(1) != expected.argmax(1)).sum()),
            "calibration_images": len(calibration[0]) if int8 else 0,
            "accuracy": _accuracy(expected.argmax(1) == label, found.argmax(1) == label),
            "megabytes": _both(*(round(one.stat().st_size / 1e6, 3) for one in (path, partial))),
            "one_image_ms": _both(*_times(path, answer, images, kernels)),
            "processor": _processor(),
            "versions": {one.replace("_", "-"): version(one) for one in packages},
            "sha256": _both(files.sha256(path), files.sha256(partial)),
        }
        files.write_json(proof_path(file), proof)  # first, so that no file exists without its proof
    return proof


def proof_path(file: Path) -> Path:
    """Return the path of a file's proof."""
    return file.with_name(f"{file.name}.json")


def _both(keras: Any, exported: Any) -> dict[str, Any]:
    return {"keras": keras, "exported": exported}


def _batches(answer: Score, images: np.ndarray) -> np.ndarray:
    size = scoring_batch(images.shape[1:])
    starts = range(0, len(images), size)
    return np.concatenate([answer(images[start : start + size]) for start in starts])


def _accuracy(keras: np.ndarray, exported: np.ndarray) -> dict[str, Any]:
    """Return both accuracies and their difference; arguments: bool (n,), predicted correctly."""
    gained, lost = int((exported & ~keras).sum()), int((keras & ~exported).sum())
    low, high = discordant(gained, lost, len(keras))
    return {
        "n": len(keras),
        **_both(float(keras.mean()), float(exported.mean())),
        "only_exported_correct": gained,
        "only_keras_correct": lost,
        "difference": (gained - lost) / len(keras),
        "ci_low": low,
        "ci_high": high,
    }


def _times(path: Path, answer: Score, images: np.ndarray, kernels: Kernels) -> tuple[float, float]:
    """Return the median milliseconds of one image on one thread, for the model and the new file.

    Each is that of the fastest round: other work on the machine can only make a round slower.
    """
    some = np.array(images[:CALLS])
    keras, exported = [], []
    for _ in range(ROUNDS):
        measured = latency.measure(path, some, CALLS, kernels)
        keras.append(measured["one_image_ms"]["median"])
        exported.append(float(np.median(latency.single_images(answer, some, CALLS)[1:])))
    return min(keras), round(min(exported), 3)


def _processor() -> str:
    text = PROCESSOR.read_text() if PROCESSOR.exists() else ""
    found = re.search(r"^model name\s*: (.*)$", text, re.M)
    return found[1] if found else "unknown"


def _cells(proof: Mapping[str, Any]) -> dict[str, str]:
    """Return what a proof says: title -> text."""
    accuracy, size, times = (proof[key] for key in ("accuracy", "megabytes", "one_image_ms"))
    interval = (accuracy[key] for key in ("difference", "ci_low", "ci_high"))
    return {
        "largest difference of a probability": f"{proof['largest_difference']:.2g}",
        "changed predictions": f"{proof['changed_predictions']:,} of {accuracy['n']:,}",
        "test accuracy, %": f"{100 * accuracy['exported']:.2f}",
        "difference from Keras, points (95 %)": METRICS["accuracy"].difference(*interval),
        "MB": f"{size['exported']:.2f} (Keras: {size['keras']:.2f})",
        "ms for one image": f"{times['exported']:.2f} (Keras: {times['keras']:.2f})",
    }


def _show() -> None:
    """Put the proofs of all variants' exports on the page of measurements."""
    rows = [
        {"variant": path.parent.parent.name, "file": path.stem} | _cells(files.read_json(path))
        for path in sorted(RESULTS.glob("*/export/*.json"))
    ]
    note = "Each file scored the whole test set. Proofs are in results/<variant>/export."
    if rows:
        measurements.add("export", [*rows[0]], [[*row.values()] for row in rows], [note])


def _log(variant: str, proof_file: Path) -> None:
    """Add the proof to the variant's run in MLflow, if it is published; warn if that fails."""

    def attach(client: Any, run_id: str, name: str) -> None:
        client.log_artifact(run_id, str(proof_file), "export")

    publish.annotate(params.load(), f"the proof of {variant}'s export", [variant], attach)
