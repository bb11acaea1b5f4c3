"""All task families of the picture world, and samples of them."""

import importlib
import pkgutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import count as count_from
from itertools import islice
from types import MappingProxyType

import numpy as np

from visionllm.data.world import families as _package
from visionllm.data.world.drawing import draw_picture
from visionllm.data.world.families.base import Family
from visionllm.data.world.grammar import Phrasing
from visionllm.data.world.scene import WorldPicture
from visionllm.data.world.signs import WORDS
from visionllm.data.world.splits import SPLITS, VERSIONS, WORLD_VERSION
from visionllm.types import Sample

GROUPS: tuple[str, ...] = ("talk", "region", "detect", "segment", "refer", "point")
"""Groups of version 1."""
ALL_GROUPS: tuple[str, ...] = (*GROUPS, "read", "pose", "example", "draw", "edit")
"""Groups of both versions."""

_CITED = 5  # lines that cite signs, a picture


def _found() -> Mapping[str, Family]:
    """Collect `FAMILIES` of every module in the folder, group by group."""
    found: list[Family] = []
    for module in pkgutil.iter_modules(_package.__path__):
        loaded = importlib.import_module(f"{_package.__name__}.{module.name}")
        found.extend(getattr(loaded, "FAMILIES", ()))
    return MappingProxyType({family.name: family for family in sorted(found, key=lambda f: ALL_GROUPS.index(f.group))})


def families_of(version: int) -> Mapping[str, Family]:
    """Return the families that ask about pictures of a version, group by group.

    Raises:
        ValueError: If there is no such version.
    """
    if version not in VERSIONS:
        raise ValueError(f"expected one of the versions {', '.join(map(str, VERSIONS))}, got {version}")
    return MappingProxyType({name: family for name, family in ALL_FAMILIES.items() if family.version == version})


def families_about(version: int, theme: str) -> tuple[str, ...]:
    """Return the names of families: all of a version, or of one theme those that were made for it or for the mixed one.

    Raises:
        ValueError: If there is no such version.
    """
    suiting = families_of(version).items()
    return tuple(name for name, family in suiting if theme == "mixed" or family.theme in ("mixed", theme))


ALL_FAMILIES: Mapping[str, Family] = _found()
"""Families of both versions."""
FAMILIES: Mapping[str, Family] = families_of(1)
"""Families of version 1, which is frozen."""


def phrasing_of(split: str) -> Phrasing:
    """Return the phrasing that questions about pictures of a split are asked in."""
    return "unseen" if split == "unseen-phrasing" else "train"


def make_sample(picture: WorldPicture, family: str, seed: int, phrasing: Phrasing = "train") -> Sample | None:
    """Write one sample of a family about a picture.

    Args:
        picture: Where the truth comes from.
        family: One of `ALL_FAMILIES`; version 1 asks about pictures of version 1 only, version 2 about its own.
        seed: Not negative; the same seed gives the same sample about the same picture.
        phrasing: "train", or "unseen" for the forms that are held out of training.

    Returns:
        The sample, or None if the picture offers no such question.

    Raises:
        ValueError: If the family is unknown, or the picture is of another version.
    """
    if family not in ALL_FAMILIES:
        raise ValueError(f"expected one of the families {', '.join(ALL_FAMILIES)}, got {family!r}")
    scene, version = picture.scene, ALL_FAMILIES[family].version
    if scene.version != version:
        raise ValueError(f"expected a picture of version {version} for the family {family!r}, got {scene.version}")
    entropy = [WORLD_VERSION, zlib.crc32(family.encode()), SPLITS.index(scene.split), scene.seed, seed]
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
    return ALL_FAMILIES[family].make(picture, rng, phrasing)


def make_samples(
    picture: WorldPicture, families: Sequence[str], seed: int, count: int, phrasing: Phrasing = "train"
) -> list[Sample]:
    """Write up to `count` samples about one picture, for packing into one sequence; they share the picture's image.

    Args:
        picture: Where the truth comes from.
        families: Names to draw from; a name that is given twice comes twice as often.
        seed: Not negative.
        count: How many samples are wanted.
        phrasing: "train" or "unseen".

    Returns:
        Fewer than `count` only if the picture offers hardly any of the questions; no question is asked twice in the
        same words.

    Raises:
        ValueError: If a family is unknown, or there are none.
    """
    if not families:
        raise ValueError("expected at least one family, got none")
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([WORLD_VERSION, picture.scene.seed, seed, 7])))
    samples: list[Sample] = []
    asked = set()
    for attempt in range(3 * count):
        if len(samples) == count:
            break
        name = families[int(rng.random() * len(families))]
        sample = make_sample(picture, name, 3 * count * seed + attempt, phrasing)
        if sample is None:
            continue
        marks = any(not isinstance(part, str) for part in sample.request.messages[-1].parts[1:])
        words = tuple(message.text for message in sample.request.messages)
        if marks or words not in asked:
            samples.append(sample)
            asked.add(words)
    return samples


def corpus_lines(seed: int, count: int, *, versions: Sequence[int] = (1,)) -> Iterator[str]:
    """Yield lines of plain text for training a tokenizer: questions and answers of all families, train phrasing.

    Args:
        seed: Number of the first picture.
        count: Number of lines.
        versions: Versions of the world whose families are heard, in turn. With version 2 come lines that cite signs,
            in which every word stands as often as any other.

    Raises:
        ValueError: If `count` is negative, or a version is unknown or none is given.
    """
    if count < 0:
        raise ValueError(f"expected a count of at least 0, got {count}")
    if not versions:
        raise ValueError("expected at least one version, got none")
    heard: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for version in versions:
        for index, (name, family) in enumerate(families_of(version).items()):
            heard.setdefault((version, family.theme), []).append((index, name))
    yield from islice(_lines(seed, heard), count)


def _lines(seed: int, heard: Mapping[tuple[int, str], Sequence[tuple[int, str]]]) -> Iterator[str]:
    for number in count_from(seed):
        for (version, theme), families in heard.items():
            picture = draw_picture(number, photos=False, size_hw=(96, 96), version=version, theme=theme)
            for index, name in families:
                sample = make_sample(picture, name, seed + index)
                texts = () if sample is None else (*(m.text for m in sample.request.messages), sample.answer.text)
                yield from (text.strip() for text in texts if text.strip())
            if version == 2:
                yield from (f'It says "{words}".' for words in cited_words(number))


def cited_words(number: int) -> Iterator[str]:
    """Yield words of signs, two at a time, as they may be written; from 0 on, every word is both first and second."""
    style = (str.upper, str.lower, str.title)[number % 3]
    for step in range(_CITED):
        place = (number // 3 * _CITED + step) % len(WORDS)
        yield f"{style(WORDS[place])} {style(WORDS[place - 1])}"
