"""What the registry is given to and taken from others: one module for each format."""
