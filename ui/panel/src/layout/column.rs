//! The column of buttons at the right: what leads on at the bottom, what is always there at the top, both always in the same
//! place. What has no room stands behind "other".

use alloc::string::String;
use alloc::vec::Vec;

use super::{Align, Area, Context, Line, Page, Style, lines_height, stack};
use crate::scene::{Act, Button, Part, Scene};
use crate::text;
use crate::words::{Say, Word};

/// The column's width; 0 without buttons.
pub(super) fn width(scene: &Scene, context: &Context<'_>) -> i32 {
    if scene.buttons.is_empty() {
        return 0;
    }
    let metrics = context.metrics;
    let wanted = context.kinds.body * 31 / 5 + 2 * context.pad;
    wanted.max(metrics.px(30_000)).min(metrics.width * 2 / 5)
}

/// A button's height and lines.
fn measure(say: &Say, context: &Context<'_>, width: i32) -> (i32, Vec<String>, String) {
    let label = say.text(context.language);
    let lines = text::balanced(&label, context.kinds.body, width - 2 * context.pad);
    let height = lines_height(lines.len(), context.kinds.body) + context.pad;
    (height.max(context.metrics.touch), lines, label.replace('\n', " "))
}

/// The buttons of a page: top group and bottom group, from the top down.
fn buttons(scene: &Scene, page: usize, count: usize) -> (Vec<Button>, Vec<Button>) {
    let part = |part| scene.buttons.iter().filter(move |button| button.part == part).cloned();
    let own = |word: Word, act, part| Button {
        say: word.into(),
        act,
        part,
    };
    let mut bottom: Vec<Button> = Vec::new();
    if page > 0 {
        bottom.push(own(Word::PreviousPage, Act::PreviousPage, Part::Back));
    } else {
        bottom.extend(part(Part::Back));
    }
    if page + 1 < count {
        bottom.push(own(Word::NextPage, Act::NextPage, Part::Forward));
    } else {
        bottom.extend(part(Part::Aside));
        bottom.extend(part(Part::Forward));
    }
    (part(Part::Always).collect(), bottom)
}

/// Height of a group with a gap under each button, and `apart` more under what stands aside of the way on: nobody should
/// meet "end without a vote" by a finger's breadth.
fn group_height(group: &[Button], context: &Context<'_>, width: i32, apart: i32) -> i32 {
    group
        .iter()
        .map(|button| measure(&button.say, context, width).0 + context.metrics.gap + below(button, apart))
        .sum()
}

fn below(button: &Button, apart: i32) -> i32 {
    if button.part == Part::Aside { apart } else { 0 }
}

/// Draws the column of a page.
pub(super) fn lay(scene: &Scene, context: &Context<'_>, out: &mut Page) {
    let width = width(scene, context);
    if width == 0 {
        return;
    }
    let metrics = context.metrics;
    let room = metrics.height - metrics.gap;
    // What moves behind "other" so that the rest fits, and how far apart the ways on stand: the same on all pages, so that no
    // button moves when a page is turned.
    let tries: [(&[Part], i32); 5] = [
        (&[], metrics.gap * 3),
        (&[], 0),
        (&[Part::Always], metrics.gap * 3),
        (&[Part::Always], 0),
        (&[Part::Always, Part::Aside], 0),
    ];
    let split = |page: usize, moved: &[Part]| {
        let (mut top, mut bottom) = buttons(scene, page, out.count);
        let mut rest: Vec<Button> = bottom.extract_if(.., |button| moved.contains(&button.part)).collect();
        if moved.contains(&Part::Always) {
            rest.append(&mut top);
            top.push(Button {
                say: Word::Other.into(),
                act: Act::Other,
                part: Part::Always,
            });
        }
        (top, bottom, rest)
    };
    let fits = |moved: &[Part], apart: i32| {
        (0..out.count).all(|page| {
            let (top, bottom, _) = split(page, moved);
            group_height(&top, context, width, 0) + group_height(&bottom, context, width, apart) <= room
        })
    };
    let found = tries.into_iter().find(|(moved, apart)| fits(moved, *apart));
    let (moved, apart) = found.unwrap_or((&[Part::Always, Part::Aside], 0));
    let (top, bottom, rest) = split(out.index, moved);
    out.overflow |= found.is_none();
    out.rest = rest;
    let x = metrics.width - metrics.gap - width;
    let mut y = metrics.gap;
    for button in &top {
        y += place(button, (x, y), context, width, out) + metrics.gap;
    }
    y = metrics.height - group_height(&bottom, context, width, apart);
    for button in &bottom {
        y += place(button, (x, y), context, width, out) + metrics.gap + below(button, apart);
    }
}

fn place(button: &Button, at: (i32, i32), context: &Context<'_>, width: i32, out: &mut Page) -> i32 {
    let (height, lines, says) = measure(&button.say, context, width);
    let style = if button.part == Part::Forward {
        Style::Primary
    } else {
        Style::Plain
    };
    caption(
        &lines,
        context.kinds.body,
        (at.0, at.1, width, height),
        style,
        context,
        &mut out.captions,
    );
    out.areas.push(Area {
        x: at.0,
        y: at.1,
        width,
        height,
        style,
        act: Some(button.act),
        mark: 0,
        chosen: false,
        says,
    });
    height
}

/// Lines in the middle of a box.
pub(super) fn caption(
    lines: &[String],
    em: i32,
    (x, y, width, height): (i32, i32, i32, i32),
    style: Style,
    context: &Context<'_>,
    out: &mut Vec<Line>,
) {
    let top = y + (height - lines_height(lines.len(), em)) / 2;
    out.extend(stack(
        lines,
        "",
        em,
        (x + context.pad, top),
        width - 2 * context.pad,
        Align::Centre,
        style == Style::Primary,
    ));
}
