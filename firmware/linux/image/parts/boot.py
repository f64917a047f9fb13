"""What starts the root: the kernel, an initramfs that opens the root by its hash, and both with the command line in one file for UEFI."""

import os
import re
import shutil
import struct

from .root import copy_modules, libraries
from .tell import Refused, lines, run, say

# Why each word is there: README.md, "The command line".
WORDS = (
    "ippyo.root={digest} ippyo.version={version} ro quiet loglevel=3 vt.global_cursor_default=0 consoleblank=0 panic=5 oops=panic lockdown=integrity module.sig_enforce=1 "
    "init_on_alloc=1 slab_nomerge vsyscall=none debugfs=off ipv6.disable=1 i8042.nokbd=1 i8042.noaux=1 systemd.show_status=no systemd.firstboot=no"
)
SERIAL = " console=ttyS0 loglevel=6 systemd.journald.forward_to_console=1 systemd.log_target=journal"
STUB = "usr/lib/systemd/boot/efi/linuxx64.efi.stub"


def kernel_version(packages):
    found = sorted(path.name for path in (packages / "usr/lib/modules").iterdir())
    if len(found) != 1:
        raise Refused(f"one kernel was expected, not {found}")
    return found[0]


def cmdline(digest, version, serial):
    return WORDS.format(digest=digest, version=version) + (SERIAL if serial else "")


def initramfs(here, packages, kernel, folder, out):
    say("packing the initramfs")
    for name in ("bin", "dev", "new", "proc", "run", "sys"):
        (folder / name).mkdir(parents=True)
    (folder / "usr").mkdir()
    for name in ("lib", "lib64"):
        (folder / "usr" / name).mkdir()
        (folder / name).symlink_to(f"usr/{name}")
    (folder / "usr/bin").symlink_to("../bin")
    (folder / "usr/sbin").symlink_to("../bin")
    shutil.copy(packages / "usr/bin/busybox", folder / "bin/busybox")
    shutil.copy(packages / "usr/sbin/veritysetup", folder / "bin/veritysetup")
    shutil.copy(here / "initramfs/init", folder / "init")
    shutil.copy(here / "initramfs/give-way", folder / "bin/give-way")
    for name in ("bin/busybox", "bin/veritysetup", "bin/give-way", "init"):
        os.chmod(folder / name, 0o755)
    libraries(packages, folder)
    names = [line.split()[1] for line in lines(here / "modules.list") if line.startswith("boot ")]
    source = packages / f"usr/lib/modules/{kernel}"
    copy_modules(source, folder / f"usr/lib/modules/{kernel}", names)
    for name in ("modules.builtin", "modules.order"):
        shutil.copy(source / name, folder / f"usr/lib/modules/{kernel}/{name}")
    run("depmod", "-b", folder, kernel)
    archive = out.with_suffix(".cpio")
    archive.write_bytes(newc(folder))
    # Two of the same size are not two of the same bytes with several threads and another version: one thread.
    run("zstd", "-12", "--single-thread", "-q", "-f", archive, "-o", out)
    archive.unlink()
    return out


def newc(folder):
    """The folder as an archive in the kernel's format, sorted, everything root's and of the same date."""
    parts, date = [], int(os.environ["SOURCE_DATE_EPOCH"])
    for number, path in enumerate(sorted(folder.rglob("*")), 1):
        if path.is_symlink():
            mode, data = 0o120777, os.readlink(path).encode()
        elif path.is_dir():
            mode, data = 0o040755, b""
        else:
            data = path.read_bytes()
            mode = 0o100755 if path.stat().st_mode & 0o111 else 0o100644
        parts.append(entry(number, str(path.relative_to(folder)), mode, data, date))
    # A console for the first program, which has none otherwise.
    parts.append(entry(0, "TRAILER!!!", 0, b"", 0))
    return b"".join(parts)


def entry(number, name, mode, data, date):
    name = name.encode() + b"\0"
    links = 2 if mode & 0o040000 == 0o040000 and mode & 0o170000 == 0o040000 else 1
    fields = [number, mode, 0, 0, links, date, len(data), 0, 0, 0, 0, len(name), 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def unified(packages, kernel, initramfs, command, uname, version, out):
    """Kernel, initramfs and command line in one program for UEFI; its loader measures each of them into PCR 11."""
    say("joining kernel, initramfs and command line")
    folder = out.parent
    # The loader takes the highest version first, of those that have tries left.
    texts = {".osrel": f'ID=ippyo\nNAME="Ippyo kiosk"\nPRETTY_NAME="Ippyo kiosk"\nIMAGE_ID=ippyo\nIMAGE_VERSION={version}\n', ".cmdline": command, ".uname": uname}
    sections, made = [], []
    for name, text in texts.items():
        file = folder / f"section{name}"
        file.write_bytes(text.encode() + b"\0" * (name == ".cmdline"))
        sections.append((name, file))
        made.append(file)
    sections += [(".linux", kernel), (".initrd", initramfs)]
    stub = packages / STUB
    ends = re.findall(r"^\s*\d+\s+\S+\s+([0-9a-f]+)\s+([0-9a-f]+)\s", run("objdump", "-h", stub), re.M)
    place = max(int(size, 16) + int(start, 16) for size, start in ends)
    call = []
    for name, file in sections:
        place = -(-place // 0x1000) * 0x1000
        call += ["--add-section", f"{name}={file}", "--change-section-vma", f"{name}={place:#x}", "--set-section-flags", f"{name}=data,readonly"]
        place += file.stat().st_size
    run("objcopy", *call, stub, out)
    for file in made:
        file.unlink()
    undate(out)


def undate(file):
    """Takes the date of building out of the program's header, and the checksum over it, which nobody looks at."""
    data = bytearray(file.read_bytes())
    (header,) = struct.unpack_from("<I", data, 0x3C)
    struct.pack_into("<I", data, header + 8, int(os.environ["SOURCE_DATE_EPOCH"]))
    struct.pack_into("<I", data, header + 24 + 64, 0)
    file.write_bytes(data)
