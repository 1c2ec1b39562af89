"""The stage `members`: write the settings of each ensemble's members, one file per variant.

All items of a DVC matrix stage have the same list of dependencies. So every `train@<variant>`
depends on its file in data/members, which is an empty object unless the variant is an ensemble.
Editing the row of a member changes the file, and DVC trains the ensemble again.
"""

from pathlib import Path

from stages.files import listed, write_json
from stages.settings import params

MEMBERS = Path("data/members")


def members() -> None:
    """Write the settings of each compared variant's members; `{}` if it is not an ensemble."""
    settings = params.load()
    for variant in settings.compare.variants:
        content = {
            name: {
                **settings.variants[name].model_dump(exclude={"description", "train"}),
                "train": settings.train_settings(name).model_dump(),
            }
            for name in settings.variants[variant].ensemble or ()
        }
        write_json(MEMBERS / f"{variant}.json", content)
    for path in listed(MEMBERS, "*.json"):
        if path.stem not in settings.compare.variants:
            path.unlink()
