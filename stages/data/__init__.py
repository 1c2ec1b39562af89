"""Registry of data sources.

A source is a function that takes the `data` settings and returns a `Source`. To add one, write it
in its own file and register it in `SOURCES`. Any other `data.source` is the path of the user's own
images, and `paths.py` detects their format.
"""

from collections.abc import Callable

from stages.data import checks, mnist, mnist5k, paths
from stages.data.source import Source
from stages.errors import UserError
from stages.settings.base import nearest
from stages.settings.sections import Data

SOURCES: dict[str, Callable[[Data], Source]] = {
    "mnist-5k": mnist5k.load,
    "mnist": mnist.load_mnist,
    "fashion-mnist": mnist.load_fashion_mnist,
}
CHANNELS = {"gray": 1, "rgb": 3}


def load(data: Data) -> Source:
    """Read and check the images selected by the settings.

    Args:
        data: the section `data` of params.yaml.

    Returns:
        The source, checked by `stages.data.checks.check`.

    Raises:
        UserError: for an unknown source, invalid files or arrays, or `data.image_size` or
            `data.channels` that differ from the images of a source that is not converted.
        OSError: when a file can be neither read nor downloaded.
    """
    if data.source in SOURCES:
        if data.format:
            raise UserError(
                f"data.format is {data.format!r}, but data.source {data.source!r} is not a path; "
                "set data.format to null."
            )
        source = checks.check(SOURCES[data.source](data))
    elif path := paths.find(data.source):
        source = paths.load(path, data)
    else:
        raise UserError(
            f"data.source is {data.source!r}, which is neither an existing path (relative to "
            f"the repository) nor a known name; known names are {', '.join(sorted(SOURCES))}."
            f"{nearest(data.source, SOURCES)}"
        )
    height, width, channels = source.train_images.shape[1:]
    if data.image_size and data.image_size != (height, width):
        raise UserError(
            f"data.image_size is {list(data.image_size)}, but {source.name}'s images are {height} "
            f"x {width} pixels, and only a folder of images is resized; set it to null."
        )
    if data.channels and channels != CHANNELS[data.channels]:
        raise UserError(
            f"data.channels is {data.channels!r}, but {source.name}'s images have {channels} "
            f"{'channel' if channels == 1 else 'channels'}, and only a folder of images is "
            "converted; set it to null."
        )
    return source
