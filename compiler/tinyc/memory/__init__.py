"""Buffer lifetimes, arena placement and the memory budget."""
