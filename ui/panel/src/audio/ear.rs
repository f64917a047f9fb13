//! Where the ear is on a screen, and what a key does there. Pure but for the [`Sound`] it speaks through.

use alloc::boxed::Box;
use alloc::vec::Vec;

use election::clips::{ClipKey, Clips};

use super::reader::{Item, Role, items};
use super::speech::{Speech, utterance};
use super::{Key, Level, Sound, Utterance, Voice};
use crate::compose::{Settings, kind};
use crate::scene::{Act, Scene, Shape};
use crate::words::{LANGUAGES, Say, Word};

/// Screens that lie over another for a moment: behind them one finds oneself where one was.
const ASIDE: [&str; 8] = [
    "settings",
    "other",
    "overvote",
    "still-there",
    "call-staff",
    "end-without-vote",
    "practice-overvote",
    "practice-called",
];

/// How many screens can lie over one another: a contest, the question whether to end, settings, staff called.
const DEPTH: usize = 4;

/// Which screen it is: kind and name.
type Place = (u16, &'static str);

/// What the panel does after a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reaction {
    /// What a tap there would do.
    pub act: Option<Act>,
    /// The picture changes: another thing is framed, or the picture comes and goes.
    pub draw: bool,
}

/// Somebody who listens, and presses keys.
pub struct Ear {
    sound: Option<Box<dyn Sound>>,
    /// Nothing tells whether headphones are in: the first key switches sound on, the end of the visit off.
    by_keys: bool,
    plugged: bool,
    /// A key was pressed in this visit: what it is on is framed.
    keyed: bool,
    /// No key was answered yet in this visit.
    fresh: bool,
    blank: bool,
    /// The picture is for staff: on, whatever the voter has switched off.
    lit: bool,
    level: Level,
    place: Place,
    items: Vec<Item>,
    settings: Settings,
    cursor: Option<usize>,
    /// Where one was before screens of [`ASIDE`], the latest last.
    before: heapless::Vec<(Place, usize), DEPTH>,
    last: Utterance,
    /// What must be pressed twice was pressed once.
    armed: Option<Act>,
}

impl Default for Ear {
    fn default() -> Self {
        Self {
            sound: None,
            by_keys: false,
            plugged: false,
            keyed: false,
            fresh: true,
            blank: false,
            lit: false,
            level: Level::home(super::VOLUMES / 2),
            place: (kind::BLANK, ""),
            items: Vec::new(),
            settings: Settings::default(),
            cursor: None,
            before: heapless::Vec::new(),
            last: Utterance::new(),
            armed: None,
        }
    }
}

impl Ear {
    /// Through which it hears. `by_keys`: headphones cannot be felt here, so the first key switches sound on.
    pub fn connect(&mut self, sound: Box<dyn Sound>, by_keys: bool) {
        self.level = Level::home(sound.home());
        (self.sound, self.by_keys) = (Some(sound), by_keys);
    }

    /// The clips of the package.
    pub fn clips(&mut self, clips: Option<&Clips<'_>>) {
        if let Some(sound) = &mut self.sound {
            sound.clips(clips);
        }
    }

    /// Whether it can speak; `None` where nobody has tried to make it.
    #[must_use]
    pub fn voice(&self) -> Option<Voice> {
        self.sound.as_ref().map(|sound| sound.voice())
    }

    /// Whether the picture is off.
    #[must_use]
    pub const fn blank(&self) -> bool {
        self.blank && !self.lit
    }

    /// What is to be framed: only for somebody who uses keys.
    #[must_use]
    pub fn focus(&self) -> Option<Act> {
        let item = self.items.get(self.cursor?)?;
        if self.keyed { item.act } else { None }
    }

    /// The next voter: as it was in the morning.
    pub fn reset(&mut self) {
        let home = self.sound.as_ref().map_or(super::VOLUMES / 2, |sound| sound.home());
        self.level = Level::home(home);
        (self.blank, self.keyed, self.fresh, self.cursor, self.armed) = (false, false, true, None, None);
        self.before.clear();
        self.last.clear();
        if self.sound.is_none() {
            // Nobody follows the screens any more: nothing of the last one is kept.
            self.items.clear();
            self.place = (kind::BLANK, "");
        }
        if self.by_keys {
            self.plugged = false;
            self.silence();
        }
    }

    /// Headphones go in or out. Out is silence at once: nothing is ever said to a room. The picture stays as it is.
    pub fn headphones(&mut self, plugged: bool) {
        if plugged == self.plugged {
            return;
        }
        self.plugged = plugged;
        if plugged {
            let mut speech = self.intro();
            speech.push(Word::AudioHelp.into());
            self.say(&speech);
        } else {
            self.silence();
        }
    }

    /// The picture is on again: somebody touched the dark panel.
    pub fn wake(&mut self) {
        self.blank = false;
        self.say(&[Word::AudioShown.into()]);
    }

    /// The voter who switched the picture off is not there any more.
    pub fn lighten(&mut self) {
        self.blank = false;
    }

    /// A key is pressed: from now on screens are followed. True if they were not before, and the one that is shown has to be told.
    pub fn begin(&mut self) -> bool {
        !core::mem::replace(&mut self.keyed, true) && self.sound.is_none()
    }

    /// A screen is drawn; `lit`: for staff, and the picture is on as long as it stands. Where nobody listens and nobody presses keys (a board without sound) this costs nothing.
    pub fn shown(&mut self, scene: &Scene, settings: Settings, lit: bool) {
        let turned = core::mem::replace(&mut self.lit, lit) != lit && self.blank;
        if self.sound.is_none() && !self.keyed {
            return;
        }
        let (place, items) = ((scene.kind, scene.name), items(scene));
        let other_language = self.settings.language != settings.language;
        self.settings = settings;
        let old = core::mem::replace(&mut self.items, items);
        if place != self.place {
            self.arrive(place, turned);
        } else if old != self.items {
            self.changed(&old);
        } else if other_language {
            // The choice of a language is answered in it.
            self.say(&self.here());
        }
    }

    /// `turned`: the picture has come or gone with the screen, which nobody hears otherwise.
    fn arrive(&mut self, place: Place, turned: bool) {
        let from = core::mem::replace(&mut self.place, place);
        let left = self.cursor.take();
        if let Some(at) = self.before.iter().position(|(before, _)| *before == place) {
            let cursor = self.before.get(at).map(|(_, cursor)| *cursor);
            self.cursor = cursor.filter(|cursor| *cursor < self.items.len());
            self.before.truncate(at);
        } else if !ASIDE.contains(&place.1) {
            self.before.clear();
        } else if let Some(cursor) = left {
            // Deeper than screens ever lie over one another: one begins at the top there, and nothing else happens.
            let _ = self.before.push((from, cursor));
        }
        self.armed = None;
        let mut speech = self.intro();
        if turned {
            speech.push(self.picture().into());
        }
        if self.cursor.is_some() {
            speech.extend(self.here());
        }
        // A blank panel lets what was said come to its end.
        if !speech.is_empty() {
            self.say(&speech);
        }
    }

    /// The same screen with something else on it.
    fn changed(&mut self, old: &[Item]) {
        let act = self.cursor.and_then(|cursor| old.get(cursor)).and_then(|item| item.act);
        let same = |item: &Item| item.act.is_some() && item.act == act;
        self.cursor = self
            .items
            .iter()
            .position(same)
            .or(self.cursor.filter(|at| *at < self.items.len()));
        let was = |item: &Item| old.iter().find(|old| old.act == item.act && old.says == item.says);
        let mut speech = Vec::new();
        for item in self.items.iter().filter(|item| item.role == Role::Option) {
            if was(item).is_some_and(|old| old.chosen != item.chosen) {
                let state = if item.chosen {
                    Word::AudioNowChosen
                } else {
                    Word::AudioNowUnchosen
                };
                // What is let go because another took its place needs no word.
                if item.chosen || self.place.1 != "settings" {
                    speech.extend(item.says.iter().cloned());
                    speech.push(state.into());
                }
            }
        }
        if !speech.is_empty() {
            let status = self.items.iter().filter(|item| item.role == Role::Status);
            speech.extend(status.flat_map(|item| item.says.iter().cloned()));
        } else if let Some(typed) = self.items.iter().find(|item| item.role == Role::Typed) {
            speech.extend(typed.says.iter().cloned());
        } else {
            self.cursor = None;
            speech = self.intro();
        }
        self.say(&speech);
    }

    /// A key. Whoever reads the keypad gives each press once (V7).
    pub fn key(&mut self, key: Key) -> Reaction {
        if self.by_keys && !self.plugged {
            self.headphones(true);
            return Reaction::default();
        }
        let draw = core::mem::take(&mut self.fresh);
        let any = self.items.iter().find(|item| item.role == Role::AnyKey);
        if let Some(act) = any.and_then(|item| item.act) {
            return Reaction { act: Some(act), draw };
        }
        let reaction = match key {
            Key::Next => self.step(true),
            Key::Previous => self.step(false),
            Key::Select => self.select(),
            Key::Digit(digit) => self.digit(digit),
            Key::Repeat => {
                let last = core::mem::take(&mut self.last);
                self.play(last);
                Reaction::default()
            }
            Key::Help => {
                let speech = self.whereabouts();
                self.say(&speech);
                Reaction::default()
            }
            Key::Louder | Key::Softer => {
                self.level = self.level.louder(key == Key::Louder);
                self.level_said(Word::AudioVolume, self.level.volume)
            }
            Key::Faster | Key::Slower => {
                self.level = self.level.faster(key == Key::Faster);
                self.level_said(Word::AudioRate, self.level.rate + 1)
            }
            Key::Blank => {
                // Not where staff look: there it is on, and is said to be.
                self.blank ^= !self.lit;
                self.say(&[self.picture().into()]);
                Reaction { act: None, draw: true }
            }
        };
        if key != Key::Select {
            self.armed = None;
        }
        Reaction {
            draw: reaction.draw || draw,
            ..reaction
        }
    }

    /// Whether the picture is on, in words.
    const fn picture(&self) -> Word {
        if self.blank() {
            Word::AudioBlank
        } else {
            Word::AudioShown
        }
    }

    fn level_said(&mut self, word: Word, step: u8) -> Reaction {
        let last = self.last.clone();
        self.say(&[Speech::Say(Say::with(word, &[("n", i64::from(step))]))]);
        // Said again after this is what one was listening to.
        self.last = last;
        Reaction::default()
    }

    fn step(&mut self, onward: bool) -> Reaction {
        let last = self.items.len().checked_sub(1);
        let first_act = self.items.iter().position(|item| item.act.is_some());
        let (to, edge) = match (self.cursor, onward) {
            // What is said first is heard already: on to the first thing that does something.
            (None, true) => (first_act.or(last), None),
            (None, false) => (last.map(|_| 0), None),
            (Some(at), true) if Some(at) >= last => (last, Some(Word::AudioLast)),
            (Some(0), false) => (Some(0), Some(Word::AudioFirst)),
            (Some(at), true) => (Some(at + 1), None),
            (Some(at), false) => (Some(at - 1), None),
        };
        self.cursor = to;
        let mut speech = self.here();
        if let Some(edge) = edge {
            speech.insert(0, edge.into());
        }
        self.say(&speech);
        Reaction { act: None, draw: true }
    }

    fn select(&mut self) -> Reaction {
        let act = self.cursor.and_then(|at| self.items.get(at)).and_then(|item| item.act);
        let Some(act) = act else {
            let speech = if self.cursor.is_some() {
                self.here()
            } else {
                self.whereabouts()
            };
            self.say(&speech);
            return Reaction::default();
        };
        // What a finger must stay on is pressed twice: a voter does not meet it by chance.
        if act.held() && self.armed != Some(act) {
            self.armed = Some(act);
            self.say(&[Word::AudioAgain.into()]);
            return Reaction::default();
        }
        self.armed = None;
        Reaction {
            act: Some(act),
            draw: false,
        }
    }

    fn digit(&mut self, digit: u8) -> Reaction {
        use kiosk::screen::Touch;
        let is =
            |act: Act| matches!(act, Act::Send(Touch::Digit(own)) | Act::Practice(Touch::Digit(own)) if own == digit);
        let key = self
            .items
            .iter()
            .filter(|item| item.role == Role::Key)
            .find_map(|item| item.act.filter(|act| is(*act)));
        Reaction { act: key, draw: false }
    }

    /// What is said of a screen before anything is pressed: all up to the first thing that does something, and votes left.
    fn intro(&self) -> Vec<Speech> {
        let first = self
            .items
            .iter()
            .take_while(|item| item.act.is_none() && item.role != Role::Status);
        let status = self
            .items
            .iter()
            .filter(|item| matches!(item.role, Role::Status | Role::AnyKey));
        first.chain(status).flat_map(|item| item.says.iter().cloned()).collect()
    }

    /// What the cursor is on.
    fn here(&self) -> Vec<Speech> {
        let Some(item) = self.cursor.and_then(|at| self.items.get(at)) else {
            return self.intro();
        };
        let mut speech = item.says.clone();
        match item.role {
            Role::Option if item.chosen => speech.push(Word::AudioChosen.into()),
            Role::Button => speech.push(Word::AudioButton.into()),
            _ => {}
        }
        speech
    }

    /// Title, which of how many things, the thing, and what the keys do.
    fn whereabouts(&self) -> Vec<Speech> {
        let title = self.items.iter().take_while(|item| item.act.is_none());
        let mut speech: Vec<Speech> = title.flat_map(|item| item.says.iter().cloned()).collect();
        if let Some(cursor) = self.cursor {
            let number = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
            let place = [("n", number(cursor + 1)), ("m", number(self.items.len()))];
            speech.push(Speech::Say(Say::with(Word::AudioPlace, &place)));
            speech.extend(self.here());
        }
        speech.push(Word::AudioHelp.into());
        speech
    }

    fn say(&mut self, speech: &[Speech]) {
        let Some(language) = LANGUAGES.get(self.settings.language).or(LANGUAGES.first()) else {
            return;
        };
        let clips = match &self.sound {
            Some(sound) => {
                let has = |key: ClipKey| sound.has(key);
                utterance(speech, language, &has)
            }
            None => return,
        };
        self.play(clips);
    }

    fn play(&mut self, clips: Utterance) {
        if self.plugged
            && let Some(sound) = &mut self.sound
        {
            sound.say(&clips, self.level);
        }
        self.last = clips;
    }

    fn silence(&mut self) {
        if let Some(sound) = &mut self.sound {
            sound.stop();
        }
    }
}

/// Whether keys mean something on a screen: not between voters.
pub(crate) fn listens(scene: &Scene) -> bool {
    scene.shape != Shape::Blank
}
