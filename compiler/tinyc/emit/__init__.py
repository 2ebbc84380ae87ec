"""Programs as C text and PlatformIO projects."""
