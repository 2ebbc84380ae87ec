"""Graph IR: tensors, operators and graphs."""
