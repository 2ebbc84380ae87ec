"""Builds `firmware.elf` with the compiler named by `custom_toolchain` in `platformio.ini`.

SCons runs this file. The same flags and sources go to every compiler.
"""

import os
import sys
from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, Default, DefaultEnvironment

TOOLCHAINS = ("zig", "gcc")

env = DefaultEnvironment()
board = env.BoardConfig()
toolchain = env.GetProjectOption("custom_toolchain", "zig")

if toolchain not in TOOLCHAINS:
    sys.stderr.write(f"error: custom_toolchain is {toolchain!r}, allowed: {', '.join(TOOLCHAINS)}\n")
    env.Exit(1)

if toolchain == "zig":
    compiler = f'"{env.subst("$PYTHONEXE")}" -m ziglang cc'
    # `zig cc` turns UBSan on and, for freestanding targets, the compiler's own memcpy off; both are
    # undone here. Its runtime library has debug information, which board.ld drops.
    archiver = f'"{env.subst("$PYTHONEXE")}" -m ziglang ar'
    machine = board.get("build.zig_flags")
    only_compile = ["-fno-sanitize=undefined", "-fhosted", "-fbuiltin"]
    only_link = ["-Wl,--entry,Reset_Handler", "-Wl,-z,stack-size=0"]
    libraries = []
else:
    compiler = board.get("build.gcc_prefix") + "gcc"
    archiver = board.get("build.gcc_prefix") + "ar"
    machine = board.get("build.gcc_flags")
    only_compile = []
    only_link = ["-nostdlib", "-Wl,-Map," + str(Path(env.subst("$BUILD_DIR")) / "firmware.map")]
    libraries = ["gcc"]

env.Replace(
    AR=archiver,
    CC=compiler,
    CXX=compiler,
    LINK=compiler,
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
)
env.Append(
    CCFLAGS=[
        *machine,
        "-O2",
        "-g0",
        "-fomit-frame-pointer",
        # The kernels are unrolled by hand where it pays; more of it only grows them.
        "-fno-unroll-loops",
        "-ffunction-sections",
        "-fdata-sections",
        "-fno-common",
        "-fno-ident",
        # Floating point gives the same bits everywhere: no compiler fuses a product and a sum.
        "-ffp-contract=off",
        "-Wall",
        "-Wextra",
        "-Werror",
        *only_compile,
    ],
    CFLAGS=["-std=c99"],
    CPPPATH=["$PROJECT_INCLUDE_DIR", "$PROJECT_SRC_DIR"],
    LINKFLAGS=[
        *machine,
        "-O2",
        "-nostartfiles",
        "-Wl,--gc-sections",
        "-Wl,--fatal-warnings",
        "-Wl,-z,max-page-size=4096",
        *only_link,
    ],
    LIBS=libraries,
)


def memory_flags(environment, node):
    """The memory functions must not be turned into calls of themselves."""
    flags = [flag for flag in environment["CCFLAGS"] if flag not in ("-fhosted", "-fbuiltin")]
    more = ["-ffreestanding", "-fno-builtin", "-fno-unroll-loops"]
    return environment.Object(node, CCFLAGS=[*flags, *more])


def small_flags(environment, node):
    """Code around the model runs seldom: small instead of fast."""
    return environment.Object(node, CCFLAGS=[*environment["CCFLAGS"], "-Os"])


def exact_flags(environment, node):
    """Learning code has the same bits on every core: vectors of Helium round tiny numbers to zero."""
    more = ["-fno-tree-vectorize", "-fno-tree-slp-vectorize"]
    return environment.Object(node, CCFLAGS=[*environment["CCFLAGS"], *more])


env.AddBuildMiddleware(memory_flags, "*memory.c")
for pattern in ("head_*", "sparse_*", "learner", "guard", "drift", "trainer", "trainer_delta"):
    env.AddBuildMiddleware(exact_flags, f"*{pattern}.c")
SMALL = ("boot_info", "cbor", "crc32", "ed25519", "hal", "image", "image_group", "image_verify", "journal")
SMALL += ("loader_group", "main", "request", "retained", "sha512", "smp", "smp_frame", "startup", "swap")
SMALL += ("tinyc_group", "trailer", "trainer_app", "trainer_group", "upload")
for name in SMALL:
    env.AddBuildMiddleware(small_flags, f"*{name}.c")

if "nobuild" in COMMAND_LINE_TARGETS:
    Default(None)
else:
    # tinyc names a folder of objects: the same text with the same flags is compiled once for all projects.
    if "TINYC_OBJECTS" in os.environ:
        env.CacheDir(os.environ["TINYC_OBJECTS"])
    program = env.BuildProgram()
    env.Depends(program, str(Path(env.subst("$PROJECT_DIR")) / board.get("build.ldscript")))
    env.NoCache(program)
    if board.get("build.boot_stage", False):
        env.SConscript("boot_stage.py", exports="env program")
    Default(env.Alias("buildprog", program))
