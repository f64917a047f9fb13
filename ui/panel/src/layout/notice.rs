//! A few words in the middle of the screen, large: insert your card, please wait, 完了.

use alloc::vec::Vec;

use super::{Align, Context, Line, Page, column, lines_height, stack};
use crate::scene::{Block, Scene, Shape};
use crate::text;

/// The same words as a flow: what one has to do on every page, names after it.
pub(super) fn paged(scene: &Scene) -> Scene {
    let mut paged = scene.clone();
    paged.shape = Shape::Flow;
    let names = paged.body.iter().position(|block| matches!(block, Block::Small(_)));
    let names = names.unwrap_or(paged.body.len());
    if let Some(above) = paged.above.take() {
        paged.body.insert(names, Block::Small(above));
    }
    paged
}

pub(super) fn lay(scene: &Scene, context: &Context<'_>) -> Page {
    let title = context.kinds.title;
    let mut out = Page::default();
    // The largest title for which everything stays on the screen; what is said is never shortened.
    let (body, small) = (context.kinds.body, context.kinds.small);
    for (em, body) in [
        (title * 2, body),
        (title * 3 / 2, body),
        (title, body),
        (body, small),
        (small, small),
    ] {
        let (texts, height) = at(scene, context, em, body);
        out = Page {
            texts,
            count: 1,
            overflow: height > context.metrics.height - context.metrics.gap,
            ..Page::default()
        };
        if !out.overflow {
            break;
        }
    }
    column::lay(scene, context, &mut out);
    out
}

fn at(scene: &Scene, context: &Context<'_>, em: i32, body: i32) -> (Vec<Line>, i32) {
    let margin = context.metrics.gap * 3;
    let column = column::width(scene, context);
    let width = context.metrics.width - 2 * margin - column;
    let space = body / 2;
    let mut parts = Vec::new();
    if let Some(above) = &scene.above {
        let says = above.text(context.language);
        parts.push((
            text::balanced(&says, context.kinds.body, width),
            says,
            context.kinds.body,
        ));
    }
    let says = scene.title.text(context.language);
    parts.push((text::balanced(&says, em, width), says, em));
    for block in &scene.body {
        let (say, em) = match block {
            Block::Small(say) => (say, context.kinds.small),
            Block::Text(say) | Block::Alarm(say) | Block::Heading(say) => (say, body),
            _ => continue,
        };
        let says = say.text(context.language);
        parts.push((text::balanced(&says, em, width), says, em));
    }
    let height: i32 = parts
        .iter()
        .map(|(lines, _, em)| lines_height(lines.len(), *em) + space)
        .sum::<i32>()
        - space;
    let mut y = (context.metrics.height - height) / 2;
    let mut texts = Vec::new();
    for (lines, says, em) in &parts {
        texts.extend(stack(lines, says, *em, (margin, y), width, Align::Centre, false));
        y += lines_height(lines.len(), *em) + space;
    }
    (texts, height)
}
