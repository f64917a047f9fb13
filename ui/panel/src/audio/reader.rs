//! A scene as a list: what there is to hear on a screen, in reading order, and what each thing does. The pages of the picture are the
//! eye's: the ear has the whole screen in one list.

use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use kiosk::screen::Touch;

use super::speech::Speech;
use crate::compose::kind;
use crate::scene::{Act, Block, Part, Scene, Shape};
use crate::words::{Say, Word};

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Only to be heard.
    Text,
    /// Votes left: part of what is said first, though it stands at the foot.
    Status,
    /// How many digits are typed.
    Typed,
    /// Can be chosen.
    Option,
    /// Leads somewhere.
    Button,
    /// A key of the PIN pad.
    Key,
    /// Whatever key is pressed does it.
    AnyKey,
}

/// One thing on a screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What is said.
    pub says: Vec<Speech>,
    /// What kind of thing it is.
    pub role: Role,
    /// What a tap on it does.
    pub act: Option<Act>,
    /// Whether it is chosen.
    pub chosen: bool,
}

impl Item {
    fn text(role: Role, says: Vec<Speech>) -> Self {
        Self {
            says,
            role,
            act: None,
            chosen: false,
        }
    }

    fn act(role: Role, says: Vec<Speech>, act: Act) -> Self {
        Self {
            act: Some(act),
            ..Self::text(role, says)
        }
    }
}

fn one(say: &Say) -> Vec<Speech> {
    vec![Speech::Say(say.clone())]
}

/// Everything on a screen.
///
/// What only staff read is not spoken: their screens are named as such, and of a fault the voter hears what it means for the vote.
#[must_use]
pub fn items(scene: &Scene) -> Vec<Item> {
    let mut out = Vec::new();
    if (kind::STAFF..kind::PRACTICE).contains(&scene.kind) && !matches!(scene.name, "settings" | "other") {
        out.push(Item::text(Role::Text, vec![Word::AudioStaff.into()]));
        // What they can do is walked with keys as well; what they read is theirs, who see.
        for row in &scene.body {
            if matches!(row, Block::Row { .. }) {
                self::block(row, &mut out);
            }
        }
        buttons(scene, &mut out);
        return out;
    }
    if scene.shape == Shape::Blank {
        return out;
    }
    let first = [scene.banner.as_ref(), scene.above.as_ref(), Some(&scene.title)];
    out.extend(first.into_iter().flatten().map(|say| Item::text(Role::Text, one(say))));
    if let Shape::Pad { typed, .. } = scene.shape {
        let typed = Say::with(Word::PinTyped, &[("n", i64::from(typed))]);
        out.push(Item::text(Role::Typed, one(&typed)));
    }
    for block in &scene.body {
        if scene.kind == kind::FAULT && *block == Block::Heading(Word::FaultStaff.into()) {
            break;
        }
        self::block(block, &mut out);
    }
    if let Some(status) = &scene.status {
        out.push(Item::text(Role::Status, one(status)));
    }
    if let Shape::Pad { practice, .. } = scene.shape {
        pad(practice, &mut out);
    }
    buttons(scene, &mut out);
    if let Some(act) = scene.anywhere {
        out.push(Item::act(Role::AnyKey, vec![Word::AudioAnyKey.into()], act));
    }
    out
}

fn block(block: &Block, out: &mut Vec<Item>) {
    match block {
        Block::Text(say) | Block::Alarm(say) | Block::Heading(say) | Block::Name(say) | Block::Small(say) => {
            out.push(Item::text(Role::Text, one(say)));
        }
        Block::Option { act, name, sub, chosen } => {
            let says = [Some(name), sub.as_ref()].into_iter().flatten().flat_map(one).collect();
            out.push(Item {
                chosen: *chosen,
                ..Item::act(Role::Option, says, *act)
            });
        }
        Block::Row {
            act,
            label,
            values,
            note,
        } => {
            let says = label.iter().chain(values).chain(note).flat_map(one).collect();
            out.push(Item::act(Role::Button, says, *act));
        }
        Block::Pair(label, value) => {
            out.push(Item::text(
                Role::Text,
                [label, value].into_iter().flat_map(one).collect(),
            ));
        }
        Block::Qr(_, lines) => {
            out.push(Item::text(Role::Text, vec![Word::Qr.into()]));
            out.extend(lines.iter().map(|say| Item::text(Role::Text, spelled(say))));
        }
        Block::Groups(lines) | Block::Words(lines) => {
            out.extend(lines.iter().map(|say| Item::text(Role::Text, spelled(say))));
        }
    }
}

/// What is the same in all languages is a code.
fn spelled(say: &Say) -> Vec<Speech> {
    match say {
        Say::Plain(text) => vec![Speech::Spell(text.clone())],
        say => one(say),
    }
}

fn pad(practice: bool, out: &mut Vec<Item>) {
    let mut key = |says: Vec<Speech>, touch| {
        let act = if practice {
            Act::Practice(touch)
        } else {
            Act::Send(touch)
        };
        out.push(Item::act(Role::Key, says, act));
    };
    for digit in (1..=9).chain([0]) {
        let digits: String = digit.to_string();
        key(one(&Say::plain(&digits)), Touch::Digit(digit));
    }
    key(vec![Word::PinClear.into()], Touch::Clear);
    key(vec![Word::PinEnter.into()], Touch::Enter);
}

/// What leads on comes first: behind a long list nobody should have to pass the rest.
fn buttons(scene: &Scene, out: &mut Vec<Item>) {
    for part in [Part::Forward, Part::Back, Part::Aside, Part::Always] {
        let own = scene.buttons.iter().filter(|button| button.part == part);
        out.extend(own.map(|button| Item::act(Role::Button, one(&button.say), button.act)));
    }
}
