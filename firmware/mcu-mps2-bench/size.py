#!/usr/bin/env python3
"""Adds up the code of one function and of all it calls, directly or not: `./size.py ELF [FUNCTION]`. Needs llvm-objdump or objdump for ARM.

Tables of constants are not in it. A call through a pointer is not followed; the verifier has none.
"""

import re
import shutil
import subprocess
import sys

tool = shutil.which("llvm-objdump") or shutil.which("arm-none-eabi-objdump") or sys.exit("llvm-objdump is missing")
root = sys.argv[2] if len(sys.argv) > 2 else "kiosk_verifies"
code, calls, name = {}, {}, None
for line in subprocess.run([tool, "-d", "--demangle", sys.argv[1]], capture_output=True, text=True, check=True).stdout.splitlines():
    start = re.match(r"([0-9a-f]{8}) <(.*)>:$", line)
    if start:
        name = start[1] + " " + re.sub(r"::h[0-9a-f]{16}$", "", start[2])
        code[name], calls[name] = 0, set()
        continue
    step = re.match(r"\s*([0-9a-f]+):\s+((?:[0-9a-f]{2,4} )+)\s*(.*)", line)
    if step and name:
        code[name] += len(step[2].replace(" ", "")) // 2
        target = re.search(r"^bl?(?:\.w)?\s+(?:0x)?([0-9a-f]+) <", step[3])
        if target:
            calls[name].add(int(target[1], 16))
by_address = {int(name[:8], 16): name for name in code}
want = [n for n in code if n.split(" ", 1)[1] == root] or sys.exit("there is no function %s in it" % root)
seen = set()
while want:
    one = want.pop()
    if one not in seen:
        seen.add(one)
        want += [by_address[a] for a in calls[one] if a in by_address]
for one in sorted(seen, key=lambda n: -code[n]):
    print("%6d  %s" % (code[one], one.split(" ", 1)[1][:110]))
ours = sum(code[n] for n in seen if "election::" in n or n.endswith(root))
print('{"name":"code of %s","value":%d,"unit":"bytes"}' % (root, sum(code[n] for n in seen)))
print('{"name":"of it the election room\'s own","value":%d,"unit":"bytes"}' % ours)
