"""Learning on the device: heads behind an int8 body, in Python bit for bit as in the generated C."""
