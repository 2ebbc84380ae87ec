"""Tokenizers on the device: text in, token ids out, the same in Python, in C and in the library."""
