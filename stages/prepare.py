"""The stage `prepare`: read, check and split the images."""

import sys
from dataclasses import replace

from stages import data, files
from stages.data import corrections, dataset, groups, image_folder, watch
from stages.data.splits import make_splits
from stages.errors import UserError
from stages.settings import params


def prepare(settings: params.Params | None = None) -> None:
    """Read, check and split the images of the settings, and write data/prepared.

    `settings` default to those of params.yaml.
    """
    from stages.engine import resolve  # imports all registries, which only this check needs

    settings = settings or params.load()
    resolve.check(settings)
    watch.check(settings)
    before = watch.digests(settings)
    _check_tables(settings)
    source = data.load(settings.data)
    if count := len(source.unreadable):
        are = "file is" if count == 1 else "files are"
        reasons = image_folder.summary(source.unreadable)
        print(f"foldlab: {source.name}: {count:,} {are} left out: {reasons}", file=sys.stderr)
    source = replace(source, sha256=before.get("data.source", source.sha256))
    if settings.data.corrections:
        source = corrections.apply(settings.data.corrections, source)
    splits = make_splits(source, settings)
    source = replace(source, notes=(*source.notes, *splits.notes))
    written = dataset.write(source, splits, settings)
    try:
        watch.check_unchanged(settings, before)
    except (UserError, OSError):
        (files.PREPARED / "dataset.json").unlink()
        raise
    for note in source.notes:
        print(f"foldlab: {source.name}: {note}", file=sys.stderr)
    shape, repeats = "x".join(map(str, written["image_shape"])), settings.folds.repeats
    print(
        f"{source.name}: {len(splits.train)} training and {len(splits.test)} test images of "
        f"{shape} in {len(source.classes)} classes, {settings.folds.count} folds, "
        f"{repeats} {'repeat' if repeats == 1 else 'repeats'}"
    )


def _check_tables(settings: params.Params) -> None:
    """Check the user's CSV files before any image is decoded, as far as that is possible."""
    group, corrected = settings.folds.group, settings.data.corrections
    if not (group or corrected):
        return
    path, listed = data.find(settings.data.source), data.listed(settings.data)
    top = path if path is None or path.is_dir() else path.parent
    module = path and data.format_of(path, settings.data)
    column = "file" if listed or getattr(module, "NAMED", False) else "row"
    if corrected:
        corrections.table(corrected, column)
    if group:
        groups.check(group, listed, top, column)
