"""Networks that know nothing of language or tasks."""
