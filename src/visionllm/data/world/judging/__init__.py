"""Judges pictures that a model made: what can be seen in them, and whether that is what was asked for."""

from visionllm.data.world.judging.perceive import Seen, perceive
from visionllm.data.world.judging.verdicts import edit_done, psnr_outside, shows
from visionllm.data.world.judging.wishes import Wanted, Wish, read_wish

__all__ = ["Seen", "Wanted", "Wish", "edit_done", "perceive", "psnr_outside", "read_wish", "shows"]
