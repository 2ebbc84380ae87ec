"""Back-propagation into the last layers of an int8 network, planned when the firmware is made.

`cut` splits a network at the tap, `reading` and, for the rows of transformers, `tokens` read the layers
behind it into those of `layers`, `program` differentiates them and plans the memory, `design` makes a head
of it, `head` is the twin of the C, `choose` picks what to train.

Source: Lin et al., "On-Device Training Under 256KB Memory" (2022): sparse update, int8 weights whose steps
are scaled by the quantization, the backward pass made by the compiler.
"""
