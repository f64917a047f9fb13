"""What every step of the verification shares: the refusal that names file, item and reason."""

import wire
from p256 import Malformed
from wire import whole


class Refused(Exception):
    """The first thing that does not hold: file, item in it, reason."""

    def __init__(self, file, item, reason):
        super().__init__("%s: %s%s" % (file, item + ": " if item else "", reason))
        self.file, self.item, self.reason = file, item, reason


def need(condition, file, item, reason):
    if not condition:
        raise Refused(file, item, reason)


def decode(file, data, read, item=""):
    try:
        return whole(data, read)
    except Malformed as error:
        raise Refused(file, item, str(error)) from None


def decode_items(file, data, read):
    try:
        return wire.items(data, read)
    except Malformed as error:
        raise Refused(file, "", str(error)) from None
