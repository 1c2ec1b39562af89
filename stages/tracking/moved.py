"""A checkout that moved: MLflow keeps absolute places of artifacts, which are put right here."""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}


def follow(database: Path, folder: Path) -> None:
    """Let a sqlite store's artifacts be those in `folder` where their old folder is gone.

    Args:
        database: MLflow's sqlite file; one without MLflow's tables is left alone.
        folder: where the checkout keeps artifacts now.
    """
    if not folder.is_dir():
        return
    with closing(sqlite3.connect(database)) as connection, connection:
        tables = {row[0] for row in connection.execute("select name from sqlite_master")}
        if not PLACES.keys() <= tables:
            return
        places = connection.execute("select distinct artifact_location from experiments")
        for (place,) in places.fetchall():
            if not (place or "").startswith("file://") or place == folder.as_uri():
                continue
            old = Path(unquote(urlsplit(place).path))
            if old.name != folder.name or old.exists():
                continue
            for table, columns in PLACES.items():
                for column in columns:
                    connection.execute(
                        f"update {table} set {column} = ? || substr({column}, ?) "  # noqa: S608
                        f"where {column} = ? or substr({column}, 1, ?) = ?",
                        (folder.as_uri(), len(place) + 1, place, len(place) + 1, place + "/"),
                    )
