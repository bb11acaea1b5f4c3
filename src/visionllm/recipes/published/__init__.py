"""The published models as values: configurations, the stages they were trained in, and the terms of their parts."""
