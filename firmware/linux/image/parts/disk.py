"""The whole disk: a partition for starting, two places for a root and its tree (one is filled, the other is for an update), and the kiosk's state."""

import os
import shutil
import uuid

from .tell import Refused, run, say

MIB = 1 << 20
# Name, size in MiB, GPT type. Two places of 80 + 2 MiB: an image that does not fit is refused, because an update would not fit either.
STARTING, ROOT, TREE, STATE = 72, 72, 2, 48
TYPES = {"esp": "ef00", "root": "8304", "tree": "830c", "state": "8300"}
LOADER = "usr/lib/systemd/boot/efi/systemd-bootx64.efi"
LABEL = "IPPYO-BOOT"


def write(out, digest, packages, config, work):
    say("writing the disk")
    image, tree = out / "root.squashfs", out / "root.tree"
    for file, most in ((image, ROOT), (tree, TREE)):
        if file.stat().st_size > most * MIB:
            raise Refused(f"{file.name} has {file.stat().st_size} bytes: more than the {most} MiB of its partition")
    short = digest[:16]
    parts = [
        ("ippyo-esp", STARTING, TYPES["esp"]),
        ("root-a", ROOT, TYPES["root"]),
        ("tree-a", TREE, TYPES["tree"]),
        ("root-b", ROOT, TYPES["root"]),
        ("tree-b", TREE, TYPES["tree"]),
        ("ippyo-state", STATE, TYPES["state"]),
    ]
    disk = out / "kiosk.disk"
    disk.unlink(missing_ok=True)
    with open(disk, "wb") as opened:
        opened.truncate((sum(size for _, size, _ in parts) + 2) * MIB)
    call, place, places = [], 1, {}
    named = lambda name: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{digest} {name}"))
    for number, (name, size, kind) in enumerate(parts, 1):
        first, last = place * 2048, (place + size) * 2048 - 1
        call += ["-n", f"{number}:{first}:{last}", "-t", f"{number}:{kind}", "-c", f"{number}:{name}", "-u", f"{number}:{named(name + str(number))}"]
        places[number] = place
        place += size
    run("sgdisk", "-U", named("disk"), *call, disk)
    start = starting(out, packages, config, short, work)
    state = work / "state"
    with open(state, "wb") as opened:
        opened.truncate(STATE * MIB)
    (work / "empty").mkdir()
    os.environ["E2FSPROGS_FAKE_TIME"] = os.environ["SOURCE_DATE_EPOCH"]
    run(
        "mke2fs", "-q", "-t", "ext4", "-L", "ippyo-state", "-U", named("state"), "-E", f"root_owner=900:900,hash_seed={named('seed')},lazy_itable_init=0,lazy_journal_init=0",
        "-m", "0", "-O", "^resize_inode", "-d", work / "empty", state,
    )  # fmt: skip
    for number, file in ((1, start), (2, image), (3, tree), (6, state)):
        copy(file, disk, places[number] * MIB)


def copy(file, disk, place):
    """Copies without the zeros, so that the file stays sparse."""
    with open(file, "rb") as source, open(disk, "r+b") as target:
        offset = place
        while block := source.read(64 << 10):
            if block.strip(b"\0"):
                target.seek(offset)
                target.write(block)
            offset += len(block)


def starting(out, packages, config, short, work):
    """The partition for starting: the loader, the image, the device configuration."""
    folder, file = work / "starting", work / "esp"
    (folder / "EFI/BOOT").mkdir(parents=True)
    (folder / "EFI/Linux").mkdir(parents=True)
    (folder / "loader").mkdir()
    shutil.copy(packages / LOADER, folder / "EFI/BOOT/BOOTX64.EFI")
    shutil.copy(out / "kiosk.efi", folder / f"EFI/Linux/ippyo-{short}.efi")
    (folder / "loader/loader.conf").write_text("timeout 0\neditor no\nauto-entries no\nauto-firmware no\nconsole-mode keep\n")
    if config:
        shutil.copy(config, folder / "kiosk.toml")
    date = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in sorted(folder.rglob("*")):
        os.utime(path, (date, date))
    with open(file, "wb") as opened:
        opened.truncate(STARTING * MIB)
    run("mkfs.vfat", "--invariant", "-F", "32", "-n", LABEL, "-i", "19701234", file)
    run("mcopy", "-i", file, "-s", "-m", *sorted(folder.iterdir()), "::")
    return file
