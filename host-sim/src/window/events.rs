//! What happens at the station, in short lines: for whoever looks at the dock. Never a choice, never a digit.

use std::collections::VecDeque;

use kiosk::ports::Sound;
use kiosk::screen::{PinOf, Recorded};

use crate::world::view::{StaffView, View};

/// Lines that are kept.
pub const MOST: usize = 6;

/// The latest events.
#[derive(Default)]
pub struct Events {
    lines: VecDeque<(String, String)>,
    said: String,
}

impl Events {
    /// Something happens at a time of day.
    pub fn say(&mut self, clock: &str, text: impl Into<String>) {
        self.lines.push_front((clock.to_owned(), text.into()));
        self.lines.truncate(MOST);
    }

    /// A picture appears: said if it says something new.
    pub fn view(&mut self, clock: &str, view: &View) {
        if let Some(text) = of(view)
            && text != self.said
        {
            self.said.clone_from(&text);
            self.say(clock, text);
        }
    }

    /// Time of day and text, newest first.
    pub fn lines(&self) -> impl Iterator<Item = &(String, String)> {
        self.lines.iter()
    }
}

/// A sound, in words.
#[must_use]
pub const fn sound(sound: Sound) -> &'static str {
    match sound {
        Sound::Done => "sound: recorded",
        Sound::Refused => "sound: refused",
        Sound::Call => "sound: staff are called",
        Sound::Fault => "sound: out of order",
    }
}

fn of(view: &View) -> Option<String> {
    let text = match view {
        View::Starting => "the kiosk starts".into(),
        View::Idle => "the kiosk waits for a card".into(),
        View::WrongCard(why) => format!("refused: {why}"),
        View::Pin {
            wrong, tries_left, who, ..
        } => {
            let whose = match who {
                PinOf::Voter => "PIN",
                PinOf::Staff(_) => "staff PIN",
            };
            if *wrong {
                format!("wrong {whose}: {tries_left} tries left")
            } else {
                format!("the kiosk asks for the {whose}")
            }
        }
        View::LastTry(_) => "the last try is announced".into(),
        View::Contest(contest) if contest.index == 0 => "the voter is let in".into(),
        View::Overvote(_) => "an overvote is explained".into(),
        View::CastOrChallenge { .. } => "a ballot is encrypted".into(),
        View::Opening(_) => "a ballot is challenged and opened".into(),
        View::Done => "recorded on both media".into(),
        View::Abandoned => "abandoned: nothing is recorded".into(),
        View::StillThere => "is anybody there?".into(),
        View::Locked => "locked: staff take the card out".into(),
        View::CallStaff => "the voter calls staff".into(),
        View::Fault { why, .. } => format!("out of order: {why:?}"),
        View::Staff(staff) => return of_staff(staff),
        _ => return None,
    };
    Some(text)
}

fn of_staff(view: &StaffView) -> Option<String> {
    let text = match view {
        StaffView::InsertCard { number, .. } => format!("staff card {number} is wanted"),
        StaffView::CardRefused(why) => format!("staff card refused: {why:?}"),
        StaffView::ZeroReport(_) => "zero report".into(),
        StaffView::Restarted(found) => match found.voter {
            None => "restarted: nobody was voting".into(),
            Some(Recorded::Yes) => "restarted: the vote stands".into(),
            Some(Recorded::No) => "restarted: the vote is not recorded".into(),
            Some(Recorded::Unknown) => "restarted: unknown whether the vote stands".into(),
        },
        StaffView::ConfirmClose(_) => "close polls?".into(),
        StaffView::Closed { .. } => "polls are closed".into(),
        _ => return None,
    };
    Some(text)
}
