"""The PlatformIO platform of a generated project: boards from `boards/`, no packages."""

from platformio.platform.base import PlatformBase


class TinycPlatform(PlatformBase):
    def is_embedded(self):
        return True
