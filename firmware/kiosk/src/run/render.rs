//! The session's state as a screen.

use election::package::Package;

use crate::form::Form;
use crate::screen::{ContestScreen, OpeningScreen, PinOf, Review, Screen};
use crate::session::{Aside, Phase, Place, State, Voting};
use crate::staff::pin_screen;

/// The screen of a state. `opening` is the QR code's content while a spoiled ballot is shown.
pub(crate) fn screen<'a>(state: &'a State, package: &'a Package<'a>, opening: &'a [u8]) -> Screen<'a> {
    match state.phase() {
        Phase::Idle => Screen::Idle {
            election: package.manifest.name,
            station: package.station.name,
        },
        Phase::Probing | Phase::Admitting => Screen::Admitting,
        Phase::Refused(why) => Screen::WrongCard { why: *why },
        Phase::Pin(entry) => pin_screen(entry, PinOf::Voter),
        Phase::Voting(voting) => booth(voting, package, opening).unwrap_or(Screen::Blank),
        Phase::Abandoned => Screen::Abandoned,
        Phase::Done | Phase::Leaving => Screen::Done,
        Phase::Blank => Screen::Blank,
    }
}

fn booth<'a>(voting: &'a Voting, package: &'a Package<'a>, opening: &'a [u8]) -> Option<Screen<'a>> {
    // What hides the choice comes first (U9).
    match voting.aside() {
        Aside::CallStaff => return Some(Screen::CallStaff),
        Aside::StillThere => return Some(Screen::StillThere),
        Aside::Locked => return Some(Screen::Locked),
        Aside::None => {}
    }
    let form = Form::new(package.manifest, voting.style())?;
    let count = voting.shape().len();
    Some(match voting.place_ref() {
        Place::Contest { index, overvote, .. } => {
            let contest = form.contest(*index)?;
            let selected = voting.chosen(*index);
            let screen = ContestScreen {
                contest: contest.contest,
                order: contest.order,
                index: *index,
                count,
                selected,
                votes_left: contest.contest.votes.saturating_sub(selected.count()),
            };
            if *overvote {
                Screen::Overvote(screen)
            } else {
                Screen::Contest(screen)
            }
        }
        Place::Review => Screen::Review(Review {
            form,
            selected: voting.selected(),
        }),
        Place::Ending { .. } => Screen::EndWithoutVote,
        Place::Encrypting { .. } => Screen::Encrypting,
        Place::Sealed { used_up: true, .. } => Screen::ChallengesUsedUp,
        Place::Sealed { code, .. } => Screen::CastOrChallenge {
            code,
            challenges_left: voting.challenges_left(),
        },
        Place::Opening { code, page } => Screen::Opening(OpeningScreen {
            contest: form.contest(*page)?.contest,
            index: *page,
            count,
            selected: voting.chosen(*page),
            code,
            payload: opening,
        }),
    })
}
