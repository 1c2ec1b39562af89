"""`python -m stages prune`: list or remove what is left of variants that no longer have a row.

Removing or renaming a row of params.yaml leaves its results, its entries in dvc.lock and its runs
in MLflow. Rows that are merely not compared keep theirs.
"""

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

from dvc.utils.serialize import YAMLFileCorruptedError, load_yaml, modify_yaml

from stages.errors import UserError
from stages.files import RESULTS, listed, replacing
from stages.members import MEMBERS
from stages.settings import params
from stages.tracking import address, marker, store

LOCK = Path("dvc.lock")


def prune(yes: bool = False, mlflow: bool = False) -> None:
    """Print what belongs to no row of params.yaml; remove it if `yes`.

    With `mlflow`, also runs, which MLflow only marks as deleted, and their model versions, except
    the champion and others with an alias of their own.

    Raises:
        UserError: if `mlflow` and the store is a server, where other checkouts have other rows; or
            if dvc.lock cannot be read.
    """
    settings = params.load()
    if mlflow and not address.database(address.uri()):
        raise UserError(
            f"MLflow at {address.shown()} is a server, and other checkouts may have rows that are "
            "missing here; delete runs on its pages, or run the command without --mlflow."
        )
    found = False
    for line in _files(settings.variants, yes):
        print(line)
        found = True
    if mlflow:
        for line in _runs(settings, yes):
            print(line)
            found = True
    if not found:
        print("Nothing is left of variants without a row in params.yaml.")
    elif not yes:
        by_make = "" if mlflow else " or run `make prune YES=1`"
        print(f"Nothing has been removed yet; to remove it, add --yes{by_make}.")


def _files(rows: Collection[str], yes: bool) -> Iterator[str]:
    """Yield a line for each path and for the entries of dvc.lock; remove them if `yes`."""
    try:
        locked = load_yaml(LOCK).get("stages", {}) if LOCK.exists() else {}
    except YAMLFileCorruptedError:
        raise UserError(
            f"{LOCK} is not valid YAML, as after a merge with a conflict; run "
            f"`git checkout HEAD -- {LOCK}`, then the command again."
        ) from None
    stages = {stage: stage.partition("@")[2] for stage in locked}
    notes = Path(".foldlab/unpublished")
    written = marker.NEEDED["train"]  # in a variant's folder, and in no other
    names = {path.parent.name for name in written for path in RESULTS.glob(f"*/{name}")}
    names |= {path.stem for top in (RESULTS / "published", MEMBERS) for path in listed(top)}
    names |= {*stages.values(), *(path.name for path in listed(notes))}
    for name in sorted(names - {*rows}):
        if not params.VARIANT_NAME.fullmatch(name) or name in params.RESERVED_NAMES:
            continue
        markers = (RESULTS / "published" / f"{name}.json", MEMBERS / f"{name}.json", notes / name)
        for path in (RESULTS / name, *markers):
            if path.exists():
                yield f"{path}{'/' * path.is_dir()}"
                if yes:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        if entries := [stage for stage, variant in stages.items() if variant == name]:
            yield f"{LOCK}: {', '.join(entries)}"
            if yes:
                with replacing(LOCK) as temporary:
                    shutil.copyfile(LOCK, temporary)
                    with modify_yaml(temporary) as content:
                        for stage in entries:
                            del content["stages"][stage]


def _runs(settings: params.Params, yes: bool) -> Iterator[str]:
    """Yield a line for each idle run of a removed variant; if `yes`, delete those with no alias."""
    with store.opened(settings.tracking) as client:
        from stages.tracking.champion import CHALLENGER
        from stages.tracking.children import child_runs, search  # MLflow's import takes seconds

        model = client.model_name
        quoted = f'"{model}"' if "'" in model else f"'{model}'"
        aliases = {
            str(number): alias
            for registered in client.search_registered_models(f"name = {quoted}")
            for alias, number in registered.aliases.items()
            if alias != CHALLENGER  # the next comparison sets that one again
        }
        versions: dict[str, list[str]] = {}  # run -> numbers
        for version in client.search_model_versions(f"name = {quoted}"):
            versions.setdefault(version.run_id, []).append(str(version.version))
        experiments = [client.experiment_id]
        for run in search(client, "tags.`foldlab.kind` = 'parent'"):
            run_id, variant = run.info.run_id, run.data.tags.get("variant")
            if variant in (None, *settings.variants) or run.info.status == "RUNNING":
                continue
            numbers = versions.get(run_id, [])
            what = f"MLflow: run {variant} ({run_id[:8]}), versions {', '.join(numbers) or 'none'}"
            if kept := [aliases[number] for number in numbers if number in aliases]:
                yield f"{what}: stays, because it is the {kept[0]}"
                continue
            yield what
            if yes:
                for number in numbers:
                    client.delete_model_version(model, number)
                query = f"source_run_id = '{run_id}'"
                for logged in client.search_logged_models(experiments, query):
                    client.delete_logged_model(logged.model_id)
                for each in (*child_runs(client, run, "fold"), run):
                    client.delete_run(each.info.run_id)
