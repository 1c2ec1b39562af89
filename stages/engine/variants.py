"""Plan and train whole variants: a row with its folds, or an ensemble of other rows."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stages.engine import (
    backbones,
    final_model,
    fold_store,
    fold_tasks,
    identity,
    model_file,
    workers,
)
from stages.engine.fold_tasks import Arrays, FoldTask
from stages.engine.preview import preview
from stages.engine.resolve import check_data, recipes
from stages.files import PREPARED, RESULTS, read_json
from stages.settings.params import Params
from stages.settings.sections import Parallel
from stages.training import combine
from stages.training.export import average
from stages.training.fold import FoldResult
from stages.training.recipe import Recipe


class Plan(NamedTuple):
    """A variant, and the recipes that it is trained with: its own, or those of its members."""

    variant: str
    description: str
    is_ensemble: bool
    fingerprint: str
    recipes: dict[str, Recipe]  # fingerprint -> recipe, in order

    def about(self) -> dict[str, Any]:
        """Return the settings as training.json has them."""
        rows = {r.variant: r.model_dump(exclude={"variant"}) for r in self.recipes.values()}
        if not self.is_ensemble:
            (settings,) = rows.values()
            return {"final": settings["train"]["final"], "settings": settings}
        members = {recipe.variant: key for key, recipe in self.recipes.items()}
        return {"final": "ensemble", "settings": {"ensemble": rows}, "members": members}


class Trained(NamedTuple):
    """The results of training a variant, before they are written to files."""

    folds: Sequence[FoldResult]  # of all repeats, in order
    out_of_fold: np.ndarray  # float32 (repeats, n, classes)
    model: bytes  # the content of the model file
    preview: dict[str, np.ndarray]  # of the augmentation
    parameters: int  # of one fold's model, or of all members of an ensemble
    temperature: float = 1.0  # by which the model's logits are divided


def plan(settings: Params, variant: str, dataset: dict[str, Any]) -> Plan:
    """Return the plan of a variant for the prepared data that `dataset` describes.

    Raises:
        UserError: when the variant cannot be resolved, or its settings do not fit the data.
    """
    recipe_of = {}
    for recipe in recipes(settings, variant):
        check_data(recipe, dataset, PREPARED)
        recipe_of[identity.fingerprint(recipe, dataset["sha256"])] = recipe
    row, keys = settings.variants[variant], [*recipe_of]
    own = identity.ensemble_fingerprint(variant, keys) if row.ensemble else keys[0]
    return Plan(variant, row.description, bool(row.ensemble), own, recipe_of)


def needed_folds(
    plan: Plan, arrays: Arrays, rows: Mapping[str, Trained]
) -> dict[str, list[FoldTask]]:
    """Return fingerprint -> folds, of a variant or of the members that are not in `rows`."""
    return {
        key: fold_tasks.variant_tasks(key, recipe, arrays)
        for key, recipe in plan.recipes.items()
        if key not in rows
    }


def train(plan: Plan, arrays: Arrays, parallel: Parallel) -> Trained:
    """Return a variant's results; what is missing from the fold store is computed.

    Raises:
        UserError: when a fold cannot be trained, or the members of an ensemble do not fit the data.
    """
    # Read all results first: training takes long, and they may be deleted meanwhile.
    rows = members_with_results(plan)
    needed = needed_folds(plan, arrays, rows)
    fold_tasks.run_folds([task for own in needed.values() for task in own], arrays, parallel)
    for key, tasks in needed.items():
        recipe = plan.recipes[key]
        folds = fold_tasks.records(tasks)
        value, out_of_fold = final_model.calibration(folds, recipe, arrays)
        rows[key] = Trained(
            folds,
            out_of_fold,
            final_model.model(tasks, arrays, parallel),
            preview(key, recipe, arrays, parallel),
            sum(weights.size for weights in folds[0].weights) + backbones.parameters(recipe),
            value,
        )
    if not plan.is_ensemble:
        return rows[plan.fingerprint]
    members = {recipe.variant: rows[key] for key, recipe in plan.recipes.items()}

    def build() -> bytes:
        models = {name: member.model for name, member in members.items()}
        kernels = next(iter(plan.recipes.values())).train.kernels
        task = (plan.variant, arrays.images.shape[1:], arrays.classes, models, kernels)
        ((_, content),) = workers.run(average, [task], parallel.local_jobs)
        return content

    scores = [member.out_of_fold for member in members.values()]
    averaged = combine.averaged(scores, arrays.folds, arrays.labels)
    return Trained(
        averaged,
        combine.out_of_fold(averaged, arrays.folds, arrays.classes),
        fold_store.model(plan.fingerprint, build),
        preview(plan.fingerprint, None, arrays, parallel),
        sum(member.parameters for member in members.values()),
    )


def members_with_results(plan: Plan) -> dict[str, Trained]:
    """Return what an ensemble needs from members whose result files match their fingerprints."""
    found = {}
    for key, recipe in plan.recipes.items() if plan.is_ensemble else ():
        folder = RESULTS / recipe.variant
        try:
            training = read_json(folder / "training.json", ("fingerprint", "parameters"))
            if training["fingerprint"] == key:
                with np.load(folder / "out_of_fold.npz", allow_pickle=False) as stored:
                    out_of_fold = stored["oof_probability"]
                model = (folder / "model.keras").read_bytes()
                model_file.layers(model, str(folder / "model.keras"))
                found[key] = Trained([], out_of_fold, model, {}, training["parameters"])
        except model_file.UNREADABLE:
            continue  # missing or damaged
    return found
