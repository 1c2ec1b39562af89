"""`python -m stages export --format onnx`: a model for a runtime without TensorFlow, and its proof.

The new file takes the same images as the Keras file. Both score the whole test set: a float file
that differs by more than TOLERANCE is not kept, and for an int8 file the proof says what it costs.
`make repro` writes the files that `export` in a row of params.yaml names.
"""

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from stages import files
from stages.commands import models
from stages.engine import export_proof, onnx_file, tflite_file
from stages.engine.export_proof import Exported, proof_path
from stages.engine.predict import score
from stages.engine.traced import trace
from stages.errors import UserError
from stages.files import PREPARED, RESULTS, read_dataset, read_json, read_prepared
from stages.report import measurements
from stages.settings import params
from stages.settings.params import Params
from stages.statistics import uses
from stages.tracking import published

FORMATS: dict[str, ModuleType] = {"onnx": onnx_file, "tflite": tflite_file}
IN_ROWS = {"onnx": ("onnx", False), "tflite": ("tflite", False), "tflite_int8": ("tflite", True)}
TOLERANCE = 1e-4  # of a probability; float32 sums in another order differ by less
CALIBRATION, SEED = 500, 1  # training images that set the ranges of int8 activations


def export(
    model: str = "",
    file_format: str | None = None,
    int8: bool = False,
    output: Path | None = None,
) -> None:
    """Convert a model, compare the new file with it on the test set, and write the proof.

    Args:
        model: as for `stages.commands.models.find`.
        file_format: one of FORMATS; None: what the row of the variant `model` names, or, without
            `model`, what the compared rows name.
        int8: quantize weights and activations; for TFLite only.
        output: the folder to write to; None: `export` beside the model.

    Raises:
        UserError: if a package is missing, if the model is unknown, does not fit the prepared data
            or has a layer that cannot be converted, or if the probabilities of a float file differ.
    """
    if file_format is None:
        return _export_rows(model, int8 or output is not None)
    module = FORMATS[file_format]
    if int8 and module is not tflite_file:
        raise UserError(f"--int8 needs --format tflite, not {file_format}; leave one of them out.")
    if output is None and models.in_mlflow(model):
        raise UserError(f"{model} has no folder on this machine; name one with --output.")
    _check_packages(f"--format {file_format}", module)
    dataset = read_dataset(PREPARED)
    with tempfile.TemporaryDirectory() as temporary:
        path, name, label = models.find(model, dataset, Path(temporary))
        models.check(path, dataset)
        file = (output or path.parent / "export") / _file_name(file_format, int8)
        files.check_writable(file.parent)
        proof = _write(file, path, name, module, dataset["classes"], int8)
    print(f"{file}: from {label}")
    for title, text in export_proof.cells(proof).items():
        print(f"{title}: {text}")
    print(f"proof: {proof_path(file)}")
    _show()
    if path.parent.parent == RESULTS:
        _log(path.parent.name, proof_path(file))


def check_rows(settings: Params) -> None:
    """Raise UserError unless the packages for the compared rows' exports are installed."""
    for name in settings.compare.variants:
        for kind in settings.variants[name].export:
            _check_packages(f"variants.{name}.export: {kind}", FORMATS[IN_ROWS[kind][0]])


def update_rows(settings: Params) -> None:
    """Write the exports of compared rows that are missing, or are of an earlier model.

    Other exports of earlier models are named on stderr.
    """
    for name, file_format, int8 in _wanted(settings, settings.compare.variants):
        if not _is_current(proof_path(RESULTS / name / "export" / _file_name(file_format, int8))):
            export(name, file_format, int8)
    _warn_of_stale()


def _is_current(proof: Path) -> bool:
    """Return whether a proof and its exported file are of the model.keras beside their folder."""
    exported, model = proof.with_suffix(""), proof.parents[1] / "model.keras"
    if not (proof.is_file() and exported.is_file() and model.is_file()):
        return False
    both = {"keras": files.sha256(model), "exported": files.sha256(exported)}
    return read_json(proof, ("sha256",))["sha256"] == both


def _proofs() -> list[Path]:
    return sorted(RESULTS.glob("*/export/*.json"))


def _warn_of_stale() -> None:
    old = [proof.with_suffix("") for proof in _proofs() if not _is_current(proof)]
    if stale := [str(file) for file in old if file.is_file()]:
        print(
            f"foldlab: exported from an earlier model: {', '.join(stale)}; export again, or delete "
            "them.",
            file=sys.stderr,
        )


def _export_rows(model: str, has_options: bool) -> None:
    if has_options:
        raise UserError("--int8 and --output need --format, onnx or tflite; add it.")
    settings = params.load()
    if models.in_mlflow(model) or models.is_file(model):
        raise UserError(f"{model} is not a row, so no format is given; give --format.")
    if model:
        settings.variant(model)  # rejects whatever is not a row
    wanted = [*_wanted(settings, [model] if model else settings.compare.variants)]
    if not wanted:
        raise UserError(
            f"no format is given, and the row of {model or 'each variant'} has no `export`; give "
            "--format, or set `export` in the row."
        )
    for one in wanted:
        export(*one)
    _warn_of_stale()


def _wanted(settings: Params, names: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """Yield the variant, the format and whether it is int8 for each export that rows name."""
    for name in names:
        yield from ((name, *IN_ROWS[kind]) for kind in settings.variants[name].export)


def _file_name(file_format: str, int8: bool) -> str:
    return f"model{'_int8' * int8}.{file_format}"


def _check_packages(wanted: str, module: ModuleType) -> None:
    if missing := [name for name in module.PACKAGES if find_spec(name) is None]:
        raise UserError(
            f"{wanted} needs {', '.join(missing).replace('_', '-')}, not installed; "
            "run pip install -r requirements-export.txt -c constraints.txt."
        )


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
    scored = re.sub(r"[^\w.:@-]", "_", Path(name).name)  # Git tracks the ledger: no path
    use = uses.Use(uses.digest(images, label), scored, files.sha256(path))
    if not any(known._replace(variant=scored) == use for known in uses.note([])):
        uses.note([use])
    models.check_classes(str(path), expected.shape[1], len(classes))
    chosen = np.random.default_rng(SEED).permutation(len(training))[:CALIBRATION]
    calibration = [training[np.sort(chosen)]] if int8 else []
    for earlier in (file, proof_path(file)):
        earlier.unlink(missing_ok=True)
    with files.replacing(file) as partial:
        partial.write_bytes(module.convert(trace(path, kernels), classes, *calibration))
        exported = Exported(partial, module.scorer(partial), module.PACKAGES)
        compared = export_proof.comparison(exported, path, kernels, images, label, expected)
        largest, allowed = compared["largest_difference"], 1 if int8 else TOLERANCE
        if not largest <= allowed:  # also if it is not a number
            raise UserError(
                f"{file} would differ from {path} by {largest:.1g} in a probability, where "
                f"{allowed:g} is allowed; use the .keras file."
            )
        proof = {
            "model": name,
            "tolerance": None if int8 else TOLERANCE,
            "calibration_images": len(calibration[0]) if int8 else 0,
            **compared,
        }
        files.write_json(proof_path(file), proof)  # first, so that no file exists without its proof
    return proof


def _show() -> None:
    """Put the proofs of all exports of current models on the page of measurements."""
    rows = [
        {"variant": path.parts[-3], "file": path.stem} | export_proof.cells(read_json(path))
        for path in _proofs()
        if _is_current(path)
    ]
    note = "Each file scored the whole test set. Proofs are in results/<variant>/export."
    if rows:
        measurements.add("export", [*rows[0]], [[*row.values()] for row in rows], [note])


def _log(variant: str, proof_file: Path) -> None:
    """Add the proof to the variant's run in MLflow, if it is published; warn if that fails."""

    def attach(client: Any, run_id: str, name: str) -> None:
        client.log_artifact(run_id, str(proof_file), "export")

    published.annotate(params.load(), f"the proof of {variant}'s export", [variant], attach)
