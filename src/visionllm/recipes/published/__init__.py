"""The published models as values: configurations, questions and answers, training stages, terms of their parts."""
