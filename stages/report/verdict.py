"""Notes beside the verdict: what it is based on, and which differences the folds can detect."""

from collections.abc import Mapping, Sequence
from typing import Any

from stages.report import markdown
from stages.statistics.power import POWER, MinimumDetectable


def verdict_note(rows: Sequence[Mapping[str, Any]], baseline: str, folds: int, repeats: int) -> str:
    """Return what the verdict is based on, and why the first row is not simply the best.

    Args:
        rows: one per variant, best first, as `markdown.comparison` takes them; at least two.
        baseline: the variant that all others are compared with.
        folds: folds of one cross-validation.
        repeats: how often it was repeated.
    """
    best, number = rows[0], len(rows) - 1
    times = f" ({folds} folds x {repeats} repeats)" if repeats > 1 else ""
    role = "the baseline" if best["variant"] == baseline else best["outcome"]
    first = (
        f"All variants were scored on the same n = {best['n']} folds{times}. "
        f"`{best['variant']}` ({role}) has the highest mean: {markdown.mean_std(best)} %"
    )
    if number == 1:
        return f"{first}. With a single comparison, p needs no correction."
    return (
        f"{first}; as the best of {number + 1} on the same folds it is biased upward. Better and "
        f"worse are corrected for all {number} comparisons (Holm); each 95 % interval covers its "
        "own comparison only."
    )


def power_note(
    detectable: Mapping[str, MinimumDetectable | None], folds: int, repeats: int, rope: float
) -> str:
    """Return which differences the folds can detect, and what detecting the ROPE would take.

    Args:
        detectable: from `details.minimum_detectables`, of at least one variant.
        folds: folds of one cross-validation.
        repeats: how often it was repeated.
        rope: differences up to this fraction count as none.
    """
    known = {name: one for name, one in detectable.items() if one}
    scheme = f"{folds} folds x {repeats} repeat{'s' if repeats > 1 else ''}"
    if not known:
        return f"Differences are constant over the {scheme}, so power cannot be estimated."
    effects = sorted(100 * one.effect for one in known.values())
    several = len(effects) > 1
    text = (
        f"With {scheme} the minimum detectable effect is {effects[0]:.2f} "
        f"{f'to {effects[-1]:.2f} ' if several else ''}points ({100 * POWER:.0f} % power, each "
        f"test alone at 5 %){', depending on the variant' if several else ''}. "
    )
    if not rope:
        return text + "`compare.rope` is 0, and no experiment can detect a difference of 0."
    size = f"{100 * rope:g} points (`compare.rope`)"
    enough = {name: one.repeats for name, one in known.items() if one.repeats}
    if enough:
        most = max(enough.values())
        text += f"Detecting {size} takes {most:,} repeat{'s' if most > 1 else ''} of {folds} folds"
        if len(enough) == len(known):
            return text + "."
        named = ", ".join(f"`{name}`" for name in list(enough)[:3])
        others = f" and {len(enough) - 3} more" if len(enough) > 3 else ""
        text += (
            f" for {named}{others}; for the other {len(known) - len(enough)} no number suffices. "
        )
    else:
        text += f"No number of repeats of {folds} folds suffices to detect {size}. "
    limit = 100 * max(one.limit for one in known.values())
    factor = (max(one.effect for one in known.values()) / rope) ** 2
    return text + (
        f"Repeats share their images, so effects below {limit:.2f} points stay undetectable. It "
        f"would take about {_rounded(factor)} times as many images, if the standard deviation "
        "falls with the square root of their number."
    )


def _rounded(factor: float) -> str:
    """Format a factor with two significant digits."""
    return f"{float(f'{factor:.1e}'):,.0f}" if factor >= 10 else f"{factor:.1f}"
