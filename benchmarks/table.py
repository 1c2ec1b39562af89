"""`python -m benchmarks.table`: write the figures of the records into the documentation.

Each table stands between two markers; the text around them is written by hand. A row without a
record says that it is not measured yet, and a record that misses its goal says so.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import inputs, markdown, measured
from benchmarks import result_tables as results
from benchmarks import statistics_tables as statistics
from benchmarks.goals import GOALS
from benchmarks.markdown import MISSING, Records, machine
from benchmarks.photos import PACKAGES
from stages import files

BEGIN = "<!-- from the records, by python -m benchmarks.table -->"
END = "<!-- end -->"


def records() -> Records:
    """Return all records by their names."""
    return {path.stem: files.read_json(path) for path in measured.RECORDS.glob("*.json")}


def goals(found: Records) -> str:
    """Return the table of goals in Markdown."""
    rows = []
    for goal in GOALS:
        measure, met, where, command = MISSING, "", "", goal.command
        if record := found.get(goal.record):
            measure = f"{_short(goal.measured(record))}{goal.unit}"
            where = machine(record)
            if command.startswith("kfold"):
                command += f" --epochs {record['epochs']}"
            if goal.limit:
                met = "yes" if goal.met(record) else "no"
        limit, command = goal.limit and goal.limit + goal.unit, f"`python -m benchmarks.{command}`"
        rows.append([goal.what, limit, measure, met, command, where])
    columns = "what | goal | measured | met | command | machine, commit"
    return "\n".join(markdown.table(columns, "---|---:|---:|---|---|---", rows))


def _short(figure: float) -> str:
    """Return a figure with three significant digits, or as an integer if it has more."""
    return f"{figure:,.0f}" if figure >= 1000 else f"{figure:.3g}"


def kills(record: Mapping[str, Any]) -> str:
    """Return how often `dvc repro` was killed, by what and where, and the number of faults."""
    counts = record["by_signal"] | {f"in `{name}`": n for name, n in record["by_stage"].items()}
    about = (
        f"{record['kills']} kills in {record['passes']} passes, {record['files_compared']} files "
        f"compared after each, faults: {len(record['faults']) or 'none'} ({machine(record)})."
    )
    rows = [[what, str(times)] for what, times in counts.items()]
    return "\n".join([about, "", *markdown.table("killed | times", "---|---:", rows)])


def failures(record: Mapping[str, Any]) -> str:
    """Return how each command ended when system calls failed, and the faults found."""
    about = (
        f"{record['injected']:,} failures or kills among {record['calls']:,} system calls, faults: "
        f"{len(record['faults']) or 'none'} ({machine(record)})."
    )
    rows = []
    for name, row in record["commands"].items():
        calls = sum(row["calls"].values())
        endings = [row["endings"].get(ending, 0) for ending in ("refused", "went on", "killed")]
        counts = (calls, row["injected"], *endings, len(row["faults"]))
        rows.append([name, *(f"{count:,}" for count in counts), row["commit"]])
    columns = (
        "command | system calls | failures | one sentence | no error | killed | faults | commit"
    )
    return "\n".join([about, "", *markdown.table(columns, "---" + "|---:" * 6 + "|---", rows)])


def _of(name: str, table: Callable[[Mapping[str, Any]], str]) -> Callable[[Records], str]:
    """Return a table of one record."""
    return lambda found: table(found[name]) if name in found else MISSING


def photos(found: Records) -> str:
    """Return the comparisons on pictures of everyday things in Markdown."""
    return "\n\n".join(_of(f"photos-{name}", results.photos)(found) for name in PACKAGES)


TABLES: dict[Path, list[Callable[[Records], str]]] = {
    measured.HERE / "README.md": [goals],
    inputs.ROOT / "docs" / "results.md": [_of("seeds", results.seeds), photos, results.accuracies],
    inputs.ROOT / "docs" / "reliability.md": [
        _of("chaos", kills),
        _of("faults", failures),
        _of("faults-complete", failures),
    ],
    inputs.ROOT / "docs" / "statistics.md": [
        _of("verdict_rules", statistics.verdicts),
        _of("few_folds", statistics.few_folds),
        _of("suites", statistics.suites),
        _of("learning_curve", statistics.learning_curves),
    ],
}


def rendered(path: Path, found: Records) -> str:
    """Return the text of a file of TABLES with up-to-date tables between the markers."""
    first, *rest = path.read_text(encoding="utf-8").split(BEGIN)
    parts = [first]
    for table, part in zip(TABLES[path], rest, strict=True):
        _, after = part.split(END)
        parts.append(f"{BEGIN}\n{table(found)}\n{END}{after}")
    return "".join(parts)


def main() -> None:
    """Write the tables into their files."""
    found = records()
    for path in TABLES:
        text = rendered(path, found)
        with files.replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(path.relative_to(inputs.ROOT))


if __name__ == "__main__":
    main()
