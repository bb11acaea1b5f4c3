"""The super link: learned slot rows after the vocabulary, and the way from their hidden states to the decoders."""

from visionllm.super_link.forcing import SlotForcing
from visionllm.super_link.gathering import Unit, find_units, gather, join_states, select_units, unit_places
from visionllm.super_link.rows import SuperLink

__all__ = ["SlotForcing", "SuperLink", "Unit", "find_units", "gather", "join_states", "select_units", "unit_places"]
