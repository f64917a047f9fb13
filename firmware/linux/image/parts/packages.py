"""Debian packages: resolved by apt with a configuration of its own, checked by Debian's signatures, compared with a lock file, unpacked.

Nothing is installed and no script of a package runs; neither root nor a chroot is needed.
"""

import hashlib
import subprocess
from pathlib import Path

from .tell import Refused, lines, run, say

SUITE = "bookworm"
DEBIAN = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def mirrors():
    """Where this machine's apt has the suite from."""
    try:
        found = run("apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages")
    except Refused:
        return {}
    sites = [line.split() for line in found.splitlines() if len(line.split()) == 2]
    return {name: next((site for site, codename in sites if codename == name), None) for name in (SUITE, f"{SUITE}-security")}


def configuration(cache, mirror, security):
    own = mirrors()
    mirror = mirror or own.get(SUITE) or DEBIAN
    security = security or own.get(f"{SUITE}-security") or SECURITY
    if not Path(KEYS).is_file():
        raise Refused(f"{KEYS} is missing: install debian-archive-keyring", 2)
    for name in ("state/lists/partial", "cache/archives/partial", "etc"):
        (cache / name).mkdir(parents=True, exist_ok=True)
    (cache / "status").touch()
    source = f"deb [arch=amd64 signed-by={KEYS}]"
    (cache / "etc/sources.list").write_text(
        f"{source} {mirror} {SUITE} main\n{source} {mirror} {SUITE}-updates main\n{source} {security} {SUITE}-security main\n"
    )
    settings = {
        "APT::Architecture": "amd64",
        "APT::Architectures": "amd64",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "Dir::State": cache / "state",
        "Dir::State::status": cache / "status",
        "Dir::Cache": cache / "cache",
        "Dir::Etc::SourceList": cache / "etc/sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Debug::NoLocking": "true",
    }
    return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]


def read_lock(path):
    return {name: (version, digest) for name, version, digest in (line.split() for line in lines(path))}


def write_lock(debs, path):
    text = "# package version sha256: what the image is built from. `build` writes it into its output; with --locked it takes nothing else.\n"
    path.write_text(text + "".join(f"{name} {version} {digest}\n" for name, version, digest, _ in debs))


def fetch(wanted, cache, lock, mirror, security):
    """The packages and what they need: name, version, sha256, file; sorted by name."""
    cache = cache.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    settings = configuration(cache, mirror, security)
    names = lines(wanted)
    locked = read_lock(lock) if lock else None
    if locked is not None:
        debs = cached(locked, cache)
        if debs is not None:
            say(f"{len(debs)} packages, as locked, from {cache}")
            return debs
        names = [f"{name}={version}" for name, (version, _) in locked.items()]
    say("asking for Debian's lists of packages")
    run("apt-get", *settings, "update", "-q")
    planned = plan(settings, names)
    say(f"fetching {len(planned)} packages")
    run("apt-get", *settings, "install", "-q", "-y", "--download-only", *names)
    debs = []
    for name, version in sorted(planned):
        found = [file for file in (cache / "cache/archives").glob(f"{name}_*.deb") if stated(file) == (name, version)]
        if not found:
            raise Refused(f"{name} {version} was not fetched", 1)
        debs.append((name, version, digest(found[0]), found[0]))
    if locked is not None:
        differ = [f"{name} {version}" for name, version, sha, _ in debs if locked.get(name) != (version, sha)]
        differ += [f"{name} (missing)" for name in locked if name not in {deb[0] for deb in debs}]
        if differ:
            raise Refused(f"not what {lock} lists: {', '.join(differ)}")
    return debs


def cached(locked, cache):
    """All locked packages, if all of them lie in the cache and are the ones of the lock file."""
    debs = []
    for name, (version, sha) in sorted(locked.items()):
        file = next((cache / "cache/archives").glob(f"{name}_{version.replace(':', '%3a')}_*.deb"), None)
        if file is None or digest(file) != sha:
            return None
        debs.append((name, version, sha, file))
    return debs


def plan(settings, names):
    out = run("apt-get", *settings, "install", "-q", "--simulate", *names)
    planned = set()
    for line in out.splitlines():
        # Inst NAME (VERSION SOURCE [ARCH])
        if line.startswith("Inst "):
            words = line.split()
            planned.add((words[1], words[2].lstrip("(")))
    if not planned:
        raise Refused("apt plans nothing: are its lists there?", 1)
    return planned


def stated(file):
    fields = run("dpkg-deb", "-f", file, "Package", "Version")
    values = dict(line.split(": ", 1) for line in fields.splitlines())
    return values["Package"], values["Version"]


def digest(file):
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def unpack(debs, folder):
    """All packages into one folder, with /bin, /lib and /sbin as links into /usr."""
    say("unpacking")
    folder.mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (folder / "usr" / name).mkdir(parents=True)
        (folder / name).symlink_to(f"usr/{name}")
    for _, _, _, file in debs:
        archive = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE)
        run("tar", "-x", "--no-same-owner", "--exclude=./usr/share/doc/*", "--exclude=./usr/share/man/*", "--exclude=./usr/share/locale/*", "--keep-directory-symlink", "-C", folder, stdin=archive.stdout)
        if archive.wait():
            raise Refused(f"{file} cannot be unpacked", 1)
    return folder
