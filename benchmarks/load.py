"""`python -m benchmarks.load`: many clients of a champion, many publishers, many rows of settings.

- `serve`: clients, each with its own connection, query the champion behind `mlflow models serve`,
  one image per request. An answer that differs from the one for a lone client is an error.
- `publish`: people publish at the same time, each from a checkout, to a team's server with
  PostgreSQL and passwords; artifacts are in a folder. Afterwards the database must be complete for
  every variant. Publishing is timed as in benchmarks/publish.py, over few runs and over all.
- `rows`: DVC and one stage with many rows in params.yaml, of which first two are compared, then
  all.

Each part has its own record.
"""

from pathlib import Path
from typing import Any

from benchmarks import checkout, inputs, load_publish, load_serve, measured, processes, publish

COMMANDS = ("dvc repro environment prepare members", "dvc status", "python -m stages members")


def rows(folder: Path, count: int) -> dict[str, Any]:
    """Return what commands cost in a repository with `count` variants in params.yaml.

    Not `dvc repro --dry`: DVC's dry run needs the uncached outputs of earlier stages.

    Args:
        folder: an empty one to work in.
        count: rows of `variants`; first two of them are compared, then all.
    """
    names = [f"row_{number}" for number in range(count)]
    found = {}
    for compared in (2, count):
        settings = inputs.defaults()
        settings["variants"] = {name: {"architecture": "basic"} for name in names}
        settings["compare"] |= {"variants": names[:compared], "baseline": names[0]}
        settings["search"]["variant"] = names[0]
        settings["data"]["limit"] = 200
        where = checkout.make(folder / str(compared), settings)
        found[str(compared)] = {
            command: processes.cost(command.split(), where, sampling_share=0.2)._asdict()
            for command in COMMANDS
        }
    return {"rows": count, "compared": found}


PARTS = ("serve", "publish", "rows")


def main() -> None:
    """Measure, and write benchmarks/records/load-<part>.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seconds", type=float, default=300, help="how long clients send requests")
    parser.add_argument("--runs", type=int, default=2000, help="that people publish")
    chosen = parser.parse_args()
    publish.forget_stores()
    quick = chosen.quick
    for part in chosen.parts:
        with inputs.temporary_folder() as folder:
            if part == "serve":
                found = load_serve.serve(folder, 50, 2 if quick else chosen.seconds)
            elif part == "publish":
                found = load_publish.publishing(
                    folder, *((2, 24, 1) if quick else (20, chosen.runs, 5))
                )
            else:
                found = rows(folder, 10 if quick else 1000)
        print(measured.write(f"load-{part}", found, chosen.folder))


if __name__ == "__main__":
    main()
