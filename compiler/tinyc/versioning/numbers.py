"""Version numbers of models: `1.2.3`, before a release `1.3.0-rc.1`, with metadata `1.2.3+int8.cm4.1a2b3c4d`.

Ordered as semantic versions are: a pre-release comes before its release, build metadata does not count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from tinyc.errors import TinycError

_NUMBER = "(0|[1-9][0-9]{0,4})"
_TEXT = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-rc\.{_NUMBER})?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?", re.ASCII
)
# An image has a byte, a byte and two bytes for the three numbers.
_MOST = (255, 255, 65_535)
ALLOWED = 'three numbers as in "1.2.3", at most 255.255.65535, before a release with "-rc.1"'


class Level(IntEnum):
    """How far a change reaches."""

    NONE = 0
    PATCH = 1
    MINOR = 2
    MAJOR = 3


@dataclass(frozen=True, slots=True)
class Version:
    """`candidate` is the number behind `-rc.`, None for a release."""

    major: int
    minor: int
    patch: int
    candidate: int | None = None

    @classmethod
    def parse(cls, text: str) -> Version:
        """Build metadata is dropped. Raises TinycError for what is no version, or too large for an image."""
        found = _TEXT.fullmatch(text)
        numbers = [int(number) for number in found.groups()[:3]] if found else []
        if found is None or any(number > most for number, most in zip(numbers, _MOST, strict=True)):
            raise TinycError(f"{text!r} is no version of a model", allowed=ALLOWED)
        candidate = found.group(4)
        major, minor, patch = numbers
        return cls(major, minor, patch, None if candidate is None else int(candidate))

    @property
    def core(self) -> tuple[int, int, int]:
        return self.major, self.minor, self.patch

    @property
    def is_release(self) -> bool:
        return self.candidate is None

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __le__(self, other: Version) -> bool:
        return self._key <= other._key

    @property
    def _key(self) -> tuple[int, int, int, bool, int]:
        return *self.core, self.is_release, self.candidate or 0

    def raised(self, level: Level) -> Version:
        """The lowest number that a change of this level needs.

        While the first number is 0 nothing is promised: MAJOR raises the second number, MINOR and PATCH
        the third. A pre-release promises nothing either: every change makes the next candidate of it.
        """
        if level is Level.NONE:
            return self
        if self.candidate is not None:
            return Version(*self.core, candidate=self.candidate + 1)
        if self.major == 0:
            if level is Level.MAJOR:
                return Version(0, self.minor + 1, 0)
            return Version(0, self.minor, self.patch + 1)
        if level is Level.MAJOR:
            return Version(self.major + 1, 0, 0)
        if level is Level.MINOR:
            return Version(self.major, self.minor + 1, 0)
        return Version(self.major, self.minor, self.patch + 1)

    def covers(self, needed: Version) -> bool:
        """Whether this number is high enough where `needed` is the lowest one.

        A candidate of a release is as high as the release; it comes before it only in time.
        """
        return self.core >= needed.core if needed.is_release else needed <= self

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        return text if self.candidate is None else f"{text}-rc.{self.candidate}"
