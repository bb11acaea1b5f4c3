"""The published model's values: how its questions are asked, and its sizes."""
