//! The PIN pad: a telephone's keys over the whole height at the right, what to know at the left. Which digits are typed is
//! never shown, only how many.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use kiosk::screen::Touch;

use super::{Align, Area, Context, Page, Style, column, lines_height, stack};
use crate::metrics::line_height;
use crate::scene::{Act, Block, Scene};
use crate::text;
use crate::words::{Say, Word};

pub(super) fn lay(scene: &Scene, context: &Context<'_>, typed: u8) -> Page {
    let metrics = context.metrics;
    let gap = metrics.gap;
    let mut out = Page {
        count: 1,
        ..Page::default()
    };
    let word = |word: Word| Say::from(word).text(context.language);
    let (clear, enter) = (word(Word::PinClear), word(Word::PinEnter));

    // Keys as high as the panel allows, but not out of one hand's reach.
    let key_height = ((metrics.height - 5 * gap) / 4).min(metrics.px(26_000));
    let label = [context.kinds.body, context.kinds.small]
        .into_iter()
        .find(|em| text::width(&clear, *em).max(text::width(&enter, *em)) + 2 * context.pad <= key_height * 5 / 4)
        .unwrap_or(context.kinds.small);
    let key_width = (text::width(&clear, label).max(text::width(&enter, label)) + 2 * context.pad + 2)
        .max(key_height)
        .max(metrics.touch);
    let pad_x = metrics.width - 3 * (key_width + gap);
    let pad_y = (metrics.height - 4 * key_height - 3 * gap) / 2;
    out.overflow |= key_height < metrics.touch;

    let left = gap * 2;
    let width = pad_x - gap - left;
    words(scene, context, typed, (left, gap, width), &mut out);

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
            Key::Clear => (Touch::Clear, clear.clone(), label, clear.clone()),
            Key::Enter => (Touch::Enter, enter.clone(), label, enter.clone()),
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
fn words(scene: &Scene, context: &Context<'_>, typed: u8, (x, top, width): (i32, i32, i32), out: &mut Page) {
    let metrics = context.metrics;
    let gap = metrics.gap;
    let foot = buttons(scene, context, (x, width), out);
    let mut y = top;
    let mut paragraphs: Vec<(String, i32)> = Vec::new();
    if let Some(above) = &scene.above {
        paragraphs.push((above.text(context.language), context.kinds.small));
    }
    paragraphs.push((scene.title.text(context.language), context.kinds.body));
    for (says, em) in &paragraphs {
        let lines = text::balanced(says, *em, width);
        out.texts
            .extend(stack(&lines, says, *em, (x, y), width, Align::Left, false));
        y += lines_height(lines.len(), *em);
    }
    // The dots: one a digit.
    let dots: Vec<String> = alloc::vec![if typed == 0 {
        " ".to_string()
    } else {
        "●".repeat(usize::from(typed))
    }];
    let says = Say::with(Word::PinTyped, &[("n", i64::from(typed))]).text(context.language);
    let em = (context.kinds.body).min(width / 9);
    out.texts.extend(stack(
        &dots,
        &says,
        em,
        (x + gap, y + gap / 2),
        width - 2 * gap,
        Align::Centre,
        false,
    ));
    y += line_height(em) + gap / 2;
    out.areas
        .insert(0, frame((x, y - line_height(em), width, line_height(em)), Style::Field));
    y += gap;
    for block in &scene.body {
        let (say, em, framed) = match block {
            Block::Alarm(say) => (say, context.kinds.body, true),
            Block::Small(say) => (say, context.kinds.small, false),
            _ => continue,
        };
        let says = say.text(context.language);
        let inset = if framed { 2 * context.pad } else { 0 };
        let lines = text::lines(&says, em, width - 2 * inset);
        let height = lines_height(lines.len(), em) + inset;
        // Help that has no room is the only thing that may be left out: it is not about this try.
        let help = matches!(say, Say::Word(Word::PinHelp, _));
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
fn buttons(scene: &Scene, context: &Context<'_>, (x, width): (i32, i32), out: &mut Page) -> i32 {
    let metrics = context.metrics;
    let count = i32::try_from(scene.buttons.len()).unwrap_or(0);
    if count == 0 {
        return metrics.height - metrics.gap;
    }
    let each = (width - (count - 1) * metrics.gap) / count;
    // Side by side if their words fit, else smaller words, else one behind "other".
    for em in [context.kinds.body, context.kinds.small] {
        let labels: Vec<(Vec<String>, String)> = scene
            .buttons
            .iter()
            .map(|button| {
                let label = button.say.text(context.language);
                (
                    text::balanced(&label, em, each - 2 * context.pad),
                    label.replace('\n', " "),
                )
            })
            .collect();
        let fits = labels
            .iter()
            .flat_map(|(lines, _)| lines)
            .all(|line| text::width(line, em) <= each - 2 * context.pad);
        let rows = labels.iter().map(|(lines, _)| lines.len()).max().unwrap_or(1);
        if em != context.kinds.small && (!fits || rows > 2) {
            continue;
        }
        let height = (lines_height(rows, em) + context.pad).max(metrics.touch);
        let y = metrics.height - metrics.gap - height;
        for ((index, button), (lines, says)) in (0_i32..).zip(&scene.buttons).zip(labels) {
            let at = x + index * (each + metrics.gap);
            column::caption(
                &lines,
                em,
                (at, y, each, height),
                Style::Plain,
                context,
                &mut out.captions,
            );
            out.areas.push(Area {
                x: at,
                y,
                width: each,
                height,
                style: Style::Plain,
                act: Some(button.act),
                mark: 0,
                chosen: false,
                says,
            });
        }
        return y - metrics.gap / 2;
    }
    metrics.height - metrics.gap
}
