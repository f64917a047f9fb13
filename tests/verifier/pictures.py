"""How the characters of an election's texts look (SPEC.md, section 7, kind 8). No count depends on it; anybody may draw them again and compare."""

import wire
from refused import decode, need
from wire import Reader

ACROSS, DOWN = 240, 134

Picture = wire._struct(
    cluster=Reader.str, font=Reader.u8, x=Reader.u8, y=Reader.u8, width=Reader.u8, height=Reader.u8, packed=Reader.bytes
)
Pictures = wire._struct(version=Reader.u8, fonts=wire._seq(Reader.digest), pictures=wire._seq(Picture))


def unpack(packed, width, height):
    """Shades 0 to 15, row by row; None if the runs are not the one form that these pixels have."""
    differences, before, at, size = [], None, 0, width * height
    while at < len(packed):
        difference, length, longest = packed[at] >> 4, (packed[at] & 15) + 1, 16
        at += 1
        if difference == 0:
            longest = 271
            if length == 16:
                if at == len(packed):
                    return None
                length += packed[at]
                at += 1
        if before is not None and before[0] == difference and before[1] < longest:
            return None
        before = (difference, length)
        differences += [difference] * length
        if len(differences) > size:
            return None
    if len(differences) != size:
        return None
    for place in range(width, size):
        differences[place] = (differences[place] + differences[place - width]) & 15
    return differences


def check_pictures(raw, file="pictures"):
    """{cluster: (x, y, width, height, shades)}."""
    need(len(raw) <= 8 << 20, file, "", "too long")
    section = decode(file, raw, Pictures)
    need(section.version == 1, file, "", "an unknown version")
    need(1 <= len(section.fonts) <= 8, file, "fonts", "none, or too many")
    need(len(section.pictures) <= 8192, file, "", "too many")
    out, before = {}, b""
    for number, p in enumerate(section.pictures):
        item, cluster = "picture %d" % number, p.cluster.encode("utf-8")
        need(before < cluster and len(cluster) <= 32, file, item, "not strictly ascending, or too long")
        before = cluster
        need(p.font < len(section.fonts), file, item, "of a font that is not listed")
        inside = p.width > 0 and p.height > 0 and p.x + p.width <= ACROSS and p.y + p.height <= DOWN
        need(inside, file, item, "empty, or out of its frame")
        shades = unpack(p.packed, p.width, p.height)
        need(shades is not None, file, item, "its pixels are too few, too many or not in their one form")
        out[p.cluster] = (p.x, p.y, p.width, p.height, shades)
    return out
