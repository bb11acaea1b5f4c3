"""The command line."""

from visionllm.cli.command import main

__all__ = ["main"]
