"""Continuous batching: jobs as data, what happens to them, and what can go wrong."""
