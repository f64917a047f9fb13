"""Steps 9 and 10: results.json says the totals; reception counted as many people as there are tags."""

import json

from refused import Refused, need
from wire import signed_by, u16, u32


def parse_json(file, data):
    def once(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a name twice in one object")
        return dict(pairs)

    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Refused(file, "", "not JSON: %s" % error) from None


def check_results(data, manifest, totals):
    file = "results.json"
    report = parse_json(file, data)

    def named(item, objects, expected):
        need(isinstance(objects, list) and all(isinstance(o, dict) for o in objects), file, item, "not a list of objects")
        found = {str(o.get("@id")): o for o in objects}
        need(len(found) == len(objects) and set(found) == set(expected), file, item, "not exactly those of the manifest")
        return found

    def number(item, value, expected):
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        need(plain and value == expected, file, item, "it says %r, the tally %d" % (value, expected))

    elections = report.get("Election") if isinstance(report, dict) else None
    need(isinstance(elections, list) and len(elections) == 1, file, "Election", "there has to be exactly one")
    need(isinstance(elections[0], dict), file, "Election", "not an object")
    contests = named("Contest", elections[0].get("Contest"), [c.id for c in manifest.contests])
    for i, c in enumerate(manifest.contests):
        item = "contest " + c.id
        selections = named(item, contests[c.id].get("ContestSelection"), [o.id for o in c.options])
        for j, option in enumerate(c.options):
            counts = selections[option.id].get("VoteCounts")
            need(isinstance(counts, list), file, item, "an option without counts")
            where = "%s, option %s" % (item, option.id)
            need(len(counts) == 1 and isinstance(counts[0], dict), file, where, "not exactly one count: none of smaller groups")
            need(counts[0].get("Type") == "total", file, where, "its count is not the total")
            number(where, counts[0].get("Count"), totals[i][j])
        others = contests[c.id].get("OtherCounts")
        need(isinstance(others, list) and len(others) == 1 and isinstance(others[0], dict), file, item, "not one OtherCounts")
        number(item + ", no-votes", others[0].get("Undervotes"), sum(totals[i][len(c.options) :]))


def check_reception(file, data, eh, genesis, cast):
    """Signed counts of admissions: no station and epoch has more different tags."""
    given = parse_json(file, data)
    counts = given.get("counts") if isinstance(given, dict) else None
    need(isinstance(counts, list), file, "counts", "there are none")
    roster = {card.key for card in genesis.staff}
    admissions = {}
    for i, c in enumerate(counts):
        item = "count %d" % i
        need(isinstance(c, dict), file, item, "not an object")
        for name, limit in (("station", 1 << 16), ("epoch", 1 << 8), ("admissions", 1 << 32)):
            value = c.get(name)
            need(type(value) is int and 0 <= value < limit, file, item, "%s is not a whole number in its bounds" % name)
        try:
            key, signature = bytes.fromhex(c["key"]), bytes.fromhex(c["signature"])
        except (KeyError, TypeError, ValueError):
            raise Refused(file, item, "key and signature have to be hexadecimal") from None
        need(key in roster, file, item, "its key is not a staff card of the roster")
        message = eh + u16(c["station"]) + bytes([c["epoch"]]) + u32(c["admissions"])
        need(signed_by(key, "ippyo/1/sign/reception", message, signature), file, item, "its signature does not hold")
        place = (c["station"], c["epoch"])
        need(place not in admissions, file, item, "station and epoch for the second time")
        admissions[place] = c["admissions"]
    tags = {}
    for p in cast:
        tags.setdefault((p.station, p.epoch), set()).add(p.tag)
    for place, found in sorted(tags.items()):
        need(
            len(found) <= admissions.get(place, 0), file, "station %d, epoch %d" % place,
            "%d different tags, but reception admitted %d" % (len(found), admissions.get(place, 0)),
        )
