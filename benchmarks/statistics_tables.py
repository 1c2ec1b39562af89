"""The tables of docs/statistics.md: rules of verdicts, suites, learning curves."""

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import machine, rate, table

SUITE = {  # the columns of the table of suites
    "mean": "mean",
    "mean_of_two_variants": "one of two variants",
    "between": "sources differ",
    "equal_weights_normal": "equal weights, normal",
    "fixed_effect_meta_analysis": "weights 1 / c^2, normal",
}
KINDS = ("pair", "family")
Record = Mapping[str, Any]


def verdicts(record: Record) -> str:
    """Return the rules of verdicts in Markdown: a summary, and false positives by member."""
    rules, members = record["rules"], record["members"]
    won = "; ".join(
        f"{trainings} trainings, {f'`{name}`' if name else 'none'}"
        for trainings, name in record["most_powerful"].items()
    )
    lines = [
        f"Most powerful rule that holds: {won}. {len(members)} members; {machine(record)}.",
        "",
        *table(
            "rule | trainings | highest false positives | of 6 variants | holds "
            "| power, 2 SE | 3 SE | 3 SE, 6 variants",
            "---|---:|---|---|---|---:|---:|---:",
            [_rule(name, rule) for name, rule in rules.items()],
        ),
        "",
        "False positives, in percent, with 95 % intervals (Wilson):",
        "",
    ]
    rows = []
    for member in members.values():
        count = f"{member['pair']['corrected']['replicates']:,}"
        rows.append([member["text"], count, *(rate(member["pair"].get(name)) for name in rules)])
    columns = f"member | replicates | {' | '.join(f'`{name}`' for name in rules)}"
    return "\n".join([*lines, *table(columns, f"---|---:{'|---' * len(rules)}", rows)])


def _rule(name: str, rule: Record) -> list[str]:
    """Return the cells of one rule: its highest rates of false positives, and its power."""
    highest = [rule["highest"].get(kind) for kind in ("pair", "family_6")]
    pair, family = rule["power_pair"], rule["power_family_6"]
    power = [pair.get("2"), pair.get("3"), family.get("3")]
    return [
        f"`{name}`: {rule['text']}",
        str(rule["trainings"]),
        *(f"{100 * one['rate']:.1f}, `{one['member']}`" if one else "" for one in highest),
        "no" if rule["above"] else "yes",
        *("" if share is None else f"{100 * share:.0f}" for share in power),
    ]


def few_folds(record: Record) -> str:
    """Return false positives with few folds in Markdown: of a pair, and of a family after Holm."""
    members = list(record["members"].values())
    designs = list(members[0]["designs"])
    rows = []
    for member in members:
        found = [member["designs"][design] for design in designs]
        count = f"{found[0]['pair']['replicates']:,}"
        cells = [" / ".join(f"{100 * one[key]['rate']:.1f}" for key in KINDS) for one in found]
        rows.append([member["text"], count, *cells])
    columns = f"member | replicates | {' | '.join(designs)}"
    lines = table(columns, f"---|---:{'|---:' * len(designs)}", rows)
    about = f"Of a pair / of {record['variants']} variants, in percent; folds x repeats."
    return "\n".join([*lines, "", f"{about} {machine(record)}."])


def suites(record: Record) -> str:
    """Return false positives of the mean over several data sets in Markdown."""
    rows = [
        [
            record["texts"][member],
            size,
            f"{cells['mean']['replicates']:,}",
            *(rate(cells.get(name)) for name in SUITE),
        ]
        for member, by_size in record["members"].items()
        for size, cells in by_size.items()
    ]
    columns = f"data sets | number | suites | {' | '.join(SUITE.values())}"
    lines = table(columns, f"---|---:|---:{'|---' * len(SUITE)}", rows)
    return "\n".join([*lines, "", f"{machine(record)}."])


def learning_curves(record: Record) -> str:
    """Return how often the interval of a learning curve contains the true gain, in Markdown."""
    rows = []
    for one in record["curves"].values():
        points = [f"{100 * one[key]:z.2f}" for key in ("gain", "median_gain", "median_width")]
        covered = [100 * one[key] for key in ("covered", "covered_low", "covered_high")]
        cells = [one["text"], *points, "{:.1f} ({:.1f}-{:.1f})".format(*covered)]
        rows.append(cells + [f"{100 * one[key]:.1f}" for key in ("includes_none", "no_power_law")])
    lines = table(
        "law or noise | true gain | median gain | median width of the interval "
        "| holds the truth, % | includes no gain, % | not taken for a power law, %",
        "---|---:|---:|---:|---:|---:|---:",
        rows,
    )
    count = min(one["replicates"] for one in record["curves"].values())
    about = f"{count:,} draws each; gains and widths in points. {machine(record)}."
    return "\n".join([*lines, "", about])
