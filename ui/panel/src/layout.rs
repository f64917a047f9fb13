//! Where everything stands: a scene, a language and a panel's numbers become one page of lines, boxes and pictures in whole
//! pixels. Whatever does not fit goes to a further page; nothing is cut and nothing scrolls. Same numbers on every platform.

mod column;
mod flow;
mod notice;
mod pad;

use alloc::string::String;
use alloc::vec::Vec;

use crate::compose::Settings;
use crate::metrics::{Metrics, TextSize, Type, line_height};
use crate::scene::{Act, Button, Scene, Shape};
use crate::text;
use crate::words::{LANGUAGES, Language};

/// A line of text. Pixels from the panel's top left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Left.
    pub x: i32,
    /// Top.
    pub y: i32,
    /// Room for it.
    pub width: i32,
    /// Height of the line.
    pub height: i32,
    /// The em.
    pub em: i32,
    /// Left, centre or right.
    pub align: Align,
    /// Whether it stands on a primary button.
    pub on_primary: bool,
    /// What is drawn.
    pub text: String,
    /// What a screen reader says: the whole paragraph on its first line, nothing on the others and on captions of boxes.
    pub says: String,
    /// How it looks, where the package has pictures of its characters: drawn instead of `text`.
    pub picture: Option<alloc::rc::Rc<crate::pictures::Mask>>,
}

/// Where a line stands in its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// In the middle.
    Centre,
    /// At the right.
    Right,
}

/// How a box looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A button.
    Plain,
    /// The button that leads on.
    Primary,
    /// An option.
    Option,
    /// A row that leads somewhere.
    Row,
    /// A key of the pad.
    Key,
    /// Not drawn: the whole screen.
    Invisible,
    /// A frame around what must not be overlooked; not touched.
    Alarm,
    /// A frame around what is being typed; not touched.
    Field,
    /// The filled strip that says that this is not live; not touched.
    Banner,
}

/// A box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Left.
    pub x: i32,
    /// Top.
    pub y: i32,
    /// Width.
    pub width: i32,
    /// Height.
    pub height: i32,
    /// How it looks.
    pub style: Style,
    /// What touching does; `None` for a frame.
    pub act: Option<Act>,
    /// Side of the mark, 0 for none.
    pub mark: i32,
    /// Whether the option is chosen.
    pub chosen: bool,
    /// What a screen reader says.
    pub says: String,
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Left.
    pub x: i32,
    /// Top.
    pub y: i32,
    /// Side, a multiple of its modules.
    pub side: i32,
    /// The code.
    pub code: crate::qr::Code,
    /// What a screen reader says.
    pub says: String,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Text, in reading order.
    pub texts: Vec<Line>,
    /// Boxes, in the order of a keypad or screen reader.
    pub areas: Vec<Area>,
    /// Text on boxes.
    pub captions: Vec<Line>,
    /// Pictures.
    pub pictures: Vec<Picture>,
    /// Which page this is, from 0.
    pub index: usize,
    /// How many there are, at least 1.
    pub count: usize,
    /// Buttons that had no room and stand behind "other".
    pub rest: Vec<Button>,
    /// Something did not fit at this text size.
    pub overflow: bool,
    /// The text size it was set in.
    pub size: Option<TextSize>,
}

/// What layout needs to know besides the scene.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub metrics: &'a Metrics,
    pub kinds: Type,
    pub language: &'static Language,
    /// Around text in a box.
    pub pad: i32,
}

/// Lays a page of a scene out. `page` beyond the last is the last. Where a panel is too small for the text size that was set,
/// the largest size that fits is taken instead ([`Page::size`]).
///
/// A screen of a few words with more to say than it has room for (a long name of the election) becomes pages, so that what one has
/// to do stands on it all the same.
#[must_use]
pub fn page(scene: &Scene, settings: Settings, metrics: &Metrics, page: usize) -> Page {
    let whole = largest(scene, settings, metrics, page);
    // Pages are turned by buttons.
    if whole.overflow && scene.shape == Shape::Notice && !scene.buttons.is_empty() {
        let paged = largest(&notice::paged(scene), settings, metrics, page);
        if !paged.overflow {
            return paged;
        }
    }
    whole
}

/// In the largest text size up to the one that was set.
fn largest(scene: &Scene, settings: Settings, metrics: &Metrics, page: usize) -> Page {
    let mut last = Page::default();
    for size in TextSize::ALL.into_iter().rev().filter(|size| *size <= settings.size) {
        last = at_size(scene, settings, metrics, page, size);
        last.size = Some(size);
        if !last.overflow {
            break;
        }
    }
    last
}

fn at_size(scene: &Scene, settings: Settings, metrics: &Metrics, page: usize, size: TextSize) -> Page {
    let Some(language) = LANGUAGES.get(settings.language).or(LANGUAGES.first()) else {
        return Page::default();
    };
    let kinds = metrics.type_of(size);
    let pad = metrics.px(1_500);
    // Under a banner the rest is a panel that is less high.
    let across = scene
        .banner
        .as_ref()
        .filter(|_| !matches!(scene.shape, Shape::Pad { .. }));
    let banner = across.map(|say| {
        let says = say.text(language);
        (text::balanced(&says, kinds.body, metrics.width - 2 * metrics.gap), says)
    });
    let strip = banner
        .as_ref()
        .map_or(0, |(lines, _)| lines_height(lines.len(), kinds.body) + pad);
    let mut under = *metrics;
    under.height -= strip;
    let context = Context {
        metrics: &under,
        kinds,
        language,
        pad,
    };
    let mut page = match scene.shape {
        Shape::Flow => flow::lay(scene, &context, page),
        Shape::Notice => notice::lay(scene, &context),
        Shape::Pad { typed, practice } => pad::lay(scene, &context, typed, practice),
        Shape::Blank => Page {
            count: 1,
            ..Page::default()
        },
    };
    if let Some((lines, says)) = banner {
        lower(&mut page, strip);
        let (x, width) = (metrics.gap, metrics.width - 2 * metrics.gap);
        put_banner(
            &mut page,
            (&lines, &says),
            kinds.body,
            (metrics.gap, x, width, strip),
            &context,
        );
    }
    if let Some(act) = scene.anywhere {
        page.areas.push(Area {
            x: 0,
            y: 0,
            width: metrics.width,
            height: metrics.height,
            style: Style::Invisible,
            act: Some(act),
            mark: 0,
            chosen: false,
            says: scene.title.text(language),
        });
    }
    page.overflow |= outside(&page, metrics);
    page
}

/// Everything so much lower.
fn lower(page: &mut Page, by: i32) {
    page.texts.iter_mut().for_each(|line| line.y += by);
    page.captions.iter_mut().for_each(|line| line.y += by);
    page.areas.iter_mut().for_each(|area| area.y += by);
    page.pictures.iter_mut().for_each(|picture| picture.y += by);
}

/// The strip at the top, and the first thing that is read aloud. Its place: around the text, the text's left and width, height.
fn put_banner(
    page: &mut Page,
    (lines, says): (&[String], &str),
    em: i32,
    (around, x, width, height): (i32, i32, i32, i32),
    context: &Context<'_>,
) {
    let mut heard = stack(&[String::new()], says, em, (x, 0), width, Align::Left, false);
    heard.append(&mut page.texts);
    page.texts = heard;
    let top = context.pad / 2;
    page.captions
        .extend(stack(lines, "", em, (x, top), width, Align::Centre, true));
    let left = if around == 0 { 0 } else { x - around };
    page.areas.push(Area {
        x: left,
        y: 0,
        width: x + width + around - left,
        height,
        style: Style::Banner,
        act: None,
        mark: 0,
        chosen: false,
        says: String::new(),
    });
}

/// Whether anything stands outside the panel or is wider than its room.
fn outside(page: &Page, metrics: &Metrics) -> bool {
    let inside = |x: i32, y: i32, width: i32, height: i32| {
        x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= metrics.width && y + height <= metrics.height
    };
    let lines = page.texts.iter().chain(&page.captions);
    !(lines.clone().all(|line| {
        inside(line.x, line.y, line.width, line.height) && crate::text::width(&line.text, line.em) <= line.width
    }) && page
        .areas
        .iter()
        .all(|area| inside(area.x, area.y, area.width, area.height))
        && page
            .pictures
            .iter()
            .all(|picture| inside(picture.x, picture.y, picture.side, picture.side)))
}

/// Lines one under the other, with what a screen reader says on the first.
pub(crate) fn stack(
    lines: &[String],
    says: &str,
    em: i32,
    at: (i32, i32),
    width: i32,
    align: Align,
    on_primary: bool,
) -> Vec<Line> {
    let height = line_height(em);
    let mut y = at.1;
    let mut out = Vec::new();
    for (index, text) in lines.iter().enumerate() {
        out.push(Line {
            x: at.0,
            y,
            width,
            height,
            em,
            align,
            on_primary,
            text: text.clone(),
            says: if index == 0 { says.into() } else { String::new() },
            picture: None,
        });
        y += height;
    }
    out
}

/// Height of so many lines.
pub(crate) fn lines_height(count: usize, em: i32) -> i32 {
    i32::try_from(count)
        .unwrap_or(i32::MAX / 1_024)
        .saturating_mul(line_height(em))
}
