"""Federated meta-learning: many devices teach one initialisation without sending their samples."""
