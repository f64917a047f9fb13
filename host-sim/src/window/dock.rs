//! Where everything in the window stands and what it says: the kiosk on the left, the dock on the right. Values in, rows for
//! Slint out; whole pixels, so that a test knows where to click.

use panel::Config;
use panel::audio::Key;
use panel::surface::float;

use super::deck::{Held, Kind};
use super::ui::{DockBox, DockText};

/// Width of the dock.
const DOCK: i32 = 420;
const MARGIN: i32 = 20;
/// Around the kiosk; above its panel is the lamp, below it the card slot.
const AROUND: i32 = 50;
const ABOVE: i32 = 70;
const BELOW: i32 = 96;
const TILE: i32 = 48;
const GAP: i32 = 8;
/// Blocks that are shown.
pub const BLOCKS: usize = 4;

/// What a click means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Click {
    /// A card of the deck: in, or out if it is in.
    Card(usize),
    /// Out with the card.
    Pull,
    /// The mains switch.
    Power,
    /// The network's cable.
    Network,
    /// Count and verify.
    Count,
    /// A validator: killed, or started again.
    Validator(usize),
    /// Headphones in, or out.
    Headphones,
    /// A key of the voter's keypad.
    Key(Key),
}

/// The keypad, as it lies under the panel: what stands on each key.
const KEYS: [(Key, &str); 10] = [
    (Key::Previous, "<"),
    (Key::Select, "OK"),
    (Key::Next, ">"),
    (Key::Repeat, "R"),
    (Key::Help, "?"),
    (Key::Softer, "-"),
    (Key::Louder, "+"),
    (Key::Slower, "<<"),
    (Key::Faster, ">>"),
    (Key::Blank, "B"),
];

/// What a key of the computer's keyboard means.
#[must_use]
pub fn key_of(text: &str) -> Option<Key> {
    use slint::platform::Key as Board;
    let board = |key: Board| slint::SharedString::from(key);
    let named = [
        (Board::RightArrow, Key::Next),
        (Board::DownArrow, Key::Next),
        (Board::LeftArrow, Key::Previous),
        (Board::UpArrow, Key::Previous),
        (Board::Return, Key::Select),
        (Board::PageUp, Key::Faster),
        (Board::PageDown, Key::Slower),
    ];
    if let Some((_, key)) = named.into_iter().find(|(key, _)| board(*key) == text) {
        return Some(key);
    }
    Some(match text {
        "r" | "R" => Key::Repeat,
        "?" | "h" | "H" => Key::Help,
        "+" => Key::Louder,
        "-" => Key::Softer,
        "b" | "B" => Key::Blank,
        _ => Key::Digit(text.parse().ok().filter(|digit| *digit < 10)?),
    })
}

impl Click {
    fn id(self) -> i32 {
        match self {
            Self::Pull => 0,
            Self::Power => 1,
            Self::Network => 2,
            Self::Count => 3,
            Self::Headphones => 4,
            // Digits are on the keyboard alone.
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // Ten keys.
            Self::Key(key) => {
                let place = KEYS.iter().position(|(own, _)| *own == key);
                5 + match place {
                    Some(place) => place as i32,
                    None => KEYS.len() as i32,
                }
            }
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // 16 validators at most.
            Self::Validator(index) => -1 - index as i32,
            #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // A deck has a handful of cards.
            Self::Card(card) => 16 + card as i32,
        }
    }

    /// What the box with this id means.
    #[must_use]
    pub fn of(id: i32) -> Option<Self> {
        Some(match id {
            0 => Self::Pull,
            1 => Self::Power,
            2 => Self::Network,
            3 => Self::Count,
            4 => Self::Headphones,
            5..16 => Self::Key(KEYS.get(usize::try_from(id - 5).ok()?)?.0),
            _ if id < 0 => Self::Validator(usize::try_from(-1 - id).ok()?),
            _ => Self::Card(usize::try_from(id - 16).ok()?),
        })
    }

    /// A name for whoever clicks by program.
    #[must_use]
    pub fn name(self, deck: &[Held]) -> String {
        match self {
            Self::Pull => "pull".into(),
            Self::Power => "power".into(),
            Self::Network => "network".into(),
            Self::Count => "count".into(),
            Self::Headphones => "headphones".into(),
            Self::Key(key) => format!("key {key:?}"),
            Self::Validator(index) => format!("validator {}", index + 1),
            Self::Card(card) => deck.get(card).map_or_else(String::new, |held| match held.kind {
                Kind::Staff => format!("staff {}", card + 1),
                Kind::Voter | Kind::Odd => held.name.to_lowercase(),
            }),
        }
    }
}

/// What there is to show.
pub struct Picture<'p> {
    pub deck: &'p [Held],
    pub name: &'p str,
    pub clock: &'p str,
    pub inserted: Option<usize>,
    pub voted: &'p [bool],
    pub powered: bool,
    /// `None` in statutory mode.
    pub plugged: Option<bool>,
    pub lamp: &'static str,
    pub blocks: &'p [String],
    /// The height of each validator that is a process; none for one that does not answer.
    pub validators: &'p [Option<u64>],
    pub batch: u16,
    /// Whether headphones are in; `None` where the simulator makes no sound.
    pub phones: Option<bool>,
    pub events: Vec<(String, String)>,
    pub stage: Stage<'p>,
}

/// How far the day has come.
pub enum Stage<'p> {
    /// Polls are not closed.
    Day,
    /// Closed: the media may come to the desk.
    Closed,
    /// The desk counts: what, how much of how much.
    Counting(&'p str, u64, u64),
    /// Done: whether everything holds, and lines about it.
    Counted(bool, Vec<String>),
}

/// Where the panel and the dock stand.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub panel: (i32, i32),
    pub dock: i32,
    pub size: (i32, i32),
    panel_size: (i32, i32),
}

impl Plan {
    /// For a panel of this size and a deck of so many cards.
    #[must_use]
    pub fn new(config: Config, cards: usize) -> Self {
        let side = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX / 4);
        let (width, height) = (side(config.width), side(config.height));
        let rows = i32::try_from(cards.div_ceil(2)).unwrap_or(0);
        let dock_height = 96 + rows * (TILE + GAP) + 476;
        let full = (height + ABOVE + BELOW).max(dock_height);
        let top = (full - height - ABOVE - BELOW) / 2 + ABOVE;
        Self {
            panel: (AROUND, top),
            dock: width + 2 * AROUND,
            size: (width + 2 * AROUND + DOCK, full),
            panel_size: (width, height),
        }
    }

    /// Everything as rows.
    #[must_use]
    pub fn rows(&self, picture: &Picture<'_>) -> (Vec<DockBox>, Vec<DockText>) {
        let mut rows = Rows {
            boxes: Vec::new(),
            texts: Vec::new(),
            left: self.dock + MARGIN,
            y: 20,
        };
        self.kiosk(&mut rows, picture);
        rows.head(picture);
        rows.cards(picture);
        rows.switches(picture);
        rows.chain(picture);
        if let Stage::Counted(holds, lines) = &picture.stage {
            rows.outcome(*holds, lines);
        } else {
            rows.events(picture);
        }
        rows.count(picture, self.size.1);
        (rows.boxes, rows.texts)
    }

    fn kiosk(&self, rows: &mut Rows, picture: &Picture<'_>) {
        let (x, y) = self.panel;
        let (width, height) = self.panel_size;
        rows.text_at((x + 24, y - 34, 300, 28), 13, 1, picture.lamp);
        let inserted = picture.inserted.and_then(|card| picture.deck.get(card));
        let title = match inserted {
            Some(held) => format!("{} is in the slot: click to take it out", held.name),
            None => "card slot: empty".to_owned(),
        };
        rows.boxes.push(DockBox {
            title: title.into(),
            kind: 3,
            enabled: inserted.is_some(),
            active: inserted.is_some(),
            ..Rows::place(Click::Pull, (x + width / 2 - 200, y + height + 34, 400, 46))
        });
        if let Some(plugged) = picture.phones {
            rows.keypad(plugged, (x, y + height + 26, width));
        }
    }
}

struct Rows {
    boxes: Vec<DockBox>,
    texts: Vec<DockText>,
    left: i32,
    y: i32,
}

const WIDTH: i32 = DOCK - 2 * MARGIN;

impl Rows {
    fn place(click: Click, (x, y, width, height): (i32, i32, i32, i32)) -> DockBox {
        DockBox {
            id: click.id(),
            x: float(x),
            y: float(y),
            width: float(width),
            height: float(height),
            ..DockBox::default()
        }
    }

    fn text_at(&mut self, (x, y, width, height): (i32, i32, i32, i32), size: i32, tone: i32, text: &str) {
        self.texts.push(DockText {
            x: float(x),
            y: float(y),
            width: float(width),
            height: float(height),
            size: float(size),
            tone,
            right: false,
            text: text.into(),
        });
    }

    /// Headphones left of the card slot, keys right of it, as large as there is room.
    fn keypad(&mut self, plugged: bool, (x, y, width): (i32, i32, i32)) {
        let side = width / 2 - 200 - GAP;
        self.boxes.push(DockBox {
            kind: 1,
            title: if plugged { "headphones are in" } else { "headphones" }.into(),
            enabled: true,
            active: plugged,
            ..Self::place(Click::Headphones, (x, y + 8, side.min(180), 46))
        });
        let across = i32::try_from(KEYS.len() / 2).unwrap_or(5);
        let each = ((side - (across - 1) * 4) / across).min(52);
        let left = x + width - across * each - (across - 1) * 4;
        for (place, (key, face)) in (0..).zip(KEYS) {
            self.boxes.push(DockBox {
                kind: 1,
                title: face.into(),
                enabled: true,
                ..Self::place(
                    Click::Key(key),
                    (left + place % across * (each + 4), y + place / across * 34, each, 30),
                )
            });
        }
    }

    fn line(&mut self, size: i32, tone: i32, text: &str) {
        let height = size + 7;
        self.text_at((self.left, self.y, WIDTH, height), size, tone, text);
        self.y += height;
    }

    fn right(&mut self, tone: i32, text: &str) {
        if let Some(last) = self.texts.last() {
            let text = DockText {
                right: true,
                tone,
                size: 12.0,
                text: text.into(),
                ..last.clone()
            };
            self.texts.push(text);
        }
    }

    fn heading(&mut self, text: &str, note: &str) {
        self.y += 12;
        self.line(12, 2, text);
        self.right(1, note);
        self.y += 4;
    }

    fn head(&mut self, picture: &Picture<'_>) {
        self.line(17, 0, "Ippyo simulator");
        self.right(1, picture.clock);
        self.line(13, 1, picture.name);
    }

    fn cards(&mut self, picture: &Picture<'_>) {
        self.heading("CARDS", "click: into the slot; again: out");
        let width = (WIDTH - GAP) / 2;
        for (number, held) in picture.deck.iter().enumerate() {
            let column = i32::from(number % 2 == 1);
            let inserted = picture.inserted == Some(number);
            let voted = picture.voted.get(number) == Some(&true);
            self.boxes.push(DockBox {
                kind: 0,
                title: held.name.as_str().into(),
                note: if inserted {
                    "in the slot"
                } else if voted {
                    "voted"
                } else {
                    ""
                }
                .into(),
                detail: format!("PIN {}  {}", held.pin, held.about).into(),
                colour: match held.kind {
                    Kind::Staff => slint::Color::from_rgb_u8(0xe0, 0xa8, 0x4a),
                    Kind::Voter => slint::Color::from_rgb_u8(0x5b, 0xa3, 0xe0),
                    Kind::Odd => slint::Color::from_rgb_u8(0xd9, 0x6a, 0x5f),
                },
                enabled: inserted || picture.inserted.is_none(),
                active: inserted,
                ..Self::place(
                    Click::Card(number),
                    (self.left + column * (width + GAP), self.y, width, TILE),
                )
            });
            if column == 1 || number + 1 == picture.deck.len() {
                self.y += TILE + GAP;
            }
        }
        self.y -= GAP;
    }

    fn switches(&mut self, picture: &Picture<'_>) {
        self.heading("KIOSK", "");
        let width = (WIDTH - GAP) / 2;
        self.boxes.push(DockBox {
            kind: 1,
            title: if picture.powered {
                "Cut the power"
            } else {
                "Switch the power on"
            }
            .into(),
            enabled: true,
            active: !picture.powered,
            ..Self::place(Click::Power, (self.left, self.y, width, 38))
        });
        self.boxes.push(DockBox {
            kind: 1,
            title: match picture.plugged {
                None => "No network (statutory)",
                Some(true) => "Unplug the network",
                Some(false) => "Plug the network in",
            }
            .into(),
            enabled: picture.plugged.is_some(),
            active: picture.plugged == Some(false),
            ..Self::place(Click::Network, (self.left + width + GAP, self.y, width, 38))
        });
        self.y += 38;
    }

    fn chain(&mut self, picture: &Picture<'_>) {
        let note = format!("{} leave when {} wait", picture.batch, 2 * picture.batch);
        if !picture.validators.is_empty() {
            self.validators(picture.validators);
            return;
        }
        self.heading("CHAIN", &note);
        for index in 0..BLOCKS {
            let none = if index == 0 { "no block yet" } else { "" };
            let (text, tone) = picture.blocks.get(index).map_or((none, 1), |block| (block.as_str(), 0));
            self.line(12, tone, text);
        }
    }

    /// The validators in place of their blocks: with two of four killed batches wait, and leave when one is back.
    fn validators(&mut self, validators: &[Option<u64>]) {
        self.heading("CHAIN", "click: kill a validator; again: start it");
        // Four beside one another have room for two digits of a height only.
        let across = if validators.len() > 8 { 4 } else { 2 };
        let columns = i32::try_from(across).unwrap_or(1);
        let width = (WIDTH - (columns - 1) * GAP) / columns;
        for ((index, height), place) in validators.iter().enumerate().zip(0..) {
            let (column, row) = (place % columns, place / columns);
            let number = index + 1;
            self.boxes.push(DockBox {
                kind: 1,
                title: match height {
                    Some(height) => format!("V{number}: block {height}"),
                    None => format!("V{number}: stopped"),
                }
                .into(),
                enabled: true,
                active: height.is_none(),
                ..Self::place(
                    Click::Validator(index),
                    (self.left + column * (width + GAP), self.y + row * 38, width, 32),
                )
            });
        }
        self.y += 38 * i32::try_from(validators.len().div_ceil(across)).unwrap_or(0);
    }

    fn events(&mut self, picture: &Picture<'_>) {
        self.heading("EVENTS", "");
        for (index, (clock, text)) in picture.events.iter().enumerate() {
            let y = self.y;
            self.text_at((self.left, y, 72, 19), 12, 1, clock);
            self.text_at((self.left + 72, y, WIDTH - 72, 19), 12, i32::from(index > 0), text);
            self.y += 19;
        }
    }

    fn outcome(&mut self, holds: bool, lines: &[String]) {
        self.heading("RESULT", "");
        for (index, line) in lines.iter().enumerate() {
            let tone = match (index, holds) {
                (0, true) => 3,
                (0, false) => 4,
                _ => 0,
            };
            self.line(if index == 0 { 13 } else { 12 }, tone, line);
        }
    }

    fn count(&mut self, picture: &Picture<'_>, bottom: i32) {
        let title = match &picture.stage {
            Stage::Day => "Count and verify (after closing)".to_owned(),
            Stage::Closed => "Count and verify".to_owned(),
            Stage::Counting(what, done, total) => format!("{what}: {done} of {total}"),
            Stage::Counted(true, _) => "Counted and verified".to_owned(),
            Stage::Counted(false, _) => "Counted: it does not hold".to_owned(),
        };
        self.boxes.push(DockBox {
            kind: 2,
            title: title.into(),
            enabled: matches!(picture.stage, Stage::Closed),
            ..Self::place(Click::Count, (self.left, bottom - 64, WIDTH, 44))
        });
    }
}
