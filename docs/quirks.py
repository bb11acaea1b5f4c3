"""Writes docs/quirks.md, the table of the published code's faults and habits: `python docs/quirks.py`.

A row that a field of `Quirks` switches is told by the field itself, in the words of its docstring and with the modules
that read it; the others say here what ours does.
"""

import re
from dataclasses import dataclass, fields
from pathlib import Path

from visionllm.config import Quirks

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "quirks.md"
HEAD = """# Where the published code is wrong, or peculiar

Some faults and habits of the published code are in its checkpoints: the weights were trained with them, or the scores
were measured with them. `Quirks` has one switch for each that the numbers need. `Quirks()`, the default, is right;
`Quirks.published()` reproduces all of them, and a converted model has it (`quirks` in its `config.json`, by name).

"Switch" names the field of `Quirks`; without one, *kept* means that ours always does the same, *right* that ours never
does it, and *elsewhere* that nothing of it is in this package. This page is written by `python docs/quirks.py`.

| row | published code | ours | switch |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Row:
    """One fault or habit: its number, what the published code does, and what ours does or which field switches it."""

    number: str
    published: str
    ours: str = ""
    switch: str = "right"


def switched(number: str, published: str, field: str) -> Row:
    """Return a row that a field of `Quirks` switches."""
    return Row(number, published, switch=field)


ROWS = (
    Row("Q1", "several routing tokens in one pass without slots get theirs at wrong places", "slots are ids"),
    switched("Q2", "points of large regions are drawn at random, for each level anew", "random_region_points"),
    switched("Q3", "the pixel mask is read off the pixels' values", "pixel_mask_from_values"),
    switched("Q4", "the mask among query groups is tiled in the wrong order", "text_mask_head_order"),
    Row("Q5", "the mask loss of proposals sees learned queries, not the picture", "the network is the same", "kept"),
    switched("Q6", "groups of keypoint queries are one too short in their mask", "keypoint_groups_leak"),
    Row("Q7", "the keypoint similarity is weighted 10, not 4", "`PoseConfig.oks_weight` is 10; set another", "kept"),
    Row(
        "Q8",
        "an example's region is squared while its picture is stretched",
        "by `ProcessorConfig.published_regions`, which a converted model has; otherwise region and picture go one way",
        "kept",
    ),
    Row("Q9", "interactive training takes truths by the numbers of a filtered list", "truths keep their numbers"),
    Row("Q10", "learning rates are chosen by parts of names, some by accident", "stages name what learns how fast"),
    Row(
        "Q11",
        "`Whis is`, `Ther are`, `forground object`",
        "so in `recipes/published/prompts.toml`",
        "kept",
    ),
    Row("Q12", "region captions were measured without the region's number", "`Prompts.numbered_region`", "kept"),
    Row("Q13", "visual prompts route by `[DET]`, though the paper says `[SEG]`", "`[DET]`", "kept"),
    Row("Q14", "an empty denoising loss has another name", "no empty term is returned; sums are the same"),
    switched("Q15", "a flipped label may be a padded query group", "denoise_flip_to_padding"),
    switched("Q16", "pictures without truth teach nothing", "no_negatives_without_truth"),
    Row("Q17", "losses are divided by the truths of one process, not of all", "the same", "kept"),
    Row("Q18", "logits have 100 or 256 columns, filled with −∞", "one column a query group"),
    Row("Q19", "written ids lack the slots, so that cache and ids differ in length", "slots are ids, so they don't"),
    Row("Q20", "the first sample chooses the decoder of a batch", "each row's own routing tokens do"),
    Row("Q21", "semantic names are in small letters in the question only", "`semantic_question` does so", "kept"),
    Row("Q22", "one data set changes the classes of another", "no class list is global"),
    Row("Q23", "68 keypoints are decoded, whatever was asked", "those that were asked; 68 with the switch of Q6"),
    Row(
        "L1",
        "a fresh tokenizer swallows blanks beside `<s>` and `</s>`, a reloaded one not",
        "as reloaded",
        "kept",
    ),
    Row("L2", "the tokenizer's `legacy` flag changes ids after added tokens", "read from its folder", "kept"),
    Row(
        "L3",
        "empty turns, `</s>` or ` ASSISTANT: ` in a text: nothing of the conversation is learned",
        "the answers are learned, texts are never structure, and an empty question is refused",
    ),
    Row("L4", "InternLM2: an answer that begins with an added token drops the sample", "it is learned"),
    Row("L5", "semantic maps before or after scaling: the same map", "after, with less memory", "kept"),
    Row("L6", "a prompt without a prediction counts the truth before it", "no such metric yet", "elsewhere"),
    Row("L7", "CrowdPose's difficulty levels use the last picture only", "no such metric yet", "elsewhere"),
    Row("L8", "relaxed accuracy takes 5 % of the answer, not of the truth", "no such metric yet", "elsewhere"),
    Row("L9", "only predictions are normalised for VQA accuracy", "no such metric yet", "elsewhere"),
    Row("L10", "parsers of yes, no, letters and numbers are crude", "no such metric yet", "elsewhere"),
    Row("L11", "CrowdHuman's evaluation does not interpolate, and more", "no such metric yet", "elsewhere"),
    Row(
        "L12",
        "boxes become masks with their right and bottom border; prompts count any value above 0",
        "by `ProcessorConfig.published_regions`; a region that vanishes is refused",
        "kept",
    ),
    Row(
        "L13",
        "sizes are rounded for the detector and cut for the pose decoder",
        "`DecoderImageConfig.rounding`, and `published_pose()` for a converted model",
        "kept",
    ),
    Row("L14", "the overlap of boxes has no epsilon in the detector, 1e-6 in the pose decoder", "the same", "kept"),
    Row("L15", "POPE, MM-Vet and AI2D have two blanks before the answer", "the family `open_answer` has one", "kept"),
    Row("L16", "referring metrics are strict, and take one prediction", "no such metric yet", "elsewhere"),
    Row("L17", "a sample whose classes are all masked spoils its batch", "it finds nothing, the others theirs"),
    Row("L18", "an empty first region rounds the points of all others", "each region is read by itself"),
    switched("N1", "the whole padded batch goes through the backbone", "padding_seen_by_networks"),
    switched("N2", "sizes around keypoints get no gradient", "keypoint_extents_never_learn"),
    switched("N3", "boxes are not cut at the border of the picture", "boxes_past_border"),
    switched("N4", "keypoints have no score of their own", "keypoints_surely_seen"),
    switched("N5", "the vocabulary's own slot tokens may be written", "slot_rows_sampled"),
)


def field_words() -> dict[str, str]:
    """Return what the docstring of `Quirks` says about each field."""
    told = (Quirks.__doc__ or "").split("Attributes:")[1]
    entries = re.findall(r"^        (\w+): (.*?)(?=^        \w+: |\Z)", told, re.MULTILINE | re.DOTALL)
    return {name: " ".join(words.split()) for name, words in entries}


def places(field: str) -> list[str]:
    """Return the modules that read a field, as paths in the package."""
    package = ROOT / "src" / "visionllm"
    files = sorted(package.rglob("*.py"))
    return [f.relative_to(package).as_posix() for f in files if f"quirks.{field}" in f.read_text(encoding="utf-8")]


def page() -> str:
    """Return the page.

    Raises:
        ValueError: If a field has no row or several, or no module reads it.
    """
    words, lines = field_words(), []
    switches = [row.switch for row in ROWS if row.switch in words]
    if sorted(switches) != sorted(field.name for field in fields(Quirks)):
        raise ValueError(f"expected one row for each field of Quirks, got {sorted(switches)}")
    for row in ROWS:
        ours, switch = row.ours, row.switch
        if switch in words:
            read = places(switch)
            if not read:
                raise ValueError(f"expected a module that reads quirks.{switch}, got none")
            ours = f"{words[switch]} Read in {', '.join(f'`{place}`' for place in read)}."
            switch = f"`{switch}`"
        lines.append(f"| {row.number} | {row.published} | {ours} | {switch} |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
