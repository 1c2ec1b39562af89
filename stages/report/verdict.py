"""What the verdict rests on, and what the folds can see, in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.report import markdown
from stages.scoring.power import POWER, Sight


def grounds(rows: Sequence[Mapping[str, Any]], baseline: str, folds: int, repeats: int) -> str:
    """Return what the verdict rests on, and why the first row is not simply the best.

    Args:
        rows: one a variant, best first, as `markdown.comparison` takes them; at least two.
        baseline: the variant that all others are compared with.
        folds: folds of one cross-validation.
        repeats: how often it was repeated.
    """
    best, number = rows[0], len(rows) - 1
    times = f" ({folds} folds x {repeats} repeats)" if repeats > 1 else ""
    held = "which is the baseline" if best["variant"] == baseline else f"{best['outcome']}"
    first = (
        f"It rests on n = {best['n']} folds{times}, the same for all variants. The highest mean is "
        f"that of `{best['variant']}` ({held}): {markdown.mean_std(best)} %"
    )
    if number == 1:
        return f"{first}. One comparison was made, so nothing is corrected for."
    return (
        f"{first}; as the best of {number + 1} on the same folds it is biased upward. Better and "
        f"worse hold for all {number} comparisons together (Holm); a 95 % interval speaks for its "
        "own comparison only."
    )


def outlook(seen: Mapping[str, Sight | None], folds: int, repeats: int, rope: float) -> str:
    """Return which differences the folds can see, and what it would take to see the ROPE's.

    Args:
        seen: from `sights`, of at least one variant.
        folds: folds of one cross-validation.
        repeats: how often it was repeated.
        rope: differences up to this fraction count as none.
    """
    known = {name: one for name, one in seen.items() if one}
    scheme = f"{folds} folds x {repeats} repeat{'s' if repeats > 1 else ''}"
    if not known:
        return f"No difference varies over the {scheme}: there is no spread to reckon with."
    now = sorted(100 * one.detectable for one in known.values())
    span = f"{now[0]:.2f}" if len(now) == 1 else f"{now[0]:.2f} to {now[-1]:.2f}"
    said = (
        f"With {scheme} a true difference of {span} points is seen in {100 * POWER:.0f} % of "
        "experiments (each test alone at 5 %)"
    )
    said += ", depending on the variant's spread. " if len(now) > 1 else ". "
    if not rope:
        return said + "`compare.rope` is 0, and no experiment sees a difference of nothing."
    size = f"{100 * rope:g} points, what `compare.rope` calls none,"
    enough = {name: one.repeats for name, one in known.items() if one.repeats}
    if enough:
        most = max(enough.values())
        said += f"To see {size} {most:,} repeat{'s' if most > 1 else ''} of {folds} folds would do"
        if len(enough) == len(known):
            return said + "."
        named = ", ".join(f"`{name}`" for name in list(enough)[:3])
        others = f" and {len(enough) - 3} more" if len(enough) > 3 else ""
        said += f" for {named}{others}; for the other {len(known) - len(enough)} no number would. "
    else:
        said += f"To see {size} no number of repeats of {folds} folds would do. "
    floor = 100 * max(one.floor for one in known.values())
    factor = (max(one.detectable for one in known.values()) / rope) ** 2
    return said + (
        f"Repeats share their images, which leaves a floor of up to {floor:.2f} points; only more "
        f"images lower it: about {_rounded(factor)} times as many, if the spread falls with the "
        "root of their number."
    )


def _rounded(factor: float) -> str:
    """Return a factor with two digits, as an estimate deserves."""
    return f"{float(f'{factor:.1e}'):,.0f}" if factor >= 10 else f"{factor:.1f}"
