"""Sources of images: a name stands for one function, each kind of source has its own file.

A source is a function that takes the settings `data` and returns a `Source`. To add one, write
it in a file of its own and enter it in `SOURCES`. Where `data.source` is no such name it is the
path of a user's own images, and `paths.py` tells their format.
"""

from collections.abc import Callable

from stages.data import checks, mnist, mnist5k, paths
from stages.data.source import Source
from stages.errors import UserError
from stages.registry import nearest
from stages.sections import Data

SOURCES: dict[str, Callable[[Data], Source]] = {
    "mnist-5k": mnist5k.load,
    "mnist": mnist.load_mnist,
    "fashion-mnist": mnist.load_fashion_mnist,
}
CHANNELS = {"gray": 1, "rgb": 3}


def load(data: Data) -> Source:
    """Read and check the images that the settings name.

    Args:
        data: the section `data` of params.yaml.

    Returns:
        The source as `stages.data.checks.check` passed it.

    Raises:
        UserError: for an unknown source, for files and arrays that are not as they must be, or
            for a size that the images do not have.
        OSError: when a file can be neither read nor downloaded.
    """
    if data.source in SOURCES:
        if data.format:
            raise UserError(
                f"data.format is {data.format!r}, but data.source {data.source!r} is no path; set "
                "data.format to null."
            )
        source = checks.check(SOURCES[data.source](data))
    elif path := paths.find(data.source):
        source = paths.load(path, data)
    else:
        raise UserError(
            f"data.source is {data.source!r}, which is no path that exists from the repository's "
            f"folder, and no known name; known are {', '.join(sorted(SOURCES))}."
            f"{nearest(data.source, SOURCES)}"
        )
    height, width, channels = source.train_images.shape[1:]
    if data.image_size and data.image_size != (height, width):
        raise UserError(
            f"data.image_size is {list(data.image_size)}, but {source.name}'s images are {height} "
            f"x {width} pixels, and only a folder of images is brought to a size; set it to null."
        )
    if data.channels and channels != CHANNELS[data.channels]:
        raise UserError(
            f"data.channels is {data.channels!r}, but {source.name}'s images have {channels} "
            f"{'channel' if channels == 1 else 'channels'}, and only a folder of images is "
            "converted; set it to null."
        )
    return source
