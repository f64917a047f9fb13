"""Step 2: the manifest holds its rules."""

import datetime

import wire
from refused import Refused, need, decode


def check_manifest(raw):
    file = "manifest.bin"
    need(len(raw) <= 1 << 20, file, "", "it is longer than 1 MiB")
    m = decode(file, raw, wire.Manifest)

    def texts(item, name, *others):
        for i, group in enumerate((name,) + others):
            seen = [t.language for t in group]
            need(len(set(seen)) == len(seen), file, item, "a language twice")
            need(all(language in m.languages for language in seen), file, item, "a text in a language that is not listed")
            need(all(len(t.text.encode()) <= 4096 for t in group), file, item, "a text longer than 4,096 bytes")
            if i == 0:
                first = [t.text for t in group if t.language == m.languages[0]]
                need(first and first[0], file, item, "no name in the first language")

    def ids(item, values):
        need(all(0 < len(v.encode()) <= 64 for v in values), file, item, "an id that is empty or longer than 64 bytes")
        need(len(set(values)) == len(values), file, item, "an id twice")

    need(m.version == 1, file, "version", "unknown")
    need(m.mode in (0, 1) and m.policy in (0, 1), file, "mode, policy", "unknown")
    for day in (m.first_day, m.last_day):
        try:
            datetime.date(day // 10000, day // 100 % 100, day % 100)
        except ValueError:
            raise Refused(file, "days", "%d is no day" % day) from None
    need(m.first_day <= m.last_day, file, "days", "the last one is before the first one")
    need(1 <= m.batch <= 256, file, "batch", "not in 1..256")
    need(1 <= len(m.epochs) <= 16 and (m.policy == 1 or len(m.epochs) == 1), file, "epochs", "a wrong number of them")
    need(1 <= len(m.languages) <= 8, file, "languages", "a wrong number of them")
    need(1 <= len(m.contests) <= 256, file, "contests", "a wrong number of them")
    need(1 <= len(m.styles) <= 1024 and 1 <= len(m.units) <= 4096, file, "styles, units", "a wrong number of them")
    ids("id", [m.id])
    ids("languages", m.languages)
    ids("units", [u.id for u in m.units])
    ids("contests", [c.id for c in m.contests])
    ids("styles", [s.id for s in m.styles])
    texts("name", m.name)
    for i, epoch in enumerate(m.epochs):
        texts("epoch %d" % i, epoch.name)
    for unit in m.units:
        texts("unit " + unit.id, unit.name)
    for c in m.contests:
        item = "contest " + c.id
        need(c.kind in (0, 1), file, item, "an unknown kind")
        need(1 <= c.votes <= min(15, len(c.options)) and len(c.options) <= 60, file, item, "votes or options out of bounds")
        texts(item, c.name, c.text)
        ids(item, [o.id for o in c.options])
        for o in c.options:
            texts("%s, option %s" % (item, o.id), o.name, o.party)
    units = {u.id: i for i, u in enumerate(m.units)}
    for s in m.styles:
        item = "style " + s.id
        need(all(u in units for u in s.units), file, item, "a unit that is not in the manifest")
        places = [units[u] for u in s.units]
        need(places == sorted(set(places)), file, item, "its units are not in the order of the manifest")
        listed = [c.contest for c in s.contests]
        need(1 <= len(listed) <= 64 and listed == sorted(set(listed)), file, item, "its contests are not ascending, or too many")
        need(listed[-1] < len(m.contests), file, item, "a contest that is not in the manifest")
        total = 0
        for c in s.contests:
            options = len(m.contests[c.contest].options)
            total += options + m.contests[c.contest].votes
            need(
                c.order == b"" or sorted(c.order) == list(range(options)), file, item, "an order that is not a permutation"
            )
        need(total <= 512, file, item, "more than 512 selections")
    return m
