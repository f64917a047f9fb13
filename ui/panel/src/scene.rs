//! A screen as the panel keeps it: owned, in no language, without pixels. What is to be said, what can be touched and what a
//! touch means; where things stand is [`crate::layout`]'s.

use alloc::string::String;
use alloc::vec::Vec;

use kiosk::screen::Touch;

use crate::qr::Code;
use crate::words::{Language, Say};

/// What touching something does. Only [`Act::Send`] leaves the panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Gives this touch to the kiosk.
    Send(Touch),
    /// The same, if the finger stays for [`crate::touch::HOLD`] milliseconds: for what a voter must not meet by chance.
    Hold(Touch),
    /// A touch of the practice mode: it never leaves the panel.
    Practice(Touch),
    /// Begins to practise.
    StartPractice,
    /// Ends it, held as [`Act::Hold`] is: a voter does not meet it by chance.
    EndPractice,
    /// Turns a page.
    NextPage,
    /// Turns a page back.
    PreviousPage,
    /// Opens the panel's own page for language, size and colours.
    Settings,
    /// Opens the page with the buttons that had no room.
    Other,
    /// Closes either.
    Close,
    /// A language, by its place in [`crate::words::LANGUAGES`].
    Language(usize),
    /// A text size.
    Size(crate::metrics::TextSize),
    /// A theme, 0 to 3.
    Theme(u8),
    /// Switches the picture on again that a key has switched off.
    Wake,
}

impl Act {
    /// Whether the finger must stay for [`crate::touch::HOLD`] milliseconds.
    #[must_use]
    pub const fn held(self) -> bool {
        matches!(self, Self::Hold(_) | Self::EndPractice)
    }
}

/// Where a button belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Leads on: bottom right, filled. Offered on the last page only, so that nobody leaves a page unseen.
    Forward,
    /// Another way on, beside it; on the last page only.
    Aside,
    /// Leads back.
    Back,
    /// Always there: call staff, language and size, end without a vote.
    Always,
}

/// A button of the column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What stands on it.
    pub say: Say,
    /// What it does.
    pub act: Act,
    /// Where it belongs.
    pub part: Part,
}

/// Something in the flow of a screen.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A paragraph.
    Text(Say),
    /// A paragraph that must not be overlooked: framed.
    Alarm(Say),
    /// A heading over what follows.
    Heading(Say),
    /// One of several names under one another.
    Name(Say),
    /// A paragraph in the smaller type.
    Small(Say),
    /// An option; all options of a screen are drawn equal in size (A16).
    Option {
        /// What touching does.
        act: Act,
        /// The name.
        name: Say,
        /// The party, or an explanation.
        sub: Option<Say>,
        /// Whether it is chosen.
        chosen: bool,
    },
    /// A row that leads somewhere: a contest of the review, an entry of a menu.
    Row {
        /// What touching does.
        act: Act,
        /// A heading in it.
        label: Option<Say>,
        /// What it says.
        values: Vec<Say>,
        /// What is to be noted.
        note: Option<Say>,
    },
    /// A name and a value, for staff.
    Pair(Say, Say),
    /// A QR code with lines beside it.
    Qr(Code, Vec<Say>),
    /// A tracking code or a hash as groups that stay whole.
    Groups(Vec<Say>),
    /// The 12 words.
    Words(Vec<Say>),
}

/// How a screen is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A flow of blocks from the top, a column of buttons at the right.
    Flow,
    /// A few words in the middle, large.
    Notice,
    /// The PIN pad.
    Pad {
        /// Digits typed.
        typed: u8,
        /// Whether its keys are for practice.
        practice: bool,
    },
    /// Nothing.
    Blank,
}

/// A screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Its kind: when it changes, touches that were meant for the last one are dropped. See [`crate::compose::scene`].
    pub kind: u16,
    /// Its name in tests and in rendered lists.
    pub name: &'static str,
    /// How it is laid out.
    pub shape: Shape,
    /// Across the top of the screen, filled: this is not live (U10).
    pub banner: Option<Say>,
    /// A small line over the title.
    pub above: Option<Say>,
    /// The title.
    pub title: Say,
    /// At the foot: votes left.
    pub status: Option<Say>,
    /// The flow.
    pub body: Vec<Block>,
    /// The buttons.
    pub buttons: Vec<Button>,
    /// What a touch anywhere does; there are no buttons then.
    pub anywhere: Option<Act>,
}

impl Scene {
    /// A screen with a title and nothing else.
    #[must_use]
    pub fn new(kind: u16, name: &'static str, shape: Shape, title: impl Into<Say>) -> Self {
        Self {
            kind,
            name,
            shape,
            banner: None,
            above: None,
            title: title.into(),
            status: None,
            body: Vec::new(),
            buttons: Vec::new(),
            anywhere: None,
        }
    }

    /// With a paragraph.
    #[must_use]
    pub fn text(self, say: impl Into<Say>) -> Self {
        self.block(Block::Text(say.into()))
    }

    /// With a block.
    #[must_use]
    pub fn block(mut self, block: Block) -> Self {
        self.body.push(block);
        self
    }

    /// With a button.
    #[must_use]
    pub fn button(mut self, part: Part, say: impl Into<Say>, act: Act) -> Self {
        self.buttons.push(Button {
            say: say.into(),
            act,
            part,
        });
        self
    }

    /// What the election's definition says on this screen in a language, as it is drawn: without marks for pauses.
    #[must_use]
    pub fn definition(&self, language: &Language) -> Vec<String> {
        let mut out = Vec::new();
        let mut add = |say: &Say| {
            if matches!(say, Say::Texts(_)) {
                out.extend(say.reading(language));
                out.push(say.text(language).replace('\u{200b}', ""));
            }
        };
        let own = [Some(&self.title), self.above.as_ref(), self.status.as_ref()];
        own.into_iter().flatten().for_each(&mut add);
        for block in &self.body {
            match block {
                Block::Text(say) | Block::Alarm(say) | Block::Heading(say) | Block::Name(say) | Block::Small(say) => {
                    add(say)
                }
                Block::Option { name, sub, .. } => [Some(name), sub.as_ref()].into_iter().flatten().for_each(&mut add),
                Block::Row {
                    label, values, note, ..
                } => label.iter().chain(values).chain(note).for_each(&mut add),
                Block::Pair(label, value) => [label, value].into_iter().for_each(&mut add),
                Block::Qr(_, lines) | Block::Groups(lines) | Block::Words(lines) => lines.iter().for_each(&mut add),
            }
        }
        out
    }

    /// With a button that gives a touch.
    #[must_use]
    pub fn touch(self, part: Part, say: impl Into<Say>, touch: Touch) -> Self {
        self.button(part, say, Act::Send(touch))
    }
}
