"""The key that is compiled into a bootloader, and the bootloader's Ed25519 on images signed by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.bootloader_crypto import Case, compiled, digests, run, verdicts
from support.images import content, signing_key
from tinyc.signing.image import make_image
from tinyc.signing.keys import PublicKey, render_boot_key
from tinyc.signing.read import read_image
from tinyc.toolchain.host_compiler import (
    WARNINGS,
    HostCompiler,
    compile_cached,
    compiler_called,
    find_compiler,
)

pytestmark = pytest.mark.host

KEY, OTHER = signing_key(), signing_key(1)
# The header is also included where nothing of it is used.
UNUSED = '#include "boot_key.h"\nextern int nothing;\nint nothing = 0;\n'
PRINTS = """
#include <stdio.h>
#include "boot_key.h"
int main(void)
{
    putchar(BOOT_KEY_PRESENT);
    fwrite(boot_public_key, 1, sizeof boot_public_key, stdout);
    fwrite(boot_key_hash, 1, sizeof boot_key_hash, stdout);
    return 0;
}
"""


@pytest.fixture(scope="module", params=["default", "clang"])
def compiler(request: pytest.FixtureRequest) -> HostCompiler:
    found = find_compiler() if request.param == "default" else compiler_called("clang")
    if found is None:
        pytest.skip("clang is not installed")
    return found


@pytest.mark.parametrize("public", [KEY.public, OTHER.public, None], ids=["key", "other", "none"])
def test_the_header_holds_the_key(compiler: HostCompiler, public: PublicKey | None) -> None:
    files = {"boot_key.h": render_boot_key(public), "main.c": PRINTS, "unused.c": UNUSED}
    program: Path = compile_cached(compiler, files, (*WARNINGS, "-Wshadow", "-Wconversion"), "boot_key")
    expected = b"\1" + public.raw + public.hash if public else bytes(65)
    assert run(program, b"") == expected


def test_the_bootloader_accepts_our_signatures(compiler: HostCompiler) -> None:
    program = compiled(compiler)
    data = make_image(content(), KEY)
    image = read_image(data)
    assert image.signature is not None
    assert digests(program, "sha256", [[data[: image.hashed]]]) == [image.hash]
    cases = [
        Case("ours", image.signature, KEY.public.raw, image.hash),
        Case("other key", image.signature, OTHER.public.raw, image.hash),
        Case("other hash", image.signature, KEY.public.raw, bytes(32)),
    ]
    assert verdicts(program, cases) == [True, False, False]
