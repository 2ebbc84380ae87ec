"""A Flower app of tinyc's gateways."""
