"""The Image group under libFuzzer for some seconds; `make fuzz` runs the long form."""

from __future__ import annotations

import pytest

from support import image_fuzzing
from support.boot_images import Map
from support.image_fuzzing import PLAIN, SPLIT
from tinyc.toolchain.host_compiler import HostCompiler, compiler_called

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def clang() -> HostCompiler:
    found = compiler_called("clang")
    if found is None:
        pytest.skip("clang is not installed")
    return found


@pytest.mark.parametrize("map_", [SPLIT, PLAIN], ids=["slots for models", "no slots for models"])
def test_any_requests(clang: HostCompiler, map_: Map) -> None:
    assert image_fuzzing.run(clang, "-max_total_time=4", map_=map_) > 1000


# A line of the C, and what stands there instead.
MISSING = {
    "overrun": (
        "upload.c",
        "if (chunk->size > upload.block.size - upload.offset) {",
        "if (chunk->size > 4096u) {",
    ),
    "too large": (
        "upload.c",
        "if (chunk->length > upload.place->capacity) {",
        "if (chunk->length > 4096u) {",
    ),
    "blank words": ("upload.c", "if (all != FLASH_BLANK) {", "if (all != 0u || count != 0u) {"),
    "SHA-256 of a file": (
        "upload.c",
        "memcmp(digest, upload.block.sha, sizeof digest) == 0 ?",
        "digest[0] != upload.block.told + 256u ?",
    ),
    "torn request": ("trailer.c", "if (!trailer_is_blank(end)) {", "if (end == 0u) {"),
    "trial of a model": ("image_group.c", "slot == in_use() || model_on_trial()", "slot == in_use()"),
    "pending": ("image_group.c", "return is_needed(slot) || is_pending(slot);", "return is_needed(slot);"),
    "hash of an image": (
        "image_group.c",
        "if (image_hash(image, digest) != IMAGE_OK) {",
        "if (image_hash(image, digest) > 99u) {",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_check_is_found(clang: HostCompiler, name: str) -> None:
    file, old, new = MISSING[name]
    with pytest.raises(RuntimeError, match="ERROR"):
        image_fuzzing.run(clang, "-max_total_time=20", changed={file: (old, new)})
