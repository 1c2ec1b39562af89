"""`python -m benchmarks.verdict_rules`: which rule should decide that a variant is better?

Every rule of benchmarks/rules.py is applied to the same replicates, those of verdict_battery.py:
once unchanged, where each rejection is a false positive, and with a true difference added to the
first variant: 2 and 3 times the standard deviation, over replicates, of the mean difference of one
5-fold cross-validation. docs/statistics.md has the result.

Replicates are stored in --kept, and later calls add to them. Members that are not named stay in the
record as they are. Without --trainings nothing is trained, and only stored replicates count. A draw
of a trained member takes folds x variants trainings: for k5, 35 of `seeds_1000`, 15 of `seeds_5000`
and 10 of the others; 30 for k5_more, 20 for k10 and for 5x2.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import inputs, measured, verdict_battery
from benchmarks.rules import RULES
from benchmarks.verdict_battery import DESIGNS, MEMBERS, SIMULATED
from stages import data
from stages.errors import UserError
from stages.files import read_json
from stages.settings.sections import Data
from stages.statistics.interval import wilson
from stages.statistics.paired import SIGNIFICANCE, holm

EFFECTS = (2, 3)  # true differences, in standard errors of one 5-fold cross-validation
SOME = 100  # with fewer, the rate of a member is not shown as a rule's highest
FEW = 400  # with fewer replicates only a clear excess of false positives speaks against a rule
FAMILIES = (2, 6)  # variants against one baseline
Differences = dict[str, tuple[np.ndarray, np.ndarray]]


def differences(found: dict[str, dict[str, np.ndarray]], centred: bool) -> Differences:
    """Return, by design, differences by fold (R, m, n) and by image (R, m, images).

    `found` is that of verdict_battery.read. The design "r4" is k5 with its further repeats, of the
    first variant and on the draws that have both; by image, correctness is averaged over repeats.
    """
    result = {}
    for design, arrays in found.items():
        scores, correct = arrays["scores"], arrays["correct"].mean(axis=2, dtype=np.float32)
        by_fold = scores[:, 1:] - scores[:, :1]
        by_image = correct[:, 1:] - correct[:, :1]
        if centred:
            mean = by_fold.mean(axis=(0, 2), keepdims=True)
            by_fold, by_image = by_fold - mean, by_image - mean
        result[design] = by_fold, by_image
    more = result.pop("k5_more", None)
    if more and "k5" in result:
        both = [found[design]["number"] for design in ("k5", "k5_more")]
        _, first, second = np.intersect1d(*both, return_indices=True)
        by_fold = np.concatenate([result["k5"][0][first, :1], more[0][second]], axis=2)
        by_image = (result["k5"][1][first, :1] + 3 * more[1][second]) / 4
        result["r4"] = by_fold, by_image
    return result


def rates(rejected: np.ndarray) -> dict[str, Any]:
    """Return the rate of bool (replicates,) with its Wilson interval."""
    count, n = int(rejected.sum()), len(rejected)
    low, high = wilson(count, n)
    return {"replicates": n, "rate": count / n, "low": low, "high": high}


def rejections(rule: str, found: Differences, shift: float, variants: int | None = None):
    """Return which of `variants`, all by default, a rule calls different; bool (R, variants).

    Args:
        rule: of RULES.
        shift: true difference of the first variant.
        variants: how many p values are corrected for (Holm); None for no correction.
    """
    by_fold, by_image = (part[:, :variants].astype(float) for part in found[RULES[rule].design])
    by_fold[:, 0] += shift
    by_image[:, 0] += shift
    p = RULES[rule].p(by_fold, by_image)
    return (np.apply_along_axis(holm, 1, p) if variants else p) < SIGNIFICANCE


def applied(found: Differences) -> dict[str, Any]:
    """Return each rule's false positives and power for a member, in pairs and families."""
    error = float(found["k5"][0][:, 0].mean(axis=1).std(ddof=1))
    families = [None, *(m for m in FAMILIES if m <= found["k5"][0].shape[1])]
    result: dict[str, Any] = {"error_points": 100 * error}
    for variants in families:
        result[f"family_{variants}" if variants else "pair"] = table = {}
        for name, rule in RULES.items():
            if rule.design not in found or (variants and rule.design != "k5"):
                continue
            # A family counts once if it has any false positive; a pair is the first variant's.
            false = rejections(name, found, 0.0, variants)
            table[name] = rates(false.any(axis=1) if variants else false[:, 0])
            table[name]["power"] = {
                str(effect): float(rejections(name, found, effect * error, variants)[:, 0].mean())
                for effect in EFFECTS
            }
    return result


def judged(members: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a summary of each rule over the members, and the best rule per number of trainings.

    A rule holds if no rate of false positives, of a pair or a family, is above 5 %; with fewer than
    FEW replicates, it must be above with its whole Wilson interval. Power is the mean over the
    members in which all rules were measured, for a pair and for the largest family.
    """
    whole = [member for member in members.values() if len(member["pair"]) == len(RULES)]
    kinds = ("pair", *(f"family_{m}" for m in FAMILIES))
    rules: dict[str, Any] = {}
    for name, rule in RULES.items():
        cells = {
            (member, kind): found[kind][name]
            for member, found in members.items()
            for kind in kinds
            if name in found.get(kind, {})
        }
        rules[name] = about = {"text": rule.text, "trainings": rule.trainings, "highest": {}}
        about["above"] = [
            place
            for place, cell in cells.items()
            if cell["rate" if cell["replicates"] >= FEW else "low"] > SIGNIFICANCE
        ]
        for kind in kinds:
            of_kind = {
                place[0]: cell["rate"]
                for place, cell in cells.items()
                if place[1] == kind and cell["replicates"] >= SOME
            }
            if of_kind:
                member = max(of_kind, key=of_kind.__getitem__)
                about["highest"][kind] = {"rate": of_kind[member], "member": member}
        for kind in ("pair", kinds[-1]):
            powers = [one[kind][name]["power"] for one in whole if name in one.get(kind, {})]
            about[f"power_{kind}"] = {
                str(effect): float(np.mean([power[str(effect)] for power in powers]))
                for effect in EFFECTS
                if powers
            }
    winners: dict[str, str | None] = {}
    for trainings in sorted({rule.trainings for rule in RULES.values()}):
        power = {
            name: rule["power_pair"][str(EFFECTS[-1])]
            for name, rule in rules.items()
            if rule["trainings"] == trainings and not rule["above"] and rule["power_pair"]
        }
        winners[str(trainings)] = max(power, key=power.__getitem__, default=None)
    return rules, winners


def main() -> None:
    """Complete the replicates, apply all rules, and write benchmarks/records/verdict_rules.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--members", nargs="+", choices=[*MEMBERS], default=[*MEMBERS])
    parser.add_argument("--replicates", type=int, default=1000, help="of each simulated member")
    parser.add_argument("--trainings", type=int, default=0, help="draws of each trained member")
    parser.add_argument("--designs", nargs="+", choices=[*DESIGNS], default=[*DESIGNS])
    parser.add_argument("--kept", type=Path, default=inputs.ROOT / ".foldlab" / "verdict_rules")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.members, chosen.replicates = ["nearest_mean_weak", "mixed"], 25
        chosen.kept = chosen.folder / "replicates"
    source = None
    try:
        if chosen.trainings:
            source = data.load(Data(source="mnist", folder=inputs.data(chosen)["folder"])).train
    except (OSError, UserError) as error:
        sys.exit(f"foldlab: {error}")
    record = chosen.folder / "verdict_rules.json"
    members = read_json(record)["members"] if record.exists() and not chosen.quick else {}
    for name in chosen.members:
        count = chosen.replicates if name in SIMULATED else chosen.trainings
        if name in SIMULATED:
            count = round(count * MEMBERS[name].share)
        verdict_battery.add(name, count, chosen.designs, chosen.kept, source)
        found = verdict_battery.read(name, chosen.kept)
        if "k5" not in found or len(found["k5"]["scores"]) < 2:
            continue
        pair = found["k5"]["scores"][:, :2].mean(axis=2)
        about = MEMBERS[name]
        members[name] = {
            "text": about.text,
            "accuracy": float(pair[:, 0].mean()),
            "long_run_difference_points": 100 * float((pair[:, 1] - pair[:, 0]).mean()),
            **applied(differences(found, about.centred)),
        }
    members = {name: members[name] for name in MEMBERS if name in members}
    rules, winners = judged(members)
    result = {"effects": EFFECTS, "rules": rules, "most_powerful": winners, "members": members}
    print(measured.write("verdict_rules", result, chosen.folder))


if __name__ == "__main__":
    main()
