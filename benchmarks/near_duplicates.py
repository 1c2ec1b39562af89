"""`python -m benchmarks.near_duplicates`: how many planted copies and false pairs are found.

The originals are stamps of Tux Paint, every eighth picture of Open Clip Art, and pieces of two
photographs of scikit-learn. Originals that resemble each other, such as coins of one currency, are
counted, drawn into `--alike FILE`, and left out except for one. Each remaining one is copied:
re-encoded as JPEG of quality 50 to 90, resized to 0.5 to 2 times, cropped by up to 5 % a side, made
up to 20 % lighter or darker, and all of these in a row. A pair of different originals is false. The
record also has the time for 20,000 pieces of these pictures.
"""

import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

from benchmarks import inputs, measured
from benchmarks.photos import PACKAGES
from stages.data import decode, duplicates, near_duplicates
from stages.data.source import Split
from stages.settings.sections import Data

LARGEST = 256  # pixels of the longer side of an original, as of many photos on the web
PIECE = 107  # pixels, of a photograph of 427 x 640
STEP = 8  # in Open Clip Art, which repeats itself
SIDES = (32, 64, 128)  # pixels to which images are resized
TIMED = 20_000
Random = np.random.Generator
SETTINGS = Data(resize="pad")


def originals(quick: bool) -> dict[str, Image.Image]:
    """Return the name of each original and the picture in RGB."""
    stamps, clip_art = (pictures for pictures, _ in PACKAGES.values())
    paths = [*sorted(stamps.rglob("*.png")), *sorted(clip_art.rglob("*.png"))[::STEP]]
    found = {}
    for path in paths[:: len(paths) // 40] if quick and paths else paths:
        try:
            picture = decode.upright(decode.opened(path), "RGB", SETTINGS)
        except decode.UnreadableError:
            continue
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.BICUBIC)
        if min(picture.size) >= LARGEST // 8:
            found[str(path)] = picture
    for name, photo in enumerate(load_sample_images().images):
        for top in range(0, photo.shape[0] - PIECE + 1, PIECE):
            for left in range(0, photo.shape[1] - PIECE + 1, PIECE):
                piece = photo[top : top + PIECE, left : left + PIECE]
                found[f"photo {name}, {top}, {left}"] = Image.fromarray(piece)
    return found


def encoded(picture: Image.Image, random: Random) -> Image.Image:
    """Return the picture as JPEG of quality 50 to 90."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(random.integers(50, 91)))
    return decode.upright(decode.parsed(file.getvalue()), "RGB", SETTINGS)


def resized(picture: Image.Image, random: Random) -> Image.Image:
    """Return the picture at half to twice its size."""
    factor = 2 ** random.uniform(-1, 1)
    size = [max(1, round(side * factor)) for side in picture.size]
    return picture.resize((size[0], size[1]), Image.Resampling.BICUBIC)


def cropped(picture: Image.Image, random: Random) -> Image.Image:
    """Return the picture without up to 5 % of each side."""
    left, top, right, bottom = random.uniform(0, 0.05, 4) * np.tile(picture.size, 2)
    box = np.rint([left, top, picture.width - right, picture.height - bottom]).astype(int)
    return picture.crop(tuple(box.tolist()))


def lighter(picture: Image.Image, random: Random) -> Image.Image:
    """Return the picture up to 20 % lighter or darker."""
    factor = 1 + random.uniform(-0.2, 0.2)
    return picture.point(lambda level: min(255, round(level * factor)))


def everything(picture: Image.Image, random: Random) -> Image.Image:
    """Return the picture after all changes."""
    for change in (cropped, resized, lighter, encoded):
        picture = change(picture, random)
    return picture


CHANGES: tuple[Callable, ...] = (encoded, resized, cropped, lighter, everything)


def split(pictures: Sequence[Image.Image], side: int) -> Split:
    """Return pictures as `prepare` reads them: padded to squares."""
    shape = (side, side, 3)
    images = np.array([decode.resized(picture, shape, SETTINGS) for picture in pictures])
    sizes = np.array([(picture.height, picture.width) for picture in pictures])
    return Split(images, np.zeros(len(images), np.int64), None, None, sizes)


def scored(pictures: Sequence[Image.Image], side: int) -> dict[str, Any]:
    """Return for each change the copies found, and the false pairs."""
    random, count, result = np.random.default_rng(side), len(pictures), {}
    first = split(pictures, side)
    for change in CHANGES:
        copies = split([change(picture, random) for picture in pictures], side)
        pairs, _ = near_duplicates.pairs([first, copies], np.arange(2 * count), padded=True)
        original = pairs % count
        own = original[:, 0] == original[:, 1]
        result[change.__name__] = {
            "copies": count,
            "found": int(own.sum()),
            "found_share": float(own.sum() / count),
            "pairs": len(pairs),
            "false": int((~own).sum()),
            "false_share": float((~own).mean()) if len(pairs) else 0.0,
        }
    return result


def alike(pictures: Sequence[Image.Image], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of similar originals, and the rows left after dropping one of each pair.

    Each is compared with only a few others, so dropping some may reveal more pairs.
    """
    given, rest = split(pictures, side), np.arange(len(pictures))
    every = []
    while not every or len(every[-1]):
        pairs, _ = near_duplicates.pairs([given], rest, padded=True)
        every.append(rest[pairs])
        rest = np.delete(rest, np.unique(pairs[:, 1]))
    return np.concatenate(every), rest


def timed(pictures: Sequence[Image.Image], side: int, count: int) -> dict[str, Any]:
    """Return the seconds for `count` random crops, half as wide and high as the pictures."""
    random, pieces = np.random.default_rng(0), []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        width, height = picture.width // 2, picture.height // 2
        left, top = random.integers(0, width + 1), random.integers(0, height + 1)
        pieces.append(picture.crop((left, top, left + width, top + height)))
    given = split(pieces, side)
    began, cpu = time.perf_counter(), time.process_time()
    found = near_duplicates.find([given], duplicates.digests(given.images), padded=True)
    seconds = time.perf_counter() - began
    processor_seconds = time.process_time() - cpu
    assert found is not None
    return {
        "images": count,
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "near": int((found.number >= 0).sum()),
    }


def sheet(pictures: Sequence[Image.Image], pairs: np.ndarray, path: Path) -> None:
    """Draw all pairs, ten in a row, to be judged by eye."""
    side, columns = 64, 10
    rows = -(-len(pairs) // columns)
    page = Image.new("RGB", (columns * (2 * side + 12), max(1, rows) * (side + 6)), "gray")
    for number, pair in enumerate(pairs.tolist()):
        down, right = divmod(number, columns)
        for second, row in enumerate(pair):
            small = pictures[row].copy()
            small.thumbnail((side, side))
            page.paste(small, (right * (2 * side + 12) + second * (side + 2), down * (side + 6)))
    page.save(path)


def main() -> None:
    """Measure, and write benchmarks/records/near_duplicates.json."""
    parser = inputs.parser(__doc__)
    parser.add_argument("--alike", type=Path, metavar="PNG", help="to draw similar originals into")
    chosen = parser.parse_args()
    named = originals(chosen.quick)
    pictures, result = [*named.values()], {}
    for side in SIDES[:1] if chosen.quick else SIDES:
        pairs, rest = alike(pictures, side)
        if chosen.alike:
            sheet(pictures, pairs, chosen.alike.with_stem(f"{chosen.alike.stem}-{side}"))
        kept = [pictures[row] for row in rest.tolist()]
        result[str(side)] = {
            "alike_pairs": len(pairs),
            "originals": len(kept),
            "changes": scored(kept, side),
        }
    speed = timed(pictures, SIDES[0] if chosen.quick else 64, 200 if chosen.quick else TIMED)
    written = {"originals": len(pictures), "near": near_duplicates.NEAR, "sides": result}
    print(measured.write("near_duplicates", written | {"timed": speed}, chosen.folder))


if __name__ == "__main__":
    main()
