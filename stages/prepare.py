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
    if settings.folds.group:
        path = data.find(settings.data.source)
        top = path if path is None or path.is_dir() else path.parent
        module = path and data.format_of(path, settings.data)
        column = "file" if getattr(module, "NAMED", False) else "row"
        groups.check(settings.folds.group, data.listed(settings.data), top, column)
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
    written = dataset.write(source, splits, settings.data)
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
