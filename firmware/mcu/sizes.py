#!/usr/bin/env python3
"""What a board's image takes of flash and memory, and whether it stays in its bounds.

usage: sizes.py ELF [--flash BYTES] [--ram BYTES] [--json]

Exit codes: 0 within the bounds, 1 not, 2 bad call or no ELF of 32 bits. The stack is what the memory leaves over.
"""

import argparse
import json
import struct
import sys

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("elf")
parser.add_argument("--flash", type=lambda text: int(text, 0), default=4 << 20, help="bound, 4 MiB if not said")
parser.add_argument("--ram", type=lambda text: int(text, 0), default=3 << 20, help="bound, 3 MiB if not said")
parser.add_argument("--json", action="store_true")
arguments = parser.parse_args()
try:
    image = open(arguments.elf, "rb").read()
except OSError as error:
    sys.exit(print(error, file=sys.stderr) or 2)
if image[:5] != b"\x7fELF\x01":
    sys.exit(print("no ELF of 32 bits", file=sys.stderr) or 2)
table, = struct.unpack_from("<I", image, 32)
size, count, names = struct.unpack_from("<HHH", image, 46)
sections = [struct.unpack_from("<10I", image, table + size * index) for index in range(count)]
strings = sections[names][4]
flash = ram = 0
parts = {}
for name, kind, flags, _, _, length, *_ in sections:
    if not flags & 2 or not length:  # not allocated
        continue
    text = image[strings + name:image.index(b"\0", strings + name)].decode()
    parts[text] = length
    in_flash = kind != 8  # all but what begins as zeros
    written = flags & 1
    flash += length if in_flash else 0
    ram += length if written or not in_flash else 0
report = {"flash": flash, "flash_bound": arguments.flash, "ram": ram, "ram_bound": arguments.ram, "sections": parts}
if arguments.json:
    print(json.dumps(report))
else:
    print("flash %d of %d bytes, memory %d of %d" % (flash, arguments.flash, ram, arguments.ram),
          ", ".join("%s %d" % part for part in parts.items()), sep="; ")
sys.exit(0 if flash <= arguments.flash and ram <= arguments.ram else 1)
