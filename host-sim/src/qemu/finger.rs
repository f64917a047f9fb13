//! A finger: finds the place of a touch on the panel as Linux draws it, and comes down on that pixel of the board.
//!
//! The mirror is a panel of the same size that is shown the same screens and touched at the same places. The finger turns pages and opens what
//! stands behind "more" as a person does. A touch that no button of the screen gives cannot be made, and that is told: people who press what
//! is not there would stand before a kiosk that does not answer.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use kiosk::screen::{Screen, Touch};
use mcu::finger::{Finger as Event, Phase};
use mcu::stand::{self, serial};
use panel::Panel;
use panel::scene::Act;
use panel::words::LANGUAGES;

use super::guest::Guest;
use super::image::lock;
use super::mirror::Mirror;
use super::picture::{Album, Letters};
use crate::world::executor::Outside as _;
use crate::world::time::Timeline;

/// Milliseconds a finger stays down.
const TAP: u64 = 130;
/// The same for what has to be held, with some more.
const HOLD: u64 = panel::touch::HOLD + 200;
/// Milliseconds before a page that was just turned is touched: longer than the panel takes no touch for.
const LOOK: u64 = panel::touch::GUARD + 50;
/// Pages and menus that are gone through for one touch.
const STEPS: usize = 40;

/// What became of a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// A finger came down there.
    Yes,
    /// Another screen came meanwhile: whoever wanted to touch looks again.
    TooLate,
    /// The screen has no such button, on no page and behind no other.
    NotOffered,
}

/// The hand of whoever stands there.
pub struct Finger {
    mirror: Mirror,
    guest: Rc<Guest>,
    time: Rc<Timeline>,
    /// Screens shown.
    shown: Cell<u64>,
}

impl Finger {
    /// A hand in front of a board.
    pub const fn new(guest: Rc<Guest>, time: Rc<Timeline>, mirror: Mirror) -> Self {
        Self {
            mirror,
            guest,
            time,
            shown: Cell::new(0),
        }
    }

    /// The panel that finds the buttons.
    pub const fn panel(&self) -> &Panel {
        self.mirror.panel()
    }

    /// What the board shows.
    pub fn show(&self, screen: &Screen<'_>) {
        self.mirror.keep_up(self.time.now());
        self.mirror.panel().show(screen);
        self.shown.set(self.shown.get() + 1);
    }

    /// Touches where the panel offers this.
    ///
    /// # Errors
    /// The board is gone.
    pub async fn touch(&self, touch: Touch, album: &Mutex<Album>) -> Result<Made> {
        let shown = self.shown.get();
        let wanted = |act: Act| act == Act::Send(touch) || act == Act::Hold(touch);
        let missed = || {
            if self.shown.get() == shown {
                Made::NotOffered
            } else {
                Made::TooLate
            }
        };
        // Onward through the pages, back to the first, then what stands behind "more".
        let mut back = false;
        for _ in 0..STEPS {
            if self.find(wanted).is_some() {
                self.compare(album)?;
                return Ok(if self.press(wanted).await? {
                    Made::Yes
                } else {
                    Made::TooLate
                });
            }
            if !back && self.press(|act| act == Act::NextPage).await? {
                continue;
            }
            back = true;
            if self.press(|act| act == Act::PreviousPage).await? {
                continue;
            }
            if !self.press(|act| act == Act::Other).await? || self.find(wanted).is_none() {
                let made = missed();
                // Nothing is left open.
                self.press(|act| act == Act::Close).await?;
                return Ok(made);
            }
        }
        Ok(missed())
    }

    /// Sets the panel's language, as a voter does who reads another one.
    ///
    /// # Errors
    /// The board is gone.
    pub async fn language(&self, tag: &str) -> Result<bool> {
        let language = LANGUAGES.iter().position(|language| language.tag == tag);
        let Some(language) = language else { return Ok(false) };
        for wanted in [Act::Settings, Act::Language(language), Act::Close] {
            if !self.reach(wanted).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A tap on one of the panel's own buttons, on whichever page it is, or behind "more".
    async fn reach(&self, wanted: Act) -> Result<bool> {
        for _ in 0..STEPS {
            if self.find(|act| act == wanted).is_some() {
                return self.press(|act| act == wanted).await;
            }
            if !self.press(|act| act == Act::NextPage).await? && !self.press(|act| act == Act::Other).await? {
                return Ok(false);
            }
        }
        Ok(false)
    }

    fn find(&self, wanted: impl Fn(Act) -> bool) -> Option<(i32, i32, bool)> {
        let page = self.mirror.panel().page();
        let area = page.areas.iter().find(|area| area.act.is_some_and(&wanted))?;
        let held = area.act.is_some_and(Act::held);
        Some((area.x + area.width / 2, area.y + area.height / 2, held))
    }

    /// A tap on the button that does this.
    async fn press(&self, wanted: impl Fn(Act) -> bool) -> Result<bool> {
        let Some((x, y, held)) = self.find(&wanted) else {
            return Ok(false);
        };
        // A picture takes no touch at first; and the same touch twice is one if it comes at once.
        self.time.sleep(LOOK).await;
        let Some(there) = self.find(&wanted) else {
            return Ok(false);
        };
        if (x, y, held) != there {
            return Ok(false);
        }
        self.event(Phase::Down, x, y)?;
        self.time.sleep(if held { HOLD } else { TAP }).await;
        self.event(Phase::Up, x, y)?;
        // The mirror's own touch is nobody's.
        while self.panel().try_next().is_some() {}
        Ok(true)
    }

    /// A finger on the glass, and on the mirror's.
    ///
    /// # Errors
    /// The board is gone, or there is no such pixel.
    pub fn event(&self, phase: Phase, x: i32, y: i32) -> Result<()> {
        self.mirror.keep_up(self.time.now());
        let event = Event {
            phase,
            x: u16::try_from(x)?,
            y: u16::try_from(y)?,
        };
        self.guest.send(serial::TOUCH, &event.encode())?;
        self.mirror.touch(phase, x, y);
        Ok(())
    }

    /// The board's picture, RGB565 row by row, if it has drawn since it had drawn `known` times.
    ///
    /// # Errors
    /// What the file system says.
    pub fn picture(&self, known: &mut u32) -> Result<Option<Vec<u8>>> {
        let frames = self.guest.memory.word(stand::word::FRAMES)?;
        if frames == *known {
            return Ok(None);
        }
        *known = frames;
        let bytes = self
            .guest
            .memory
            .read(stand::FRAMEBUFFER, stand::WIDTH * stand::HEIGHT * 2)?;
        Ok(Some(bytes))
    }

    /// Compares what the board draws with what Linux draws, the first time of each picture.
    fn compare(&self, album: &Mutex<Album>) -> Result<()> {
        if !matches!(self.mirror, Mirror::Drawn { .. }) {
            return Ok(());
        }
        // The board has drawn all it will, and the mirror has seen all that the board has shown.
        self.guest.settle()?;
        if !self.guest.heard.borrow().screens.is_empty() {
            return Ok(());
        }
        let settings = self.panel().settings();
        let tag = LANGUAGES.get(settings.language).map_or("", |language| language.tag);
        let name = format!("{}.{tag}", self.panel().name());
        let mut album = lock(album);
        if album.has(&name) {
            return Ok(());
        }
        let bytes = self
            .guest
            .memory
            .read(stand::FRAMEBUFFER, stand::WIDTH * stand::HEIGHT * 2)?;
        let linux = self.mirror.pixels().context("a panel that is drawn")?;
        let letters = letters(&self.panel().page());
        album.compare(name, &bytes, &linux, &letters)
    }
}

/// The lines of letters of a page: its own texts. Names that the desk has drawn are pictures, and compared as such.
#[must_use]
pub fn letters(page: &panel::layout::Page) -> Vec<Letters> {
    let pixels = |value: i32| usize::try_from(value).unwrap_or(0);
    let lines = page.texts.iter().chain(&page.captions);
    lines
        .filter(|line| line.picture.is_none() && !line.text.trim().is_empty())
        .map(|line| Letters {
            x: pixels(line.x),
            y: pixels(line.y),
            width: pixels(line.width),
            height: pixels(line.height),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kiosk::form::Form;
    use panel::render::Headless;

    use super::*;
    use crate::voters::script::{End, Script};
    use crate::voters::voter::Voter;
    use crate::world::booth::{Move, Person as _};
    use crate::world::reader::Card;
    use crate::world::seed::Seed;
    use crate::world::view::View;

    fn offers(panel: &Panel, touch: Touch) -> bool {
        let wanted = |act: Option<Act>| act == Some(Act::Send(touch)) || act == Some(Act::Hold(touch));
        let pages = panel.page().count.max(1);
        let found = (0..pages).any(|page| {
            panel.turn(page);
            let page = panel.page();
            page.areas.iter().any(|area| wanted(area.act)) || page.rest.iter().any(|button| wanted(Some(button.act)))
        });
        panel.turn(0);
        found
    }

    /// Voters touch only what stands on the screen in front of them: on a board they have nothing but its buttons. (Whoever woke up at "are you
    /// still there?" once pressed a button that is not there, and stood before a kiosk that seemed to hang.)
    #[test]
    fn f9_voters_touch_only_what_the_panel_offers() {
        let definition = crate::bundled::load("kaga-consultation").unwrap();
        let imported = staff::import::import_bytes(&definition, &staff::import::Options::default()).unwrap();
        let manifest = election::manifest::Manifest::parse(&imported.manifest).unwrap();
        let form = Form::new(manifest, 0).unwrap();
        let mut scripts = vec![Script::plain(BTreeMap::new())];
        let mut with = |change: fn(&mut Script)| {
            let mut script = Script::plain(BTreeMap::new());
            change(&mut script);
            scripts.push(script);
        };
        with(|script| script.wrong_pins = 1);
        with(|script| script.overvotes = true);
        with(|script| script.challenges = 1);
        with(|script| script.second_thoughts = true);
        with(|script| script.calls_staff = true);
        with(|script| script.thinks_long = true);
        with(|script| script.end = End::WithoutVote);
        with(|script| script.end = End::PullsAndReturns);
        with(|script| script.end = End::PullsAndGoes);
        let headless = Headless::new(super::super::CONFIG).unwrap();
        let mut touched = std::collections::BTreeSet::new();
        panel::render::every(&form, &mut |name, screen| {
            // The last idle screen sets back what was turned.
            headless.panel.show(&Screen::Blank);
            headless.panel.show(screen);
            let view = View::of(screen);
            for (number, script) in scripts.iter().enumerate() {
                let rng = Seed::new("offered").rng(name, number as u64);
                let mut voter = Voter::new("somebody".into(), Card::cardboard(), "1234", script.clone(), rng);
                // The second look is of one who has been let in.
                for _ in 0..2 {
                    if let Move::Touch(touch) = voter.look(&view, true).then {
                        assert!(
                            offers(&headless.panel, touch),
                            "{name}: script {number} touches {touch:?}"
                        );
                        touched.insert(name.to_owned());
                    }
                }
            }
        });
        for name in ["still-there", "review", "end-without-vote"] {
            assert!(touched.iter().any(|one| one.starts_with(name)), "{name}: {touched:?}");
        }
        assert!(touched.len() > 15, "{touched:?}");
        // The check itself tells what is offered from what is not.
        headless.panel.show(&Screen::StillThere);
        assert!(!offers(&headless.panel, Touch::Confirm) && offers(&headless.panel, Touch::Back));
    }
}
