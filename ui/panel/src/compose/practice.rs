//! The practice mode's screens: the voter's own screens where there are such, with touches that stay in the panel and a banner.

use alloc::vec::Vec;

use kiosk::screen::{Screen, Touch};
use kiosk::session::Selected;

use super::kind::PRACTICE;
use super::voter::{self, Sheet};
use crate::practice::{CONTESTS, Place, Practice};
use crate::scene::{Act, Block, Part, Scene, Shape};
use crate::words::{Say, Word};

const NAMES: [Word; CONTESTS.len()] = [Word::PracticeFood, Word::PracticePlace];
const OPTIONS: [[Word; 4]; CONTESTS.len()] = [
    [
        Word::PracticeFood1,
        Word::PracticeFood2,
        Word::PracticeFood3,
        Word::PracticeFood4,
    ],
    [
        Word::PracticePlace1,
        Word::PracticePlace2,
        Word::PracticePlace3,
        Word::PracticePlace4,
    ],
];

/// The scene of a practice: every touch in it is the panel's own.
#[must_use]
pub fn practice(practice: &Practice) -> Scene {
    let notice = |title: Word| Scene::new(PRACTICE, "", Shape::Notice, title);
    let (name, mut scene) = match practice.place {
        Place::Start => (
            "practice-start",
            with_end(notice(Word::PracticeTitle).text(Word::PracticeBody).touch(
                Part::Forward,
                Word::PracticeStart,
                Touch::Next,
            )),
        ),
        Place::Pin(typed) => ("practice-pin", pin(typed)),
        Place::Contest(index) => ("practice-contest", contest(practice, index)),
        Place::Over(index) => {
            let (votes, selected) = practice.contest(index);
            ("practice-overvote", voter::over(votes, chosen(index, selected)))
        }
        Place::Review => {
            let rows = (0_u8..).zip(NAMES).map(|(index, name)| {
                let (votes, selected) = practice.contest(index);
                let left = votes.saturating_sub(selected.count());
                (Say::from(name), chosen(index, selected), left)
            });
            ("practice-review", voter::overview(rows))
        }
        Place::Sealed => (
            "practice-cast",
            voter::with_call(
                Scene::new(PRACTICE, "", Shape::Flow, Word::CastTitle)
                    .text(Word::CastBody)
                    .block(Block::Small(Word::PracticeCode.into()))
                    .touch(Part::Forward, Word::CastGo, Touch::Cast)
                    .touch(Part::Back, Word::CastBack, Touch::Back),
            ),
        ),
        Place::Ending(_) => ("practice-end", voter::voter(&Screen::EndWithoutVote)),
        Place::Called(_) => ("practice-called", voter::voter(&Screen::CallStaff)),
        Place::Done => (
            "practice-done",
            with_end(notice(Word::PracticeDone).text(Word::PracticeDoneBody).touch(
                Part::Forward,
                Word::PracticeAgain,
                Touch::Next,
            )),
        ),
    };
    scene.name = name;
    own(&mut scene);
    scene.banner = Some(Word::PracticeBanner.into());
    scene
}

fn with_end(scene: Scene) -> Scene {
    scene
        .button(Part::Always, Word::Display, Act::Settings)
        .button(Part::Back, Word::PracticeEnd, Act::EndPractice)
}

/// No card that could lock, no tries, and nothing that should be typed: the title says which digits.
fn pin(typed: u8) -> Scene {
    let shape = Shape::Pad { typed, practice: true };
    voter::with_call(Scene::new(PRACTICE, "", shape, Word::PracticePin))
}

fn contest(practice: &Practice, index: u8) -> Scene {
    let (votes, selected) = practice.contest(index);
    let place = usize::from(index);
    voter::sheet(Sheet {
        place: (index, u8::try_from(CONTESTS.len()).unwrap_or(u8::MAX)),
        name: NAMES.get(place).map_or_else(|| Say::plain(""), |name| (*name).into()),
        text: None,
        votes,
        left: votes.saturating_sub(selected.count()),
        options: (0_u8..)
            .zip(OPTIONS.get(place).into_iter().flatten())
            .map(|(option, word)| (option, (*word).into(), None, selected.has(option)))
            .collect(),
    })
}

fn chosen(index: u8, selected: Selected) -> Vec<Say> {
    (0_u8..)
        .zip(OPTIONS.get(usize::from(index)).into_iter().flatten())
        .filter(|(option, _)| selected.has(*option))
        .map(|(_, word)| (*word).into())
        .collect()
}

/// Turns every touch for the kiosk into one of the panel's own.
fn own(scene: &mut Scene) {
    let keep = |act: &mut Act| {
        if let Act::Send(touch) | Act::Hold(touch) = *act {
            *act = Act::Practice(touch);
        }
    };
    for block in &mut scene.body {
        if let Block::Option { act, .. } | Block::Row { act, .. } = block {
            keep(act);
        }
    }
    scene.buttons.iter_mut().for_each(|button| keep(&mut button.act));
    scene.anywhere.iter_mut().for_each(keep);
}
