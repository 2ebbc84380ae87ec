"""The audio front end: integer features of sound, the same in Python and in the generated C."""
