"""Senders, a sink and attackers on one air: what a receive path delivers, and what it costs."""
