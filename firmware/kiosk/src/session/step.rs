//! The transitions.

use super::outcome::{Effect, Effects, Outcome, Record, Then};
use super::state::{Aside, MAX_CONTESTS, Phase, PinEntry, Place, Selected, State, Voting};
use super::{Input, WrongCard};
use crate::ports::{Lamp, Sound};
use crate::screen::{StaffTouch, Touch};

impl State {
    /// One step. Inputs that a state does not expect change nothing: a hostile or late port must not move a voter.
    pub fn step(self, input: Input) -> Outcome {
        let mut out = Builder::default();
        let phase = match (self.phase, input) {
            (Phase::Idle, Input::Inserted) => out.then(Phase::Probing, [Effect::Probe]),
            (Phase::Idle, Input::Unreadable(why)) => refuse(&mut out, why),
            (Phase::Idle, Input::Touch(Touch::Staff(StaffTouch::Menu))) => out.then(Phase::Idle, [Effect::StaffMenu]),

            // From admission: fewer tries are left than the first look said, and nothing was tried.
            (Phase::Probing | Phase::Admitting, Input::Ready { tries_left, digits }) => {
                Phase::Pin(PinEntry::new(tries_left, false, digits))
            }
            (Phase::Probing | Phase::Admitting, Input::Refused(why)) => refuse(&mut out, why),

            (Phase::Pin(entry), Input::Touch(touch)) => pin(&mut out, entry, touch),
            (Phase::Pin(mut entry), Input::Timeout) => {
                entry.clear();
                Phase::Pin(entry)
            }

            (Phase::Admitting, Input::WrongPin { tries_left, digits }) => {
                out.effect(Effect::Sound(Sound::Refused));
                Phase::Pin(PinEntry::new(tries_left, true, digits))
            }
            (
                Phase::Admitting,
                Input::Admitted {
                    admission,
                    shape,
                    challenges_left,
                },
            ) => {
                out.record = Some(Record::Admitted);
                out.then(
                    Phase::Voting(Voting {
                        tag: admission.tag,
                        style: admission.style,
                        shape,
                        selected: [Selected::NONE; MAX_CONTESTS],
                        challenges_left,
                        place: FIRST,
                        aside: Aside::None,
                    }),
                    [Effect::Lamp(Lamp::Voting)],
                )
            }

            (Phase::Voting(_), Input::Removed) => {
                out.record = Some(Record::Abandoned);
                out.then(Phase::Abandoned, [Effect::Wipe, Effect::Lamp(Lamp::Ready)])
            }
            (Phase::Voting(voting), input) => voting_step(&mut out, voting, input),

            (Phase::Probing | Phase::Refused(_) | Phase::Pin(_) | Phase::Admitting, Input::Removed) => {
                out.then(Phase::Idle, [Effect::Forget, Effect::Lamp(Lamp::Ready)])
            }
            (Phase::Refused(WrongCard::ReaderGone), Input::Timeout) => {
                out.then(Phase::Idle, [Effect::Lamp(Lamp::Ready)])
            }
            (Phase::Refused(why), Input::Timeout) => out.then(Phase::Refused(why), [Effect::Lamp(Lamp::Call)]),
            (Phase::Refused(why), Input::Touch(Touch::CallStaff)) => out.then(
                Phase::Refused(why),
                [Effect::Lamp(Lamp::Call), Effect::Sound(Sound::Call)],
            ),

            (Phase::Done, Input::Removed) => Phase::Leaving,
            (Phase::Leaving, Input::Timeout) => Phase::Blank,
            // The card lies there: whoever comes next must not take it for theirs.
            (Phase::Done, Input::Timeout) => {
                out.then(Phase::Done, [Effect::Lamp(Lamp::Call), Effect::Sound(Sound::Call)])
            }
            (Phase::Blank, Input::Timeout) | (Phase::Abandoned, Input::Timeout | Input::Touch(Touch::Confirm)) => {
                out.then(Phase::Idle, [Effect::Lamp(Lamp::Ready)])
            }
            (phase, _) => phase,
        };
        let serial = self.serial.wrapping_add(1);
        Outcome::new(
            serial,
            out.record,
            Then {
                state: Self { serial, phase },
                effects: out.effects,
            },
        )
    }
}

const FIRST: Place = Place::Contest {
    index: 0,
    changing: false,
    overvote: false,
};

#[derive(Default)]
struct Builder {
    record: Option<Record>,
    effects: Effects,
}

impl Builder {
    fn effect(&mut self, effect: Effect) {
        // Four places; no transition has more than three.
        let _ = self.effects.push(effect);
    }

    fn then<const N: usize>(&mut self, phase: Phase, effects: [Effect; N]) -> Phase {
        for effect in effects {
            self.effect(effect);
        }
        phase
    }
}

fn refuse(out: &mut Builder, why: WrongCard) -> Phase {
    out.then(Phase::Refused(why), [Effect::Forget, Effect::Sound(Sound::Refused)])
}

fn pin(out: &mut Builder, mut entry: PinEntry, touch: Touch) -> Phase {
    match touch {
        Touch::Confirm if entry.warns() => entry.accept(),
        Touch::Digit(digit) if !entry.warns() => entry.type_digit(digit),
        Touch::Clear => entry.clear(),
        Touch::Enter if entry.complete() => {
            if let Some(pin) = entry.pin() {
                let last_try_accepted = entry.accepted();
                return out.then(Phase::Admitting, [Effect::Admit { pin, last_try_accepted }]);
            }
        }
        Touch::CallStaff => {
            entry.clear();
            out.effect(Effect::Lamp(Lamp::Call));
            out.effect(Effect::Sound(Sound::Call));
        }
        _ => {}
    }
    Phase::Pin(entry)
}

/// A step between admission and the end, but for the card's removal.
fn voting_step(out: &mut Builder, mut voting: Voting, input: Input) -> Phase {
    // While something is being computed only its result counts.
    if let Place::Encrypting { ending } = voting.place {
        if let Input::Encrypted { code } = input {
            if ending {
                return cast(out, &voting);
            }
            voting.place = Place::Sealed { code, used_up: false };
        }
        return Phase::Voting(voting);
    }
    match (voting.aside, input) {
        (Aside::None, Input::Timeout) => {
            voting.aside = Aside::StillThere;
            out.effect(Effect::Sound(Sound::Call));
        }
        (Aside::StillThere, Input::Timeout) => {
            voting.aside = Aside::Locked;
            out.effect(Effect::Sound(Sound::Call));
            out.effect(Effect::Lamp(Lamp::Call));
        }
        (Aside::StillThere, Input::Touch(_)) => voting.aside = Aside::None,
        (Aside::CallStaff, Input::Touch(Touch::Back | Touch::Confirm)) => {
            voting.aside = Aside::None;
            out.effect(Effect::Lamp(Lamp::Voting));
        }
        (Aside::None, Input::Touch(Touch::CallStaff)) => {
            voting.aside = Aside::CallStaff;
            out.effect(Effect::Lamp(Lamp::Call));
            out.effect(Effect::Sound(Sound::Call));
        }
        (Aside::None, Input::Touch(touch)) => return touched(out, voting, touch),
        _ => {}
    }
    Phase::Voting(voting)
}

fn cast(out: &mut Builder, voting: &Voting) -> Phase {
    out.record = Some(Record::Cast(voting.tag));
    out.then(
        Phase::Done,
        [Effect::Wipe, Effect::Sound(Sound::Done), Effect::Lamp(Lamp::Finished)],
    )
}

fn touched(out: &mut Builder, mut voting: Voting, touch: Touch) -> Phase {
    let last = voting.shape.len().saturating_sub(1);
    let contest = |index, changing| Place::Contest {
        index,
        changing,
        overvote: false,
    };
    voting.place = match (voting.place, touch) {
        (
            Place::Contest {
                index,
                changing,
                overvote: true,
            },
            Touch::Confirm | Touch::Back,
        ) => contest(index, changing),
        (place @ Place::Contest { overvote: true, .. }, _) => place,
        (Place::Contest { index, changing, .. }, Touch::Option(option)) => {
            let overvote = !select(&mut voting, index, option);
            Place::Contest {
                index,
                changing,
                overvote,
            }
        }
        (Place::Contest { index, changing, .. }, Touch::Next) => {
            if changing || index >= last {
                Place::Review
            } else {
                contest(index + 1, false)
            }
        }
        (Place::Contest { changing: true, .. }, Touch::Back) => Place::Review,
        (Place::Contest { index, .. }, Touch::Back) => contest(index.saturating_sub(1), false),
        (Place::Contest { index, changing, .. }, Touch::EndWithoutVote) => Place::Ending {
            contest: Some(index),
            changing,
        },

        (Place::Review, Touch::Change(index)) if index <= last => contest(index, true),
        (Place::Review, Touch::Back) => contest(last, false),
        (Place::Review, Touch::EndWithoutVote) => Place::Ending {
            contest: None,
            changing: false,
        },
        (Place::Review, Touch::Confirm) => {
            out.effect(Effect::Encrypt);
            Place::Encrypting { ending: false }
        }

        (Place::Ending { contest: None, .. }, Touch::Back) => Place::Review,
        (
            Place::Ending {
                contest: Some(index),
                changing,
            },
            Touch::Back,
        ) => contest(index, changing),
        (Place::Ending { .. }, Touch::Confirm) => {
            voting.selected = [Selected::NONE; MAX_CONTESTS];
            out.effect(Effect::Encrypt);
            Place::Encrypting { ending: true }
        }

        (Place::Sealed { code, used_up: true }, Touch::Confirm | Touch::Back) => Place::Sealed { code, used_up: false },
        (Place::Sealed { used_up: false, .. }, Touch::Cast) => return cast(out, &voting),
        (Place::Sealed { used_up: false, .. }, Touch::Back) => {
            out.effect(Effect::Wipe);
            Place::Review
        }
        (Place::Sealed { code, used_up: false }, Touch::Challenge) => match voting.challenges_left.checked_sub(1) {
            None => Place::Sealed { code, used_up: true },
            Some(left) => {
                voting.challenges_left = left;
                out.record = Some(Record::Spoiled);
                out.effect(Effect::CountChallenge(voting.tag));
                Place::Opening { code, page: 0 }
            }
        },

        (Place::Opening { code, page }, Touch::Back) => Place::Opening {
            code,
            page: page.saturating_sub(1),
        },
        (Place::Opening { code, page }, Touch::Next) if page < last => Place::Opening { code, page: page + 1 },
        (Place::Opening { page, .. }, Touch::Next | Touch::Confirm) if page >= last => {
            // The spoiled choice was shown with its code: the next ballot starts empty.
            voting.selected = [Selected::NONE; MAX_CONTESTS];
            out.effect(Effect::Wipe);
            FIRST
        }
        (place, _) => place,
    };
    Phase::Voting(voting)
}

/// Flips an option; false if that would be more than there are votes (V13: blocked and explained, nothing deselected).
fn select(voting: &mut Voting, index: u8, option: u8) -> bool {
    let Some((options, votes)) = voting.shape.contest(index) else {
        return true;
    };
    let Some(selected) = voting.selected.get_mut(usize::from(index)) else {
        return true;
    };
    if option >= options {
        return true;
    }
    let wanted = selected.toggled(option);
    if wanted.count() > votes {
        return false;
    }
    *selected = wanted;
    true
}
