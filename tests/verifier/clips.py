"""What an election's screens say (SPEC.md, section 7, kind 9). No count depends on it; anybody may render it again and compare."""

from refused import need

HEAD, ENTRY = 8, 16


def check_clips(raw, file="package"):
    """{key: bytes of a clip}; one behind the other, by strictly ascending keys."""
    need(len(raw) <= 32 << 20 and len(raw) >= HEAD and raw[:4] == b"IPA1", file, "speech", "no section of clips, or too long")
    count = int.from_bytes(raw[4:HEAD], "big")
    data = HEAD + ENTRY * count
    need(count <= 1 << 15 and data <= len(raw), file, "speech", "cut off, or too many clips")
    clips, before, at = {}, b"", 0
    for row in range(HEAD, data, ENTRY):
        key = raw[row : row + 8]
        offset, length = (int.from_bytes(raw[row + i : row + i + 4], "big") for i in (8, 12))
        need(before < key, file, "speech", "the keys are not strictly ascending")
        need(offset == at and 1 <= length <= 540_000, file, "speech", "a clip is empty, too long, or not where it should be")
        clips[key] = raw[data + at : data + at + length]
        before, at = key, at + length
    need(data + at == len(raw), file, "speech", "the clips do not end where the section ends")
    return clips
