"""Tracking codes as people write them."""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32


def code_text(code):
    """The first 20 bytes as eight groups of four."""
    value = int.from_bytes(code[:20], "big")
    text = "".join(ALPHABET[value >> shift & 31] for shift in range(155, -1, -5))
    return "-".join(text[i : i + 4] for i in range(0, 32, 4))


def parse_code(text):
    """The first 20 bytes of a code that a person typed: groups or not, small letters, O for 0, I and L for 1; or 64 hex."""
    bare = "".join(c for c in text.upper() if not c.isspace() and c != "-")
    if len(bare) == 64 and all(c in "0123456789ABCDEF" for c in bare):
        return bytes.fromhex(bare)[:20]
    bare = bare.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(bare) != 32 or any(c not in ALPHABET for c in bare):
        raise ValueError("a code is eight groups of four letters and digits")
    value = 0
    for c in bare:
        value = value << 5 | ALPHABET.index(c)
    return value.to_bytes(20, "big")


def look_up(prefix, cast, spoiled):
    states = {p.code[:20]: p.state for p in cast}
    states.update({p.code[:20]: "spoiled" for p in spoiled})
    return states.get(prefix, "unknown")
