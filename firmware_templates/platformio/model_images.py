"""Builds `model_0.elf` and `model_1.elf` from `model/`: the same model for either slot.

SCons runs this file behind the one that builds the firmware, with the firmware's compiler.
"""

from pathlib import Path

from SCons.Script import COMMAND_LINE_TARGETS, Default, DefaultEnvironment

env = DefaultEnvironment()

zig = env.GetProjectOption("custom_toolchain", "zig") == "zig"
machine = env.BoardConfig().get("build.zig_flags" if zig else "build.gcc_flags")
folder = Path(env.subst("$PROJECT_DIR")) / "model"
build = Path(env.subst("$BUILD_DIR")) / "model"

# The kernels are there for their structs: none of their functions and tables is used.
unused = ["-Wno-unused-function", "-Wno-unused-variable", "-Wno-unused-const-variable"]
image = env.Object(
    str(build / "model_image.o"), str(folder / "model_image.c"), CCFLAGS=[*env["CCFLAGS"], *unused]
)
link = [*machine, "-O2", "-nostartfiles", "-nostdlib", "-Wl,--gc-sections", "-Wl,--fatal-warnings"]
if zig:
    link += ["-Wl,--entry,tinyc_model_image", "-Wl,-z,stack-size=0"]
for slot in (0, 1):
    script = folder / f"model_{slot}.ld"
    body = env.Program(
        str(build / f"model_{slot}.elf"),
        image,
        PROGSUFFIX=".elf",
        LINKFLAGS=[*link, "-Wl,-z,max-page-size=4096", "-T", str(script)],
        LIBS=[],
    )
    env.Depends(body, str(script))
    env.NoCache(body)
    if "nobuild" not in COMMAND_LINE_TARGETS:
        Default(body)
