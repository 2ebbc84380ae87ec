"""Post-training quantization of transformers: int8 and int16 activations side by side."""
