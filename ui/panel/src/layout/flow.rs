//! A flow of blocks, packed into pages: the title and the counters stand on every page, options are equal in size and never
//! split, the number of option columns is the one that needs the fewest pages.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Align, Area, Context, Line, Page, Picture, Style, column, lines_height, stack};
use crate::metrics::line_height;
use crate::scene::{Act, Block, Scene};
use crate::text;
use crate::words::{Say, Word};

/// Something that stays whole on a page; places from its own top left.
#[derive(Default)]
struct Piece {
    height: i32,
    /// Space under it, unless it is the last of a page.
    after: i32,
    /// Never the last of a page.
    keep: bool,
    texts: Vec<Line>,
    areas: Vec<Area>,
    captions: Vec<Line>,
    pictures: Vec<Picture>,
}

/// What stands on every page.
struct Head {
    texts: Vec<Line>,
    height: i32,
    /// The title was too long for every page and is part of the flow.
    title_flows: bool,
}

pub(super) fn lay(scene: &Scene, context: &Context<'_>, wanted: usize) -> Page {
    let page = at(scene, context, wanted, false);
    if page.overflow {
        at(scene, context, wanted, true)
    } else {
        page
    }
}

/// `tight`: a small panel or something large; the title stands on the first page only and leaves its room to the rest.
fn at(scene: &Scene, context: &Context<'_>, wanted: usize, tight: bool) -> Page {
    let metrics = context.metrics;
    let column_width = column::width(scene, context);
    let left = metrics.gap * 2;
    let right = if column_width == 0 {
        left
    } else {
        column_width + 2 * metrics.gap
    };
    let width = metrics.width - left - right;
    let head = self::head(scene, context, (left, width), false, tight);
    // On further pages a long title takes less room; it only says where one is.
    let later = self::head(scene, context, (left, width), true, tight);
    let top = metrics.gap + head.height;
    let bottom = metrics.height - metrics.gap;
    let foot = line_height(context.kinds.small) + metrics.gap / 2;

    // The fewest pages, then the fewest columns.
    #[allow(clippy::type_complexity)] // Pages, columns, pieces, pieces of each page, room: used in the next lines only.
    let mut best: Option<(usize, i32, Vec<Piece>, Vec<Vec<usize>>, i32)> = None;
    let has_options = scene.body.iter().any(|block| matches!(block, Block::Option { .. }));
    for columns in 1..=(if has_options { 3 } else { 1 }) {
        if columns > 1 && (width - (columns - 1) * metrics.gap) / columns < context.kinds.body * 8 {
            break;
        }
        for with_foot in [scene.status.is_some(), true] {
            let room = bottom - top - if with_foot { foot } else { 0 };
            let rest = room + head.height - later.height;
            let pieces = pieces(scene, context, width, columns, room, 0, head.title_flows);
            let pages = pack(&pieces, room, rest);
            if pages.len() == 1 || with_foot {
                if best.as_ref().is_none_or(|(count, ..)| pages.len() < *count) {
                    best = Some((pages.len(), columns, pieces, pages, room));
                }
                break;
            }
        }
    }
    let Some((count, columns, mut pieces, mut pages, room)) = best else {
        return Page::default();
    };
    // Options of a single page share the room that is left: larger targets.
    let cells = pieces
        .iter()
        .filter(|piece| piece.areas.iter().any(|area| area.style == Style::Option))
        .count();
    if count == 1
        && let Ok(rows) = i32::try_from(cells)
        && rows > 0
    {
        let extra = ((room - used(&pieces)) / rows).clamp(0, metrics.px(6_000));
        let grown = self::pieces(scene, context, width, columns, room, extra, head.title_flows);
        let repacked = pack(&grown, room, room);
        if repacked.len() == 1 {
            (pieces, pages) = (grown, repacked);
        }
    }

    let index = wanted.min(count.saturating_sub(1));
    let (top, room) = if index == 0 {
        (top, room)
    } else {
        (metrics.gap + later.height, room + head.height - later.height)
    };
    let mut out = Page {
        texts: if index == 0 { head.texts } else { later.texts },
        index,
        count,
        ..Page::default()
    };
    let mut y = top;
    for number in pages.get(index).into_iter().flatten() {
        let Some(piece) = pieces.get_mut(*number) else { continue };
        out.overflow |= y + piece.height > top + room;
        shift(piece, (left, y), &mut out);
        y += piece.height + piece.after;
    }
    // A piece that is higher than a page on any page counts: the text size must not change when a page is turned.
    out.overflow |= pieces.iter().any(|piece| piece.height > room);
    footer(
        scene,
        context,
        (left, bottom - line_height(context.kinds.small), width),
        &mut out,
    );
    column::lay(scene, context, &mut out);
    out
}

fn used(pieces: &[Piece]) -> i32 {
    let all: i32 = pieces.iter().map(|piece| piece.height + piece.after).sum();
    all - pieces.last().map_or(0, |piece| piece.after)
}

fn head(scene: &Scene, context: &Context<'_>, (x, width): (i32, i32), later: bool, tight: bool) -> Head {
    let metrics = context.metrics;
    let mut texts = Vec::new();
    let mut y = metrics.gap;
    let above = scene.above.as_ref().map(|above| {
        let says = above.text(context.language);
        (text::balanced(&says, context.kinds.small, width), says)
    });
    let says = scene.title.text(context.language);
    let mut em = context.kinds.title;
    let mut lines = text::balanced(&says, em, width);
    // One line over the title is always worth its room; a name that takes more counts as the title does.
    let more = above.as_ref().map_or(0, |(lines, _)| lines.len().saturating_sub(1));
    let height = lines_height(lines.len(), em) + lines_height(more, context.kinds.small);
    let title_flows = tight || height > metrics.height * 2 / 5;
    // What flows stands in the flow, and not here a second time.
    if let Some((lines, says)) = above.filter(|_| !title_flows) {
        let em = context.kinds.small;
        texts.extend(stack(&lines, &says, em, (x, y), width, Align::Left, false));
        y += lines_height(lines.len(), em);
    }
    if later && lines.len() > 1 {
        em = context.kinds.small;
        lines = text::lines(&says, em, width);
    }
    let height = lines_height(lines.len(), em);
    if !title_flows && !says.is_empty() {
        texts.extend(stack(&lines, &says, em, (x, y), width, Align::Left, false));
        y += height + metrics.gap / 2;
    }
    Head {
        texts,
        height: y - metrics.gap,
        title_flows,
    }
}

fn footer(scene: &Scene, context: &Context<'_>, (x, y, width): (i32, i32, i32), out: &mut Page) {
    let em = context.kinds.small;
    let pages = (out.count > 1).then(|| {
        let numbers = [("n", number(out.index) + 1), ("m", number(out.count))];
        let words = Say::with(Word::Page, &numbers).text(context.language);
        let status = scene
            .status
            .as_ref()
            .map_or(0, |status| text::width(&status.text(context.language), em));
        if status + context.metrics.gap + text::width(&words, em) + 2 <= width {
            words
        } else {
            alloc::format!("{}/{}", out.index + 1, out.count)
        }
    });
    let page_width = pages.as_ref().map_or(0, |pages| text::width(pages, em) + 2);
    if let Some(status) = &scene.status {
        let says = status.text(context.language);
        let room = width - page_width - if page_width > 0 { context.metrics.gap } else { 0 };
        out.texts.extend(stack(
            core::slice::from_ref(&says),
            &says,
            em,
            (x, y),
            room,
            Align::Left,
            false,
        ));
    }
    if let Some(pages) = pages {
        out.texts.extend(stack(
            core::slice::from_ref(&pages),
            &pages,
            em,
            (x + width - page_width, y),
            page_width,
            Align::Right,
            false,
        ));
    }
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX - 1)
}

/// Numbers of the pieces of each page; at least one page.
fn pack(pieces: &[Piece], first: i32, later: i32) -> Vec<Vec<usize>> {
    let mut pages: Vec<Vec<usize>> = Vec::new();
    let mut page: Vec<usize> = Vec::new();
    let mut y = 0;
    for (number, piece) in pieces.iter().enumerate() {
        let room = if pages.is_empty() { first } else { later };
        if !page.is_empty() && y + piece.height > room {
            // What must not be the last of a page goes along; but a page is never left empty.
            let mut moved = Vec::new();
            while page.len() > 1
                && page
                    .last()
                    .and_then(|last| pieces.get(*last))
                    .is_some_and(|last| last.keep)
            {
                moved.extend(page.pop());
            }
            moved.reverse();
            let height = |numbers: &[usize]| -> i32 {
                let own = numbers.iter().filter_map(|number| pieces.get(*number));
                own.map(|piece| piece.height + piece.after).sum()
            };
            // What has no room together on any page is parted where the page ends.
            if height(&moved) + piece.height > later {
                page.append(&mut moved);
            }
            y = height(&moved);
            pages.push(core::mem::replace(&mut page, moved));
        }
        page.push(number);
        y += piece.height + piece.after;
    }
    pages.push(page);
    pages
}

fn shift(piece: &mut Piece, (dx, dy): (i32, i32), out: &mut Page) {
    for line in piece.texts.iter_mut().chain(&mut piece.captions) {
        line.x += dx;
        line.y += dy;
    }
    for area in &mut piece.areas {
        area.x += dx;
        area.y += dy;
    }
    for picture in &mut piece.pictures {
        picture.x += dx;
        picture.y += dy;
    }
    out.texts.append(&mut piece.texts);
    out.captions.append(&mut piece.captions);
    out.areas.append(&mut piece.areas);
    out.pictures.append(&mut piece.pictures);
}

fn pieces(
    scene: &Scene,
    context: &Context<'_>,
    width: i32,
    columns: i32,
    room: i32,
    extra: i32,
    title_flows: bool,
) -> Vec<Piece> {
    let kinds = context.kinds;
    let gap = context.metrics.gap;
    let mut out = Vec::new();
    if title_flows {
        // What the screen is comes before a name that is longer than two lines.
        let above = scene.above.as_ref().map(|above| {
            let lines = text::lines(&above.text(context.language), kinds.small, width);
            (above, lines.len() > 2)
        });
        if let Some((above, false)) = above {
            paragraph(above, context, kinds.small, width, true, &mut out);
        }
        paragraph(&scene.title, context, kinds.title, width, false, &mut out);
        if let Some((above, true)) = above {
            paragraph(above, context, kinds.small, width, false, &mut out);
        }
    }
    let mut body = scene.body.iter().peekable();
    while let Some(block) = body.next() {
        match block {
            Block::Text(say) => paragraph(say, context, kinds.body, width, false, &mut out),
            Block::Heading(say) => paragraph(say, context, kinds.body, width, true, &mut out),
            Block::Name(say) => {
                let start = out.len();
                paragraph(say, context, kinds.body, width, false, &mut out);
                // Names stand close: many of them are to be seen at once.
                if let Some(last) = out.get_mut(start..).and_then(<[Piece]>::last_mut) {
                    last.after = 0;
                }
            }
            Block::Small(say) => paragraph(say, context, kinds.small, width, false, &mut out),
            Block::Alarm(say) => {
                let says = say.text(context.language);
                let lines = text::lines(&says, kinds.body, width - 4 * context.pad);
                let lines = lines.into_iter().map(|line| (line, kinds.body)).collect();
                boxed(
                    lines,
                    context,
                    (width, room),
                    Style::Alarm,
                    None,
                    &says,
                    2 * context.pad,
                    &mut out,
                );
            }
            Block::Option { .. } => {
                let mut run = alloc::vec![block];
                while let Some(next @ Block::Option { .. }) = body.peek() {
                    run.push(next);
                    body.next();
                }
                options(&run, context, width, columns, extra, &mut out);
            }
            Block::Row {
                act,
                label,
                values,
                note,
            } => row(
                *act,
                label.as_ref(),
                values,
                note.as_ref(),
                context,
                (width, room),
                &mut out,
            ),
            Block::Pair(label, value) => pair(label, value, context, width, &mut out),
            Block::Qr(code, lines) => qr(code, lines, context, (width, room), &mut out),
            Block::Groups(lines) => {
                for say in lines {
                    paragraph(say, context, kinds.body, width, true, &mut out);
                }
                if let Some(last) = out.last_mut() {
                    last.keep = false;
                    last.after = gap;
                }
            }
            Block::Words(words) => self::words(words, context, width, &mut out),
        }
    }
    out
}

/// A paragraph, a piece a line.
fn paragraph(say: &Say, context: &Context<'_>, em: i32, width: i32, keep: bool, out: &mut Vec<Piece>) {
    let says = say.text(context.language);
    let lines = text::lines(&says, em, width);
    let count = lines.len();
    for (index, line) in stack(&lines, &says, em, (0, 0), width, Align::Left, false)
        .into_iter()
        .enumerate()
    {
        let last = index + 1 == count;
        out.push(Piece {
            height: line.height,
            after: if last && !keep { context.metrics.gap * 4 / 5 } else { 0 },
            // The first line does not stay alone at the foot of a page.
            keep: keep || (index == 0 && count > 1),
            texts: alloc::vec![Line { y: 0, ..line }],
            ..Piece::default()
        });
    }
}

/// Lines in a box; a box that is higher than a page becomes several with the same act.
#[allow(clippy::too_many_arguments)] // A box has this many properties.
fn boxed(
    lines: Vec<(String, i32)>,
    context: &Context<'_>,
    (width, room): (i32, i32),
    style: Style,
    act: Option<Act>,
    says: &str,
    inset: i32,
    out: &mut Vec<Piece>,
) {
    let pad = context.pad;
    let mut rest = lines.into_iter().peekable();
    let mut first = true;
    while rest.peek().is_some() {
        let mut piece = Piece {
            after: context.metrics.gap,
            ..Piece::default()
        };
        let mut y = pad;
        while let Some((line, em)) = rest.next_if(|(_, em)| y == pad || y + line_height(*em) + pad <= room) {
            let drawn = stack(&[line], "", em, (inset, y), width - 2 * inset, Align::Left, false);
            // A frame is no control: its text speaks for itself.
            if style == Style::Alarm {
                &mut piece.texts
            } else {
                &mut piece.captions
            }
            .extend(drawn);
            y += line_height(em);
        }
        if style == Style::Alarm
            && first
            && let Some(line) = piece.texts.first_mut()
        {
            line.says = says.into();
        }
        first = false;
        let drawn = y + pad;
        piece.height = if act.is_some() {
            drawn.max(context.metrics.touch)
        } else {
            drawn
        };
        let centre = (piece.height - drawn) / 2;
        for line in &mut piece.captions {
            line.y += centre;
        }
        piece.areas.push(Area {
            x: 0,
            y: 0,
            width,
            height: piece.height,
            style,
            act,
            mark: 0,
            chosen: false,
            says: if style == Style::Alarm {
                String::new()
            } else {
                says.into()
            },
        });
        out.push(piece);
    }
}

fn row(
    act: Act,
    label: Option<&Say>,
    values: &[Say],
    note: Option<&Say>,
    context: &Context<'_>,
    room: (i32, i32),
    out: &mut Vec<Piece>,
) {
    let inset = 2 * context.pad;
    let width = room.0 - 2 * inset;
    let mut lines = Vec::new();
    let mut says = String::new();
    let mut add = |say: &Say, em: i32, lines: &mut Vec<(String, i32)>| {
        let text = say.text(context.language);
        lines.extend(text::lines(&text, em, width).into_iter().map(|line| (line, em)));
        if !says.is_empty() {
            says.push_str(". ");
        }
        says.push_str(&text);
    };
    if let Some(label) = label {
        add(label, context.kinds.small, &mut lines);
    }
    for value in values {
        add(value, context.kinds.body, &mut lines);
    }
    if let Some(note) = note {
        add(note, context.kinds.small, &mut lines);
    }
    boxed(lines, context, room, Style::Row, Some(act), &says, inset, out);
}

/// What stands in an option's box.
struct Cell {
    act: Act,
    chosen: bool,
    reading: Vec<String>,
    name: Vec<String>,
    sub: Vec<String>,
    says: String,
}

fn options(run: &[&Block], context: &Context<'_>, width: i32, columns: i32, extra: i32, out: &mut Vec<Piece>) {
    let (kinds, gap, pad) = (context.kinds, context.metrics.gap, context.pad);
    let mark = context.metrics.px(8_500).max(line_height(kinds.body) * 3 / 4);
    let cell_width = (width - (columns - 1) * gap) / columns;
    let text_x = context.metrics.stroke * 5 + mark + gap;
    let text_width = cell_width - text_x - 2 * pad;
    let cells: Vec<Cell> = run
        .iter()
        .filter_map(|block| {
            let Block::Option { act, name, sub, chosen } = block else {
                return None;
            };
            let says = name.text(context.language);
            let reading = name.reading(context.language);
            let sub = sub.as_ref().map(|sub| sub.text(context.language));
            Some(Cell {
                act: *act,
                chosen: *chosen,
                reading: reading.map_or_else(Vec::new, |reading| text::balanced(&reading, kinds.small, text_width)),
                name: text::balanced(&says, kinds.body, text_width),
                sub: sub
                    .as_ref()
                    .map_or_else(Vec::new, |sub| text::balanced(sub, kinds.small, text_width)),
                says: sub.map_or_else(|| says.clone(), |sub| alloc::format!("{says}, {sub}")),
            })
        })
        .collect();
    // The party stands beside the name if that holds for every option of the contest, else under it.
    let party = |cell: &Cell| {
        cell.sub
            .first()
            .map_or(0, |sub| text::width(sub, kinds.small) + gap * 2)
    };
    let beside = cells.iter().all(|cell| {
        let name = cell.name.first().map_or(0, |name| text::width(name, kinds.body));
        cell.name.len() == 1 && cell.sub.len() <= 1 && name + party(cell) <= text_width
    });
    let inner = |cell: &Cell| {
        let sub = if beside {
            0
        } else {
            lines_height(cell.sub.len(), kinds.small)
        };
        reading_height(cell.reading.len(), kinds.small) + lines_height(cell.name.len(), kinds.body) + sub
    };
    // A16: all options of a contest are equal in size, on all its pages.
    let height = cells
        .iter()
        .map(|cell| inner(cell) + pad * 3 / 2)
        .max()
        .unwrap_or(0)
        .max(context.metrics.touch)
        + extra;
    let rows = cells.chunks(usize::try_from(columns).unwrap_or(1));
    let count = rows.len();
    for (index, row) in rows.enumerate() {
        let mut piece = Piece {
            height,
            after: if index + 1 == count { gap * 3 / 2 } else { gap },
            ..Piece::default()
        };
        for (place, cell) in (0_i32..).zip(row) {
            let x = place * (cell_width + gap);
            piece.areas.push(Area {
                x,
                y: 0,
                width: cell_width,
                height,
                style: Style::Option,
                act: Some(cell.act),
                mark,
                chosen: cell.chosen,
                says: cell.says.clone(),
            });
            let mut y = (height - inner(cell)) / 2;
            let mut put = |lines: &[String], em, at: (i32, i32), room, align| {
                piece.captions.extend(stack(lines, "", em, at, room, align, false));
            };
            // A reading stands close over its name.
            let close = line_height(kinds.small) - reading_height(1, kinds.small);
            for line in &cell.reading {
                put(
                    core::slice::from_ref(line),
                    kinds.small,
                    (x + text_x, y - close / 2),
                    text_width,
                    Align::Left,
                );
                y += reading_height(1, kinds.small);
            }
            let name_width = if beside { text_width - party(cell) } else { text_width };
            put(&cell.name, kinds.body, (x + text_x, y), name_width, Align::Left);
            if beside {
                let down = (line_height(kinds.body) - line_height(kinds.small)) / 2;
                let at = (x + text_x + name_width, y + down);
                put(&cell.sub, kinds.small, at, text_width - name_width, Align::Right);
            } else {
                y += lines_height(cell.name.len(), kinds.body);
                put(&cell.sub, kinds.small, (x + text_x, y), text_width, Align::Left);
            }
        }
        out.push(piece);
    }
}

/// Height of so many lines of a reading.
fn reading_height(count: usize, em: i32) -> i32 {
    i32::try_from(count).unwrap_or(0) * (em + em / 8)
}

fn pair(label: &Say, value: &Say, context: &Context<'_>, width: i32, out: &mut Vec<Piece>) {
    let (label, value) = (label.text(context.language), value.text(context.language));
    let em = context.kinds.small;
    let says = alloc::format!("{label}: {value}");
    let value_width = text::width(&value, em) + 2;
    if text::width(&label, em) + context.metrics.gap + value_width <= width {
        let mut texts = stack(&[label], &says, em, (0, 0), width - value_width, Align::Left, false);
        texts.extend(stack(
            &[value],
            "",
            em,
            (width - value_width, 0),
            value_width,
            Align::Right,
            false,
        ));
        out.push(Piece {
            height: line_height(em),
            after: context.metrics.gap / 3,
            texts,
            ..Piece::default()
        });
        return;
    }
    let indent = em;
    let labels = text::lines(&label, em, width);
    let values = text::lines(&value, em, width - indent);
    let mut texts = stack(&labels, &says, em, (0, 0), width, Align::Left, false);
    let height = lines_height(labels.len(), em);
    texts.extend(stack(
        &values,
        "",
        em,
        (indent, height),
        width - indent,
        Align::Left,
        false,
    ));
    out.push(Piece {
        height: height + lines_height(values.len(), em),
        after: context.metrics.gap / 2,
        texts,
        ..Piece::default()
    });
}

fn qr(code: &crate::qr::Code, lines: &[Say], context: &Context<'_>, (width, room): (i32, i32), out: &mut Vec<Piece>) {
    let metrics = context.metrics;
    let modules = code.size() + 2 * crate::qr::QUIET;
    // 0.8 mm a module where there is room: what a telephone at arm's length reads; at most two thirds of the height.
    let side = (metrics.px(800) * modules)
        .max(metrics.px(34_000))
        .min(room * 2 / 3)
        .min(width);
    let module = (side / modules).max(1);
    let side = module * modules;
    let says = Say::from(Word::Qr).text(context.language);
    let mut piece = Piece {
        height: side,
        after: metrics.gap,
        pictures: alloc::vec![Picture {
            x: 0,
            y: 0,
            side,
            code: code.clone(),
            says,
        }],
        ..Piece::default()
    };
    let em = context.kinds.body;
    let beside = width - side - metrics.gap * 2;
    let broken: Vec<(Vec<String>, String)> = lines
        .iter()
        .map(|say| say.text(context.language))
        .map(|says| (text::lines(&says, em, beside), says))
        .collect();
    let height: i32 = broken.iter().map(|(lines, _)| lines_height(lines.len(), em)).sum();
    // Lines of a code stay whole: beside the picture only if none is broken; a sentence only if it is not much higher.
    let sentence = lines.len() == 1;
    let whole = broken.iter().all(|(lines, _)| lines.len() == 1);
    if height <= room && (whole || (sentence && beside >= em * 6 && height <= side)) {
        let mut y = ((side - height) / 2).max(0);
        for (lines, says) in &broken {
            let at = (side + metrics.gap * 2, y);
            piece
                .texts
                .extend(stack(lines, says, em, at, beside, Align::Left, false));
            y += lines_height(lines.len(), em);
        }
        piece.height = side.max(y);
        out.push(piece);
        return;
    }
    out.push(piece);
    for say in lines {
        paragraph(say, context, em, width, !sentence, out);
    }
    if let Some(last) = out.last_mut() {
        (last.keep, last.after) = (false, metrics.gap);
    }
}

fn words(words: &[Say], context: &Context<'_>, width: i32, out: &mut Vec<Piece>) {
    let em = context.kinds.body;
    let texts: Vec<String> = words.iter().map(|word| word.text(context.language)).collect();
    let cell = texts.iter().map(|text| text::width(text, em)).max().unwrap_or(1) + em;
    let columns = (width / cell).clamp(1, 4);
    for row in texts.chunks(usize::try_from(columns).unwrap_or(1)) {
        let mut piece = Piece {
            height: line_height(em),
            after: 0,
            ..Piece::default()
        };
        for (place, text) in (0_i32..).zip(row) {
            piece.texts.extend(stack(
                core::slice::from_ref(text),
                text,
                em,
                (place * (width / columns), 0),
                width / columns,
                Align::Left,
                false,
            ));
        }
        out.push(piece);
    }
    if let Some(last) = out.last_mut() {
        last.after = context.metrics.gap;
    }
}
