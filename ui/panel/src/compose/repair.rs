//! A machine that cannot begin: what whoever sets it up has to put right. It stands there before there is a kiosk, so no `Screen` of the kiosk's
//! says it.

use alloc::string::String;
use alloc::vec::Vec;

use super::kind;
use crate::scene::{Act, Block, Part, Scene, Shape};
use crate::text;
use crate::words::{Say, Word};

/// Most characters of what is quoted.
const LONGEST: usize = 300;

/// What keeps a machine from beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repair<'a> {
    /// The file of the device configuration.
    pub file: &'a str,
    /// What is wrong.
    pub what: Wrong<'a>,
    /// How the program says it, in English: quoted for who knows the file.
    pub said: &'a str,
}

/// What is wrong with a device configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong<'a> {
    /// There is none.
    Missing,
    /// It cannot be read.
    Unreadable,
    /// This line, from 1.
    Line(u32),
    /// What this key has.
    Key(&'a str),
    /// The part of the machine that this key names.
    Part(&'a str),
}

/// The scene of it.
#[must_use]
pub fn repair(repair: &Repair<'_>) -> Scene {
    let file = ("file", quoted(repair.file));
    let key = |word, key| Say::Word(word, Vec::from([file.clone(), ("key", quoted(key))]));
    let only = |word| Say::Word(word, Vec::from([file.clone()]));
    let (what, then) = match repair.what {
        Wrong::Missing => (only(Word::RepairMissing), Word::RepairFileDo),
        Wrong::Unreadable => (only(Word::RepairUnreadable), Word::RepairFileDo),
        Wrong::Line(line) => {
            let number = ("n", Say::number(i64::from(line)));
            (
                Say::Word(Word::RepairLine, Vec::from([file.clone(), number])),
                Word::RepairFileDo,
            )
        }
        Wrong::Key(name) => (key(Word::RepairKey, name), Word::RepairFileDo),
        Wrong::Part(name) => (key(Word::RepairPart, name), Word::RepairPartDo),
    };
    Scene::new(kind::FAULT, "repair", Shape::Flow, Word::FaultTitle)
        .block(Block::Heading(Word::FaultStaff.into()))
        .text(what)
        .text(then)
        .block(Block::Small(quoted(repair.said)))
        .button(Part::Always, Word::Display, Act::Settings)
}

/// What stands in a file can be anything: only what the font has, and not without end.
fn quoted(said: &str) -> Say {
    let shown = |letter: char| text::advance(letter).is_some();
    let letters = said.chars().map(|letter| match letter {
        letter if letter.is_whitespace() => ' ',
        letter if shown(letter) => letter,
        _ => '?',
    });
    Say::Plain(letters.take(LONGEST).collect::<String>())
}
