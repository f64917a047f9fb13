//! Every screen that a voter of an election can meet, as scenes: what the desk renders speech for, and what tests listen to.

use std::format;
use std::vec::Vec;

use kiosk::form::Form;
use kiosk::screen::{ContestScreen, PinOf, Screen};
use kiosk::session::{CHALLENGES, PinDigits, Selected};

use crate::compose::{self, Settings, kind};
use crate::metrics::TextSize;
use crate::practice::{Place, Practice};
use crate::render;
use crate::scene::{Block, Scene, Shape};
use crate::words::{LANGUAGES, Say};

/// Gets the screens: a name for people, the scene.
pub type Scenes<'f> = &'f mut dyn FnMut(&str, &Scene);

/// Tries of a card that are said as whole sentences.
const TRIES: u8 = 5;
/// Digits of a PIN.
const DIGITS: u8 = 12;

/// Walks over every screen of these ballot forms, at stations of these names.
pub fn walk(forms: &[Form<'_>], stations: &[Say], visit: Scenes<'_>) {
    for (number, form) in forms.iter().enumerate() {
        let name = |screen: &str| format!("{screen} of ballot style {}", number + 1);
        render::every(form, &mut |screen, shown| visit(&name(screen), &compose::scene(shown)));
        counts(form, &mut |screen, scene| visit(&name(screen), scene));
    }
    for station in stations {
        let scene = Scene::new(kind::IDLE, "idle", Shape::Notice, Say::plain(""));
        visit(
            "idle with the station's name",
            &scene.block(Block::Small(station.clone())),
        );
    }
    for typed in 0..=DIGITS {
        for tries in 1..=TRIES {
            let screen = Screen::Pin {
                digits: typed,
                tries_left: tries,
                wrong: false,
                who: PinOf::Voter,
                length: PinDigits::ANY,
            };
            visit("pin", &compose::scene(&screen));
        }
    }
    for challenges_left in 0..=CHALLENGES {
        let screen = Screen::CastOrChallenge {
            code: &[0; 32],
            challenges_left,
        };
        visit("cast or challenge", &compose::scene(&screen));
    }
    for practice in Practice::every() {
        visit(compose::practice(&practice).name, &compose::practice(&practice));
        if let Place::Pin(_) = practice.place {
            for typed in 0..=crate::practice::DIGITS {
                let place = Place::Pin(typed);
                visit("practice-pin", &compose::practice(&Practice { place, ..practice }));
            }
        }
    }
    for language in 0..LANGUAGES.len() {
        for size in TextSize::ALL {
            let settings = Settings {
                language,
                size,
                theme: 0,
            };
            visit("settings", &compose::settings(kind::IDLE, settings));
        }
    }
    visit("other", &compose::other(kind::IDLE, Vec::new()));
}

/// A contest with each number of votes left, alone and in the review.
fn counts(form: &Form<'_>, visit: Scenes<'_>) {
    let all: Vec<_> = form.contests().collect();
    let count = u8::try_from(all.len()).unwrap_or(u8::MAX);
    let most = all.iter().map(|item| item.contest.votes).max().unwrap_or(0);
    for given in 0..=most {
        let mut selected = Vec::new();
        for (index, item) in (0_u8..).zip(&all) {
            let own = (0..given.min(item.contest.votes)).fold(Selected::NONE, Selected::toggled);
            let screen = ContestScreen {
                contest: item.contest,
                order: item.order,
                index,
                count,
                selected: own,
                votes_left: item.contest.votes.saturating_sub(own.count()),
            };
            let name = format!("contest {} with {given} chosen", index + 1);
            visit(&name, &compose::scene(&Screen::Contest(screen)));
            selected.push(own);
        }
        let review = kiosk::screen::Review {
            form: *form,
            selected: &selected,
        };
        visit("review", &compose::scene(&Screen::Review(review)));
    }
}
