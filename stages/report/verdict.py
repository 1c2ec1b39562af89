"""Notes beside the verdict: what it is based on, and which differences the folds can detect."""

from stages.report.comparison import Comparison
from stages.report.markdown import mean_std
from stages.statistics.power import POWER


def verdict_note(found: Comparison) -> str:
    """Return what the verdict is based on, and why the first of two or more rows is biased."""
    best, number = found.best_first[0], len(found.rows) - 1
    times = f" ({found.folds} folds x {found.repeats} repeats)" if found.repeats > 1 else ""
    role = "the baseline" if best["variant"] == found.baseline else best["outcome"]
    first = (
        f"All variants were scored on the same n = {best['n']} folds{times}. "
        f"`{best['variant']}` ({role}) has the highest mean: {mean_std(best)} %"
    )
    if number == 1:
        return f"{first}. With a single comparison, p needs no correction."
    return (
        f"{first}; as the best of {number + 1} on the same folds it is biased upward. Better and "
        f"worse are corrected for all {number} comparisons (Holm); each 95 % interval covers its "
        "own comparison only."
    )


def power_note(found: Comparison) -> str:
    """Return which differences the folds can detect, and what detecting the ROPE would take."""
    folds, repeats, rope = found.folds, found.repeats, found.rope
    known = {name: one for name, one in found.detectable.items() if one}
    scheme = f"{folds} folds x {repeats} repeat{'s' if repeats > 1 else ''}"
    if not known:
        return f"Differences are constant over the {scheme}, so power cannot be estimated."
    effects = [100 * one.effect for one in known.values()]
    several = len(effects) > 1
    text = (
        f"With {scheme} the minimum detectable effect is {min(effects):.2f} "
        f"{f'to {max(effects):.2f} ' if several else ''}points ({100 * POWER:.0f} % power, each "
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
        named = ", ".join(f"`{name}`" for name in [*enough][:3])
        more = f" and {len(enough) - 3} more" if len(enough) > 3 else ""
        text += f" for {named}{more}; for the other {len(known) - len(enough)} no number suffices. "
    else:
        text += f"No number of repeats of {folds} folds suffices to detect {size}. "
    limit = 100 * max(one.limit for one in known.values())
    factor = (max(effects) / (100 * rope)) ** 2
    times = f"{float(f'{factor:.1e}'):,.0f}" if factor >= 10 else f"{factor:.1f}"
    return text + (
        f"Repeats share their images, so effects below {limit:.2f} points stay undetectable. It "
        f"would take about {times} times as many images, if the standard deviation falls with the "
        "square root of their number."
    )
