"""The root's files: those of the packages that files.list names, the libraries they need, kernel modules, what lies in root/, the kiosk."""

import hashlib
import os
import re
import shutil
from pathlib import Path

from .tell import Refused, lines, run, say

# Empty folders: places where the kernel and the service manager mount things.
PLACES = ["boot", "config", "dev", "media/duplicate", "media/exchange", "media/original", "proc", "root", "run", "state", "sys", "tmp", "var/log", "var/lib"]
# No file of this name may be in the image, whoever brought it.
ABSENT = re.compile(r"(^|/)(a?sh|bash|dash|zsh|busybox|toybox|s?u?login|su|sudo|a?getty|sulogin|perl|python3?|apt|apt-get|dpkg|ssh|sshd|telnet|nc|curl|wget|gdb|strace|systemctl|systemd-run|journalctl|debug-shell.service|emergency.service|rescue.service|getty@.service|serial-getty@.service)$")
LIBRARIES = ["usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/systemd", "usr/lib/systemd", "usr/lib/x86_64-linux-gnu/libnss", "usr/lib64"]


def cargo(repository, target):
    """The kiosk's program as it ships: no path of this machine is left in it, so that another one builds the same."""
    home = os.environ.get("CARGO_HOME", str(Path.home() / ".cargo"))
    target = target or Path(os.environ.get("CARGO_TARGET_DIR", repository / "target"))
    triple = "x86_64-unknown-linux-gnu"
    flags = f"--remap-path-prefix={repository}=/ippyo --remap-path-prefix={home}=/cargo"
    say("building the kiosk")
    run(
        "cargo", "build", "--locked", "-p", "linux", "--profile", "image", "--no-default-features", "--features", "kms,sound", "--target", triple,
        cwd=repository, env=os.environ | {"RUSTFLAGS": flags, "CARGO_TARGET_DIR": str(target)},
    )  # fmt: skip
    return target / triple / "image/linux"


def build(here, packages, root, program, kernel, version):
    """Fills the folder `root`; a listing of what is in it, a line a file: mode, hash or link, path."""
    say("choosing the root's files")
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    for place in PLACES:
        (root / place).mkdir(parents=True)
    (root / "var/run").symlink_to("../run")
    for pattern in lines(here / "files.list"):
        found = sorted(packages.glob(pattern))
        files = [file for file in found if file.is_file() or file.is_symlink()]
        if not files:
            raise Refused(f"files.list: there is no {pattern} in the packages")
        for file in files:
            take(packages, file, root)
    shutil.copy(program, root / "usr/bin/kiosk")
    run("strip", "--strip-all", root / "usr/bin/kiosk")
    os.chmod(root / "usr/bin/kiosk", 0o755)
    shutil.copytree(here / "root", root, symlinks=True, dirs_exist_ok=True)
    (root / "usr/share/fonts").mkdir(parents=True)
    shutil.copy(here.parents[2] / "ui/panel/fonts/BIZUDPGothic-Regular.ttf", root / "usr/share/fonts/panel.ttf")
    # With the version in it no two versions have the same root hash: a place on the disk is found by its hash alone.
    text = f'ID=ippyo\nNAME="Ippyo kiosk"\nPRETTY_NAME="Ippyo kiosk"\nID_LIKE=debian\nVERSION_ID=12\nIMAGE_VERSION={version}\n'
    (root / "usr/lib/os-release").write_text(text)
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Asia/Tokyo")
    libraries(packages, root)
    modules(packages, root, kernel, [line.split()[-1] for line in lines(here / "modules.list")])
    run("ldconfig", "-X", "-r", root)
    shutil.rmtree(root / "var/cache", ignore_errors=True)
    return listed(root)


def take(packages, file, root):
    """Copies a file to the same place, and what a link points to."""
    place = root / file.relative_to(packages)
    if place.is_symlink() or place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if file.is_symlink():
        target = os.readlink(file)
        if target == "/dev/null":
            return
        place.symlink_to(target)
        pointed = packages / target.lstrip("/") if target.startswith("/") else file.parent / target
        pointed = Path(os.path.normpath(pointed))
        if pointed.is_file():
            take(packages, pointed, root)
    else:
        shutil.copyfile(file, place)
        # Nothing changes its user: what needs rights is started by the service manager.
        place.chmod(0o755 if file.stat().st_mode & 0o111 else 0o644)


def needs(file):
    out = run("readelf", "-dW", file)
    return re.findall(r"\(NEEDED\).*\[(.+)\]", out)


def is_elf(file):
    with open(file, "rb") as opened:
        return opened.read(4) == b"\x7fELF"


def libraries(packages, root):
    """Adds the libraries that programs in the root need, and those that these need."""
    waiting = [file for file in sorted(root.rglob("*")) if file.is_file() and not file.is_symlink() and is_elf(file)]
    take(packages, packages / "usr/lib64/ld-linux-x86-64.so.2", root)
    seen = set()
    while waiting:
        file = waiting.pop()
        for name in needs(file):
            if name in seen:
                continue
            seen.add(name)
            found = next((packages / folder / name for folder in LIBRARIES if (packages / folder / name).exists()), None)
            if found is None:
                raise Refused(f"{file.relative_to(root)} needs {name}, which no package brings: name one in packages.list")
            take(packages, found, root)
            waiting.append(root / found.resolve().relative_to(packages.resolve()))


def modules(packages, root, kernel, names):
    """Modules with what they need, and the indices for loading them."""
    source, place = packages / f"usr/lib/modules/{kernel}", root / f"usr/lib/modules/{kernel}"
    copy_modules(source, place, names)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(source / name, place / name)
    run("depmod", "-b", root, kernel)


def copy_modules(source, place, names):
    """Copies modules by name with their dependencies; needs no index of the source."""
    files = {path.name.removesuffix(".ko").replace("-", "_"): path for path in source.rglob("*.ko")}
    built_in = {Path(line).name.removesuffix(".ko").replace("-", "_") for line in (source / "modules.builtin").read_text().split()}
    waiting, seen = [name.replace("-", "_") for name in names], set()
    place.mkdir(parents=True, exist_ok=True)
    while waiting:
        name = waiting.pop()
        if name in seen or name in built_in:
            continue
        seen.add(name)
        if name not in files:
            raise Refused(f"modules.list: the kernel has no module {name}")
        file = files[name]
        copy = place / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
        depends = re.search(rb"\0depends=([^\0]*)\0", b"\0" + file.read_bytes())
        waiting += [part.replace("-", "_") for part in depends.group(1).decode().split(",") if part] if depends else []


def listed(root):
    """Every file of the root; refuses what must not be there."""
    text, refused = [], []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if ABSENT.search(name):
            refused.append(name)
        if path.is_symlink():
            text.append(f"link {os.readlink(path)} {name}\n")
        elif path.is_file():
            mode = path.stat().st_mode & 0o7777
            if mode & 0o6000:
                refused.append(f"{name} (set-user-id)")
            path.chmod(0o755 if mode & 0o111 else 0o644)
            text.append(f"{mode & 0o111 and 755 or 644} {hashlib.sha256(path.read_bytes()).hexdigest()} {name}\n")
        else:
            path.chmod(0o755)
    if refused:
        raise Refused(f"must not be in the image: {', '.join(refused)}")
    return "".join(text)
