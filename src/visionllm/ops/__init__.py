"""Pure functions on tensors, without parameters."""
