"""Flags for a build with a public PlatformIO platform and no framework; runs before its own script."""

Import("env")  # noqa: F821  provided by SCons

MACHINE = env.GetProjectOption("custom_machine_flags").split()  # noqa: F821

env.Append(  # noqa: F821
    CCFLAGS=[
        *MACHINE,
        "-g0",
        "-ffunction-sections",
        "-fdata-sections",
        "-fno-common",
        "-ffp-contract=off",
        "-Wall",
        "-Wextra",
        "-Werror",
    ],
    CFLAGS=["-std=c99"],
    LINKFLAGS=[*MACHINE, "-nostdlib", "-nostartfiles", "-Wl,--gc-sections"],
    LIBS=["gcc"],
)
env.Replace(PROGNAME="firmware")  # noqa: F821


def without_builtins(environment, node):
    """The memory functions themselves must not be turned into calls of themselves."""
    return environment.Object(node, CCFLAGS=[*environment["CCFLAGS"], "-ffreestanding", "-fno-builtin"])


env.AddBuildMiddleware(without_builtins, "*memory.c")  # noqa: F821
