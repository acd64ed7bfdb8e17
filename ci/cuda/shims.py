"""Makes link shims for the CUDA libraries: static archives of trampolines that open the real library when the program
starts, and answer "no device" (100) where it is not there. So a binary with CUDA starts on every machine.

usage: shims.py CUDA_HOME CUDARC_SOURCE OUT
"""

import pathlib
import re
import subprocess
import sys

NO_DEVICE = 100
LIBRARIES = [
    ("cuda", "libcuda.so.1", "driver"),
    ("cublas", "libcublas.so.13", "cublas"),
    ("cublasLt", "libcublasLt.so.13", "cublaslt"),
    ("nvrtc", "libnvrtc.so.13", "nvrtc"),
    ("curand", "libcurand.so.10", "curand"),
]


def trampolines(name: str, file: str, symbols: list[str]) -> str:
    """C source: a table filled from the library, and one jump through it for each symbol."""
    names = ",".join(f'"{symbol}"' for symbol in symbols)
    jumps = "\n".join(
        f'__asm__(".globl {symbol}\\n.type {symbol},@function\\n{symbol}:\\n jmp *shim_{name}+{8 * place}(%rip)\\n");'
        for place, symbol in enumerate(symbols)
    )
    return f"""#define _GNU_SOURCE
#include <dlfcn.h>
static int missing(void) {{ return {NO_DEVICE}; }}
void *shim_{name}[{len(symbols)}];
static const char *const names[] = {{{names}}};
__attribute__((constructor)) static void fill(void) {{
  void *library = dlopen("{file}", RTLD_LAZY | RTLD_GLOBAL);
  for (int i = 0; i < {len(symbols)}; i++) {{
    void *found = library ? dlsym(library, names[i]) : 0;
    shim_{name}[i] = found ? found : (void *)missing;
  }}
}}
{jumps}
"""


def main(home: pathlib.Path, cudarc: pathlib.Path, out: pathlib.Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, file, module in LIBRARIES:
        bindings = (cudarc / "src" / module / "sys" / "mod.rs").read_text()
        symbols = sorted(set(re.findall(r"unsafe fn ((?:cu|nvrtc)\w+)", bindings)) - {"culib"})
        source, object_file = out / f"{name}.c", out / f"{name}.o"
        archive = out / f"lib{name}_shim.a"
        source.write_text(trampolines(name, file, symbols))
        subprocess.check_call(["cc", "-O1", "-fPIC", "-fvisibility=hidden", "-c", source, "-o", object_file])
        archive.unlink(missing_ok=True)
        subprocess.check_call(["ar", "rcs", archive, object_file])
        (out / f"lib{name}.so").write_text(f"INPUT ( {archive} )\n")
    (out / "libcudart.so").write_text(f"INPUT ( {home}/lib/libcudart_static.a -lrt -lpthread -ldl )\n")


if __name__ == "__main__":
    main(*(pathlib.Path(argument).resolve() for argument in sys.argv[1:4]))
