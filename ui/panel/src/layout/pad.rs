//! The PIN pad: a telephone's keys over the whole height at the right, what to know at the left. Which digits are typed is
//! never shown, only how many.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use kiosk::screen::Touch;

use super::{Align, Area, Context, Page, Style, column, lines_height, stack};
use crate::metrics::line_height;
use crate::scene::{Act, Block, Button, Part, Scene};
use crate::text;
use crate::words::{Say, Word};

pub(super) fn lay(scene: &Scene, context: &Context<'_>, typed: u8, practice: bool) -> Page {
    let mut page = at(scene, context, typed, false);
    if page.overflow {
        page = at(scene, context, typed, true);
    }
    if practice {
        // The keys are this room's, so they are turned into the practice's here.
        for act in page.areas.iter_mut().filter_map(|area| area.act.as_mut()) {
            if let Act::Send(touch) = *act {
                *act = Act::Practice(touch);
            }
        }
    }
    page
}

/// `tight`: a small panel; everything beside the pad in the smaller type.
fn at(scene: &Scene, context: &Context<'_>, typed: u8, tight: bool) -> Page {
    let metrics = context.metrics;
    let gap = metrics.gap;
    let mut out = Page {
        count: 1,
        ..Page::default()
    };
    let word = |word: Word| Say::from(word).text(context.language);
    let (clear_says, enter_says) = (word(Word::PinClear), word(Word::PinEnter));
    // Signs where words would make the keys so wide that nothing fits beside them.
    let (clear, enter) = if tight {
        ("×".to_string(), "OK".to_string())
    } else {
        (clear_says.clone(), enter_says.clone())
    };

    // Keys as high as the panel allows, but not out of one hand's reach.
    let key_height = ((metrics.height - 5 * gap) / 4).min(metrics.px(26_000));
    let inset = if tight { context.pad / 3 } else { context.pad };
    let label = [context.kinds.body, context.kinds.small]
        .into_iter()
        .find(|em| text::width(&clear, *em).max(text::width(&enter, *em)) + 2 * inset <= key_height * 5 / 4)
        .unwrap_or(context.kinds.small);
    let key_width = (text::width(&clear, label).max(text::width(&enter, label)) + 2 * inset + 2)
        .max(key_height)
        .max(metrics.touch);
    let pad_x = metrics.width - 3 * (key_width + gap);
    let pad_y = (metrics.height - 4 * key_height - 3 * gap) / 2;
    out.overflow |= key_height < metrics.touch;

    let left = gap * 2;
    let width = pad_x - gap - left;
    words(scene, context, typed, tight, (left, gap, width), &mut out);

    let digit_em = (context.kinds.body * 3 / 2)
        .min(key_height * 3 / 5)
        .max(context.kinds.body);
    let keys = (1..=9).map(Key::Digit).chain([Key::Clear, Key::Digit(0), Key::Enter]);
    for (place, key) in (0_i32..).zip(keys) {
        let (x, y) = (
            pad_x + place % 3 * (key_width + gap),
            pad_y + place / 3 * (key_height + gap),
        );
        let (touch, caption, em, says) = match key {
            Key::Digit(digit) => (
                Touch::Digit(digit),
                format!("{digit}"),
                digit_em,
                Say::with(Word::PinDigit, &[("n", i64::from(digit))]).text(context.language),
            ),
            Key::Clear => (Touch::Clear, clear.clone(), label, clear_says.clone()),
            Key::Enter => (Touch::Enter, enter.clone(), label, enter_says.clone()),
        };
        let style = if touch == Touch::Enter {
            Style::Primary
        } else {
            Style::Key
        };
        column::caption(
            &[caption],
            em,
            (x, y, key_width, key_height),
            style,
            context,
            &mut out.captions,
        );
        out.areas.push(Area {
            x,
            y,
            width: key_width,
            height: key_height,
            style,
            act: Some(Act::Send(touch)),
            mark: 0,
            chosen: false,
            says,
        });
    }
    out
}

enum Key {
    Digit(u8),
    Clear,
    Enter,
}

/// What stands left of the pad: title, dots, tries left; at the foot the buttons that are always there, side by side.
fn words(
    scene: &Scene,
    context: &Context<'_>,
    typed: u8,
    tight: bool,
    (x, top, width): (i32, i32, i32),
    out: &mut Page,
) {
    let gap = context.metrics.gap / if tight { 2 } else { 1 };
    let body = if tight { context.kinds.small } else { context.kinds.body };
    let foot = buttons(scene, context, tight, (x, width), out);
    let mut y = top;
    // The keys need the panel's whole height, so the banner stands beside them.
    if let Some(banner) = &scene.banner {
        let says = banner.text(context.language);
        let lines = text::balanced(&says, body, width);
        let height = lines_height(lines.len(), body) + context.pad;
        super::put_banner(out, (&lines, &says), body, (0, x, width, height), context);
        y = height + gap / 2;
    }
    let mut paragraphs: Vec<(String, i32)> = Vec::new();
    if let Some(above) = &scene.above {
        paragraphs.push((above.text(context.language), context.kinds.small));
    }
    if !tight || paragraphs.is_empty() {
        paragraphs.push((scene.title.text(context.language), body));
    }
    for (says, em) in &paragraphs {
        let lines = text::balanced(says, *em, width);
        out.texts
            .extend(stack(&lines, says, *em, (x, y), width, Align::Left, false));
        y += lines_height(lines.len(), *em);
    }
    let edge = 2 * context.metrics.stroke;
    let down = (gap / 2).max(edge + context.metrics.stroke);
    // The dots: one a digit.
    let dots: Vec<String> = alloc::vec![if typed == 0 {
        " ".to_string()
    } else {
        "●".repeat(usize::from(typed))
    }];
    let says = Say::with(Word::PinTyped, &[("n", i64::from(typed))]).text(context.language);
    let em = body.min(width / 9);
    out.texts.extend(stack(
        &dots,
        &says,
        em,
        (x + gap, y + down),
        width - 2 * gap,
        Align::Centre,
        false,
    ));
    y += line_height(em) + down;
    let field = (x, y - line_height(em) - edge, width, line_height(em) + 2 * edge);
    out.areas.insert(0, frame(field, Style::Field));
    y += edge;
    y += gap;
    for block in &scene.body {
        let (say, em, framed) = match block {
            Block::Alarm(say) => (say, body, true),
            Block::Small(say) => (say, context.kinds.small, false),
            _ => continue,
        };
        let says = say.text(context.language);
        let inset = if framed { 2 * context.pad } else { 0 };
        let lines = text::lines(&says, em, width - 2 * inset);
        let height = lines_height(lines.len(), em) + inset;
        // Help that has no room is the only thing that may be left out: tries left and what was wrong are not.
        let help = matches!(say, Say::Word(Word::PinLength | Word::PinLengths | Word::PinHelp, _));
        if help && y + height > foot {
            continue;
        }
        out.overflow |= y + height > foot;
        out.texts.extend(stack(
            &lines,
            &says,
            em,
            (x + inset, y + inset / 2),
            width - 2 * inset,
            Align::Left,
            false,
        ));
        if framed {
            out.areas.insert(0, frame((x, y, width, height), Style::Alarm));
        }
        y += height + gap / 2;
    }
    out.overflow |= y - gap / 2 > foot;
}

fn frame((x, y, width, height): (i32, i32, i32, i32), style: Style) -> Area {
    Area {
        x,
        y,
        width,
        height,
        style,
        act: None,
        mark: 0,
        chosen: false,
        says: String::new(),
    }
}

/// Gives the top of what is drawn.
fn buttons(scene: &Scene, context: &Context<'_>, tight: bool, (x, width): (i32, i32), out: &mut Page) -> i32 {
    let metrics = context.metrics;
    let other = Button {
        say: Word::Other.into(),
        act: Act::Other,
        part: Part::Always,
    };
    // Side by side if their words fit in two lines, else in smaller words, else all behind "other".
    let small = context.kinds.small;
    let all: &[Button] = &scene.buttons;
    let alone: &[Button] = core::slice::from_ref(&other);
    for (row, em) in [(all, context.kinds.body), (all, small), (alone, small)] {
        let Ok(count) = i32::try_from(row.len()) else { continue };
        if count == 0 {
            break;
        }
        let each = (width - (count - 1) * metrics.gap) / count;
        let room = each - 2 * context.pad;
        let labels: Vec<(Vec<String>, String)> = row
            .iter()
            .map(|button| {
                let label = button.say.text(context.language);
                (text::balanced(&label, em, room), label.replace('\n', " "))
            })
            .collect();
        let rows = labels.iter().map(|(lines, _)| lines.len()).max().unwrap_or(1);
        let words_whole = row
            .iter()
            .zip(&labels)
            .all(|(button, (lines, _))| lines.len() <= natural(&button.say.text(context.language)));
        if row.len() > 1 && (tight || rows > 2 || !words_whole) {
            continue;
        }
        let height = (lines_height(rows, em) + context.pad).max(metrics.touch);
        let y = metrics.height - metrics.gap - height;
        for ((index, button), (lines, says)) in (0_i32..).zip(row).zip(labels) {
            let at = x + index * (each + metrics.gap);
            let style = Style::Plain;
            column::caption(&lines, em, (at, y, each, height), style, context, &mut out.captions);
            out.areas.push(Area {
                act: Some(button.act),
                says,
                ..frame((at, y, each, height), style)
            });
        }
        if row.len() != scene.buttons.len() {
            out.rest = scene.buttons.clone();
        }
        return y - metrics.gap / 2;
    }
    metrics.height - metrics.gap
}

/// Lines that a label may take without a word being broken: one a given line, and one more for each space or pause.
fn natural(label: &str) -> usize {
    1 + label.matches(['\n', ' ', '\u{200b}', 'を', '・']).count()
}
