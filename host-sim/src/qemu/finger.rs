//! A finger: finds the place of a touch on the panel as Linux draws it, and comes down on that pixel of the board.
//!
//! The mirror is a panel of the same size that is shown the same screens and touched at the same places. It turns pages and opens what
//! stands behind "more" as a person does. Whatever the board draws differently, the finger misses.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Mutex;

use anyhow::{Context as _, Result};
use kiosk::screen::{Screen, Touch};
use mcu::finger::{Finger as Event, Phase};
use mcu::stand::{self, serial};
use panel::render::Headless;
use panel::scene::Act;
use panel::{Config, words::LANGUAGES};

use super::guest::Guest;
use super::image::lock;
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

/// The hand of whoever stands there.
pub struct Finger {
    mirror: Headless,
    guest: Rc<Guest>,
    time: Rc<Timeline>,
    /// The world's millisecond up to which the mirror's time has passed.
    passed: Cell<u64>,
}

impl Finger {
    /// A hand in front of a board.
    pub fn new(guest: Rc<Guest>, time: Rc<Timeline>) -> Result<Self> {
        let config = Config {
            width: u32::try_from(stand::WIDTH)?,
            height: u32::try_from(stand::HEIGHT)?,
            diagonal_mm: stand::DIAGONAL_MM,
        };
        let mirror = Headless::new(config).context("a panel to find buttons on")?;
        Ok(Self {
            mirror,
            guest,
            passed: Cell::new(time.now()),
            time,
        })
    }

    /// The panel that finds the buttons.
    pub const fn mirror(&self) -> &Headless {
        &self.mirror
    }

    fn keep_up(&self) {
        let now = self.time.now();
        self.mirror.advance(now.saturating_sub(self.passed.replace(now)));
    }

    /// What the board shows.
    pub fn show(&self, screen: &Screen<'_>) {
        self.keep_up();
        self.mirror.panel.show(screen);
    }

    /// Touches where the panel offers this; whether it does.
    ///
    /// # Errors
    /// The board is gone.
    pub async fn touch(&self, touch: Touch, album: &Mutex<Album>) -> Result<bool> {
        let wanted = |act: Act| act == Act::Send(touch) || act == Act::Hold(touch);
        // Onward through the pages, back to the first, then what stands behind "more".
        let mut back = false;
        for _ in 0..STEPS {
            if self.find(wanted).is_some() {
                self.compare(album)?;
                return self.press(wanted).await;
            }
            if !back && self.press(|act| act == Act::NextPage).await? {
                continue;
            }
            back = true;
            if self.press(|act| act == Act::PreviousPage).await? {
                continue;
            }
            if !self.press(|act| act == Act::Other).await? || self.find(wanted).is_none() {
                // Not offered: nothing is left open.
                self.press(|act| act == Act::Close).await?;
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Sets the panel's language, as a voter does who reads another one.
    ///
    /// # Errors
    /// The board is gone.
    pub async fn language(&self, tag: &str) -> Result<bool> {
        let language = LANGUAGES.iter().position(|language| language.tag == tag);
        let Some(language) = language else { return Ok(false) };
        Ok(self.press(|act| act == Act::Settings).await?
            && self.press(|act| act == Act::Language(language)).await?
            && self.press(|act| act == Act::Close).await?)
    }

    fn find(&self, wanted: impl Fn(Act) -> bool) -> Option<(i32, i32, bool)> {
        let page = self.mirror.panel.page();
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
        while self.mirror.panel.try_next().is_some() {}
        Ok(true)
    }

    fn event(&self, phase: Phase, x: i32, y: i32) -> Result<()> {
        self.keep_up();
        let event = Event {
            phase,
            x: u16::try_from(x)?,
            y: u16::try_from(y)?,
        };
        self.guest.send(serial::TOUCH, &event.encode())?;
        match phase {
            Phase::Down => self.mirror.press(x, y),
            Phase::Move => self.mirror.slide(x, y),
            Phase::Up => self.mirror.release(x, y),
        }
        Ok(())
    }

    /// Compares what the board draws with what Linux draws, the first time of each picture.
    fn compare(&self, album: &Mutex<Album>) -> Result<()> {
        // The board has drawn all it will, and the mirror has seen all that the board has shown.
        self.guest.settle()?;
        if !self.guest.heard.borrow().screens.is_empty() {
            return Ok(());
        }
        let settings = self.mirror.panel.settings();
        let tag = LANGUAGES.get(settings.language).map_or("", |language| language.tag);
        let name = format!("{}.{tag}", self.mirror.panel.name());
        let mut album = lock(album);
        if album.has(&name) {
            return Ok(());
        }
        let bytes = self
            .guest
            .memory
            .read(stand::FRAMEBUFFER, stand::WIDTH * stand::HEIGHT * 2)?;
        let (_, _, linux) = self.mirror.pixels();
        let linux: Vec<[u8; 3]> = linux.iter().map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
        let letters = letters(&self.mirror.panel.page());
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
