"""`python -m stages suite`: the compared variants on several data sets, in one table.

Each source of the section `suite` is prepared in its own folder in `.foldlab/suite`, with the
folds, variants and comparison of params.yaml. Only training images are used, so test sets stay
unseen. The result is results/suite.csv, results/plots/suite.png, and a run in MLflow.
"""

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages import data, files
from stages.commands import edits
from stages.commands.process import exclusive
from stages.data import watch
from stages.engine import fold_store, resolve
from stages.engine import suite as source_runs
from stages.errors import UserError
from stages.figures.suite import suite as draw
from stages.files import PREPARED
from stages.prepare import prepare
from stages.report import measurements
from stages.report.markdown import difference, mean_std, probability
from stages.settings import params
from stages.settings.params import Params
from stages.settings.sections import Data
from stages.statistics.metrics import METRICS, metric_of
from stages.statistics.suite import ALL, COLUMNS, ENOUGH, against_baseline
from stages.tracking import published, store
from stages.tracking.store_errors import StoreError

FOLDER = Path(".foldlab/suite")
STAMP = Path("prepared.json")  # in a source's folder: what data/prepared was made from


def suite() -> None:
    """Train what is not trained yet on each source; print, draw and log the comparison.

    All sources are read and checked against all variants before the first training.

    Raises:
        UserError: if the settings, a source or a variant on it are not valid; names the source.
    """
    settings = params.load()
    sources = _sources(settings)
    resolve.check(settings)
    compare, scores = settings.compare, {}
    with exclusive("suite"):
        planned = {}
        for name, source in sources.items():
            with _inside(name, source):
                dataset = _prepared(settings.model_copy(update={"data": source}))
                planned[name] = source_runs.plans(settings, dataset), dataset, settings
        for name, source in sources.items():
            with _inside(name, source):
                source_runs.try_networks(*planned[name])
        for name, source in sources.items():
            with _inside(name, source):
                scores[name] = source_runs.scores(*planned[name])
        fold_store.prune()
    count = settings.folds.count
    images = {name: dataset["train"]["images"] / count for name, (_, dataset, _) in planned.items()}
    rows = against_baseline(scores, compare.baseline, count, compare.rope, compare.metric, images)
    figure = draw(rows, compare.rope)
    measurements.show("suite", rows, COLUMNS, figure, _table(rows), _sentences(rows))
    _log(settings, rows)


def _sources(settings: Params) -> dict[str, Data]:
    """Return name -> settings of each source, with absolute paths.

    A source is named by the last part of its path if that is unique, and otherwise as it is given.
    """
    given = settings.suite.sources
    if len(given) < 2:
        raise UserError(
            f"suite.sources in params.yaml has {len(given) or 'no'} data set{'s' * (not given)}, "
            "and a suite compares at least two; name them, as in [mnist-5k, data/photos]."
        )
    if len(settings.compare.variants) < 2:
        raise UserError("compare.variants has one name; add another to compare it with.")
    if settings.folds.group:
        raise UserError(
            f"folds.group is {settings.folds.group!r}, but groups are those of one data set, and a "
            "suite has several; set it to null."
        )
    names = Counter(Path(source.source).name for source in given)
    names[ALL] += 1  # the name of the mean
    places, found = set(), {}
    for position, source in enumerate(given):
        where = f"suite.sources.{position}"
        path = data.located(where, source.source)
        place = os.path.realpath(path) if path else source.source
        if place in places:
            raise UserError(
                f"{where} is {source.source!r}, which the suite has already, so that its images "
                "would count twice; remove one."
            )
        places.add(place)
        last = Path(source.source).name
        whole = f"./{ALL}" if source.source == ALL else source.source
        changes = {"source": str(path) if path else source.source}
        for key in ("folder", "corrections"):
            if value := getattr(source, key):
                changes[key] = str(files.find(value))
        found[last if names[last] == 1 else whole] = source.model_copy(update=changes)
    return found


@contextlib.contextmanager
def _inside(name: str, source: Data) -> Iterator[None]:
    """Work in a source's folder, and name it in errors; root() remains the repository's folder."""
    readable = re.sub(r"[^\w.-]", "_", Path(name).name)
    folder = FOLDER / f"{readable}-{hashlib.sha256(source.source.encode()).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    before, top = os.environ.get("DVC_ROOT"), str(files.root().absolute())
    with contextlib.chdir(folder):
        os.environ["DVC_ROOT"] = top
        try:
            yield
        except UserError as error:
            raise UserError(f"suite, {name}: {error}") from None
        finally:
            del os.environ["DVC_ROOT"]
            if before is not None:
                os.environ["DVC_ROOT"] = before


def _prepared(settings: Params) -> dict[str, Any]:
    """Prepare the data if settings, files or code have changed; return dataset.json's content."""
    package = Path(data.__file__).parent
    made_from = {
        "settings": settings.model_dump(mode="json", include={"data", "folds"}),
        "files": watch.digests(settings),
        "code": edits.digests([package, package.parent / "prepare.py"]),
    }
    if not (STAMP.exists() and files.read_json(STAMP) == made_from):
        STAMP.unlink(missing_ok=True)
        prepare(settings)
        files.write_json(STAMP, made_from)
    return files.read_dataset(PREPARED)


def _table(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the table as texts; the first row of each variant has its name."""
    table, metric = [], metric_of(rows[0])
    for before, row in zip([None, *rows], rows, strict=False):
        is_mean = row["source"] == ALL
        table.append(
            {
                "variant": "" if before and before["variant"] == row["variant"] else row["variant"],
                "source": "mean" if is_mean else row["source"],
                metric.column: "" if is_mean else mean_std(row),
                "n": f"{row['n']} {'sources' if is_mean else 'folds'}",
                f"difference, {metric.unit} (95 %)": difference(row),
                "Holm p": probability(row["p_holm"]),
                "verdict": row["outcome"],
            }
        )
    return table


def _sentences(rows: list[dict[str, Any]]) -> list[str]:
    """Return notes on the table: what the mean covers, and how much differences vary."""
    metric = metric_of(rows[0])
    sentences = [
        f"Differences are from {rows[0]['baseline']}. The mean is of these sources, with equal "
        "weights; on other data it may differ.",
        "Holm p is corrected for all variants and sources, and that of a mean for all variants.",
    ]
    for row in rows:
        if row["between_p"] is not None:
            sd = f"{metric.scale * row['between_sd']:.{metric.digits}f} {metric.unit}"
            sentences.append(
                f"{row['variant']}: between sources, the true difference has a standard deviation "
                f"of {sd} (p = {probability(row['between_p'])} if it did not vary)."
            )
    if rows[-1]["n"] < ENOUGH:
        sentences.append(f"With {ENOUGH} sources or more, whether differences vary is tested too.")
    return sentences


def _log(settings: Params, rows: list[dict[str, Any]]) -> None:
    """Log the table and the figure to MLflow; warn if that fails."""
    shown = {
        "baseline": settings.compare.baseline,
        "metric": METRICS[settings.compare.metric].label,
        "sources": ", ".join(dict.fromkeys(row["source"] for row in rows if row["source"] != ALL)),
        "variants": ", ".join(sorted(settings.compare.variants)),
    }
    try:
        with store.opened(settings.tracking, published.SECONDS) as client:
            from stages.tracking.attachments import log_suite  # MLflow's import takes seconds

            log_suite(client, shown)
    except StoreError as error:
        saved = "results/suite.csv is complete, run `make suite` again when the store is back"
        published.warn("the suite", error, saved)
