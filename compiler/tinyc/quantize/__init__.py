"""Post-training quantization, and the fixed-point arithmetic that everything shares."""
