"""Where the published code is wrong, and which of its faults to reproduce."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Quirks:
    """Faults of the published code; every field is False by default, which is the right way.

    Attributes:
        random_region_points: The region encoder draws the points of large regions at random, anew for each feature
            level, even at inference. Ours takes a fixed, evenly spread subset.
        pixel_mask_from_values: The detector takes every pixel whose first normalised channel is exactly 0 for padding.
            Ours is told by `ImageBatch.pixel_mask`.
        padding_seen_by_networks: Backbone, projections and pixel decoder run on the whole padded batch, so that their
            normalisation and borders see the padding. Ours runs them on each picture alone, padded no further than to
            the next multiple of the size divisor: a batch gives the numbers of its singles.
        text_mask_head_order: The mask between query groups is tiled head-first although the attention reads it
            unit-first, so units of one batch with different numbers of groups swap their masks.
        denoise_flip_to_padding: A flipped label of a denoising query may be a padded query group.
        no_negatives_without_truth: A batch without any truth has no class loss at all, so that pictures with nothing to
            find teach nothing.
        keypoint_groups_leak: Without denoising queries, the mask among the pose decoder's queries is built for groups
            of one query too few, so that a group sees the end of the one before it; and the keypoints of every unit
            are filled up to the most there may be, although only those that were asked for mean something.
        keypoint_extents_never_learn: No gradient reaches the sizes of the places around keypoints that are looked at.
        boxes_past_border: Found boxes may reach past the border of their picture. Ours are cut there.
        keypoints_surely_seen: Every keypoint has the score 1. Ours has that of its object, or one of its own where the
            model learned to see.
        slot_rows_sampled: Generation may write the vocabulary's own slot tokens as if they were text.
    """

    random_region_points: bool = False
    pixel_mask_from_values: bool = False
    padding_seen_by_networks: bool = False
    text_mask_head_order: bool = False
    denoise_flip_to_padding: bool = False
    no_negatives_without_truth: bool = False
    keypoint_groups_leak: bool = False
    keypoint_extents_never_learn: bool = False
    boxes_past_border: bool = False
    keypoints_surely_seen: bool = False
    slot_rows_sampled: bool = False

    @classmethod
    def published(cls) -> "Quirks":
        """Return every fault switched on, which gives the published numbers."""
        return cls(**dict.fromkeys((f.name for f in fields(cls)), True))
