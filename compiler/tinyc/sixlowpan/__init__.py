"""6LoWPAN: frames, fragments, chains and scores, as the firmware treats them."""
