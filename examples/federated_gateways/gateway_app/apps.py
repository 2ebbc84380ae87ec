"""What Flower starts: tinyc's server, and a gateway on each SuperNode."""

from tinyc.learning.federation.flower_app import client, server

__all__ = ["client", "server"]
