"""The stage `members`: what each chosen variant's ensemble depends on, a file a variant.

DVC cannot give one item of a matrix other dependencies than its neighbours. `train@<variant>`
depends on its file in data/members, which is empty of rows but for an ensemble; there an edited
row of a member makes it another, and DVC trains again.
"""

from pathlib import Path

from stages import params
from stages.files import listed, write_json

MEMBERS = Path("data/members")


def members() -> None:
    """Write the settings of each chosen variant's members, none where it is no ensemble."""
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
