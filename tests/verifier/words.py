"""Closing words (SPEC.md, 8): the first 16 bytes of a closing hash as twelve words of BIP 39, for comparing with a witness's sheet."""

import hashlib
import os
import re

from p256 import Malformed

# The English list of BIP 39: 2,048 words, one a line; its SHA-256 is known everywhere.
LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "english.txt")
LIST_HASH = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"

_words = None


def word_list():
    global _words
    if _words is None:
        with open(LIST, "rb") as f:
            raw = f.read()
        if hashlib.sha256(raw).hexdigest() != LIST_HASH:
            raise Malformed("%s is not the list of BIP 39" % LIST)
        _words = raw.decode("ascii").split()
    return _words


def closing_words(closing_hash):
    entropy = closing_hash[:16]
    bits = int.from_bytes(entropy, "big") << 4 | hashlib.sha256(entropy).digest()[0] >> 4
    return " ".join(word_list()[bits >> 11 * i & 2047] for i in range(11, -1, -1))


def read_words(typed):
    """The 16 bytes that words stand for, in any case and with any separators; else Malformed."""
    words = [word for word in re.split(r"[\s,;\-、・]+", typed.lower()) if word]
    if len(words) != 12:
        raise Malformed("there are %d words, not 12" % len(words))
    bits = 0
    for i, word in enumerate(words):
        if word not in word_list():
            raise Malformed("word %d is not on the list" % (i + 1))
        bits = bits << 11 | word_list().index(word)
    entropy = (bits >> 4).to_bytes(16, "big")
    if hashlib.sha256(entropy).digest()[0] >> 4 != bits & 15:
        raise Malformed("the words do not belong together")
    return entropy
