"""What the receive path is compared with: re-implementations, and lwIP as a process of its own."""
