#!/usr/bin/env python3
"""Prints how much flash and RAM an ELF file takes: the sizes of its loaded segments, and so many bytes of RAM more (a picture's): `size.py ELF [BYTES]`."""

import os
import struct
import sys

FLASH_LIMIT, RAM_LIMIT = 4 << 20, 3 << 20  # DESIGN.md, "Numbers to reach"
STACK = 256 << 10  # What must be left of the RAM.

with open(sys.argv[1], "rb") as f:
    elf = f.read()
if elf[:6] != b"\x7fELF\x01\x01":
    sys.exit("not a 32-bit little-endian ELF file")
(offset,) = struct.unpack_from("<I", elf, 28)
size, count = struct.unpack_from("<HH", elf, 42)
flash = ram = 0
for i in range(count):
    kind, _, _, _, in_file, in_memory, flags, _ = struct.unpack_from("<8I", elf, offset + i * size)
    if kind == 1 and in_memory:  # PT_LOAD
        flash += in_file
        ram += in_memory if flags & 2 else 0
ram += int(sys.argv[2]) if len(sys.argv) > 2 else 0
print("%s: %d bytes of flash, %d of static RAM" % (os.path.basename(sys.argv[1]), flash, ram))
if flash > FLASH_LIMIT or ram + STACK > RAM_LIMIT:
    sys.exit("with %d bytes of stack that is more than a microcontroller has" % STACK)
