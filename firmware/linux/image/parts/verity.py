"""The root as one read-only file and its hash tree (dm-verity). The hash of the tree's top, the root hash, is the software hash."""

import hashlib
import re
import uuid

from .tell import run, say

LABEL = b"ippyo image root 1"


def squash(folder, out):
    say("packing the root")
    out.unlink(missing_ok=True)
    # SOURCE_DATE_EPOCH gives both the file system's time and that of its files; sorted, one owner, nothing of this machine.
    run("mksquashfs", folder, out, "-noappend", "-comp", "zstd", "-Xcompression-level", "12", "-all-root", "-no-xattrs", "-no-exports", "-quiet", "-no-progress")
    return out


def tree(image, out):
    """Writes the tree; the root hash in hex. Its salt is a constant: it has to be the same for everybody who builds."""
    out.unlink(missing_ok=True)
    salt = hashlib.sha256(LABEL).hexdigest()
    said = run("veritysetup", "format", image, out, f"--salt={salt}", f"--uuid={uuid.uuid5(uuid.NAMESPACE_OID, LABEL.decode())}", "--hash=sha256")
    digest = re.search(r"Root hash:\s*([0-9a-f]{64})", said).group(1)
    run("veritysetup", "verify", image, out, digest)
    say(f"software hash {digest}")
    return digest
