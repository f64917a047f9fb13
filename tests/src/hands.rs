//! Fingers and eyes: a kiosk's panel seen and touched from outside, whatever it is that shows it.
//!
//! What should stand on the panel is drawn here in memory by the panel's own code, and compared pixel by pixel with what does; where fingers go
//! comes from the same layout. So every picture that a test has seen was the one the specification of the screen wants.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use election::package::Package;
use kiosk::screen::{Health, Phase, Room, Screen, StaffScreen, Touch};
use panel::layout::{Area, Style};
use panel::render::Headless;
use panel::scene::Act;

use crate::xvfb::{Display, Picture, Rect};

/// The panel: 10.1 inches, 1280x800.
pub const PANEL: panel::Config = panel::Config {
    width: 1280,
    height: 800,
    diagonal_mm: 257,
};

/// From a new picture until the panel takes touches (`panel::touch::GUARD`), and a little more.
const GUARD: Duration = Duration::from_millis(panel::touch::GUARD + 60);
/// From one touch to the next of something else, so that they are no palm (`panel::touch::PALM`).
const APART: Duration = Duration::from_millis(panel::touch::PALM + 40);
/// How long a finger stays.
const TAP: Duration = Duration::from_millis(50);
/// Between two looks at what stands there.
const LOOK: Duration = Duration::from_millis(8);

/// What shows the panel and takes fingers.
pub trait Glass {
    /// What stands on it now.
    ///
    /// # Errors
    /// It cannot be seen.
    fn picture(&mut self) -> Result<&Picture>;

    /// A finger comes down.
    ///
    /// # Errors
    /// It cannot be touched.
    fn press(&mut self, x: i32, y: i32) -> Result<()>;

    /// It leaves.
    ///
    /// # Errors
    /// As [`Glass::press`].
    fn release(&mut self) -> Result<()>;

    /// A finger for so long; need not wait for it to leave.
    ///
    /// # Errors
    /// As [`Glass::press`].
    fn touch(&mut self, x: i32, y: i32, long: Duration) -> Result<()>;
}

impl Glass for Display {
    fn picture(&mut self) -> Result<&Picture> {
        self.picture()
    }

    fn press(&mut self, x: i32, y: i32) -> Result<()> {
        self.press(x, y)
    }

    fn release(&mut self) -> Result<()> {
        self.release()
    }

    fn touch(&mut self, x: i32, y: i32, long: Duration) -> Result<()> {
        self.touch(x, y, long)
    }
}

/// A panel and somebody in front of it.
pub struct Hands<G> {
    /// What shows the panel.
    pub display: G,
    /// The panel as it should be.
    pub mirror: Headless,
    /// What runs behind it; a picture is not waited for when it has ended.
    pub(crate) process: Option<Child>,
    /// Where it writes what it says.
    log: PathBuf,
    patience: Duration,
    /// Kind of the screen that stands there, and since when.
    shown: (u16, Instant),
    /// What was touched last, and when the finger left.
    touched: Option<(Act, Instant)>,
    /// How long it took from a finger on something to its picture of being touched.
    pub reactions: Vec<Duration>,
}

impl<G: Glass> Hands<G> {
    /// In front of `display`; `patience` is how long a picture may take to appear.
    ///
    /// # Errors
    /// The panel cannot be drawn.
    pub fn new(display: G, log: PathBuf, patience: Duration) -> Result<Self> {
        Ok(Self {
            display,
            mirror: Headless::new(PANEL)?,
            process: None,
            log,
            patience,
            shown: (u16::MAX, Instant::now()),
            touched: None,
            reactions: Vec::new(),
        })
    }

    /// The kiosk has this package: names are drawn from its pictures, there as here.
    pub fn names(&self, package: &Package<'_>) {
        if let Some(pictures) = &package.pictures {
            // This panel has memory for any package.
            let _ = self.mirror.panel.pictures(pictures);
        }
    }

    /// What the program wrote.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What should stand on the panel.
    #[must_use]
    pub fn wanted(&self) -> Picture {
        let (width, height, pixels) = self.mirror.pixels();
        Picture {
            width,
            height,
            pixels: pixels
                .iter()
                .map(|pixel| u32::from_be_bytes([0, pixel.r, pixel.g, pixel.b]))
                .collect(),
        }
    }

    /// What stands on the panel now.
    ///
    /// # Errors
    /// It cannot be seen.
    pub fn now(&mut self) -> Result<&Picture> {
        self.display.picture()
    }

    /// Waits until exactly this screen stands on the panel.
    ///
    /// # Errors
    /// It does not come; both pictures are kept.
    pub fn see(&mut self, screen: &Screen<'_>) -> Result<Duration> {
        self.mirror.panel.show(screen);
        let wanted = self.wanted();
        self.wait(screen, &wanted, |now| now.same_but_for_corners(&wanted))
    }

    /// Waits until exactly what the mirror shows stands on the panel: after [`Panel::repair`](panel::Panel::repair), or a key.
    ///
    /// # Errors
    /// As [`Hands::see`].
    pub fn see_mirror(&mut self) -> Result<Duration> {
        let wanted = self.wanted();
        self.wait_for(&wanted, |now| now.same_but_for_corners(&wanted))
    }

    /// What should stand on the panel with this screen.
    pub fn drawn(&mut self, screen: &Screen<'_>) -> Picture {
        self.mirror.panel.show(screen);
        self.wanted()
    }

    /// Waits until the things to touch of this screen stand on the panel: for screens with a code or a time that nobody outside knows.
    ///
    /// # Errors
    /// As [`Appliance::see`].
    pub fn see_buttons(&mut self, screen: &Screen<'_>) -> Result<Duration> {
        self.mirror.panel.show(screen);
        let wanted = self.wanted();
        let rects = self.buttons()?;
        self.wait(screen, &wanted, |now| {
            rects.iter().all(|rect| now.same_in(&wanted, *rect))
        })
    }

    /// Waits for the staff menu of a phase. The clock and what the day has brought stand on it: only its buttons are compared.
    ///
    /// # Errors
    /// As [`Appliance::see`].
    pub fn see_menu(&mut self, phase: Phase) -> Result<Duration> {
        self.see_menu_of(phase, Room::Enough)
    }

    /// The same, with what it says in frames: so much room for votes is left, and nothing else is to be noted.
    ///
    /// # Errors
    /// As [`Hands::see`].
    pub fn see_menu_of(&mut self, phase: Phase, room: Room) -> Result<Duration> {
        let health = Health {
            counts: None,
            free: 0,
            free_spoiled: 0,
            room,
            unsent: 0,
            online: None,
            height: 0,
            seconds: 0,
            media: [Ok(0); 2],
            reader: Ok(false),
            disk: None,
            celsius: None,
        };
        self.see_buttons(&Screen::Staff(StaffScreen::Menu { phase, health }))
    }

    /// Where the things to touch are, and the frames around what must not be overlooked.
    fn buttons(&self) -> Result<Vec<Rect>> {
        let page = self.mirror.panel.page();
        let rects = page
            .areas
            .iter()
            .filter(|area| match area.style {
                Style::Invisible => false,
                Style::Alarm => true,
                _ => area.act.is_some(),
            })
            .map(|area| {
                let side = |value: i32| usize::try_from(value).context("outside");
                Ok(Rect {
                    x: side(area.x)?,
                    y: side(area.y)?,
                    width: side(area.width)?,
                    height: side(area.height)?,
                })
            })
            .collect::<Result<Vec<Rect>>>()?;
        ensure!(!rects.is_empty(), "nothing to touch on {}", self.mirror.panel.name());
        Ok(rects)
    }

    fn wait(&mut self, screen: &Screen<'_>, wanted: &Picture, there: impl Fn(&Picture) -> bool) -> Result<Duration> {
        let took = self.wait_for(wanted, there)?;
        let kind = panel::compose::scene(screen).kind;
        if kind != self.shown.0 {
            self.shown = (kind, Instant::now());
        }
        Ok(took)
    }

    fn wait_for(&mut self, wanted: &Picture, there: impl Fn(&Picture) -> bool) -> Result<Duration> {
        let start = Instant::now();
        let name = self.mirror.panel.name();
        loop {
            if there(self.display.picture()?) {
                return Ok(start.elapsed());
            }
            if let Some(status) = self
                .process
                .as_mut()
                .and_then(|process| process.try_wait().ok().flatten())
            {
                bail!("the program ended with {status} before {name}: {}", self.said());
            }
            if start.elapsed() > self.patience {
                let kept = std::env::temp_dir().join("ippyo-pictures");
                fs::create_dir_all(&kept)?;
                let now = self.display.picture()?;
                now.png(&kept.join(format!("{name}-seen.png")))?;
                wanted.png(&kept.join(format!("{name}-wanted.png")))?;
                bail!(
                    "{name} does not appear ({} pixels differ; pictures in {}): {}",
                    now.differing(wanted),
                    kept.display(),
                    self.said()
                );
            }
            std::thread::sleep(LOOK);
        }
    }

    fn find(&self, act: Act) -> Option<Area> {
        let page = self.mirror.panel.page();
        page.areas.iter().find(|area| area.act == Some(act)).cloned()
    }

    /// Touches what does this, turning pages until it is there.
    ///
    /// # Errors
    /// It is on no page, or a page does not appear.
    pub fn tap(&mut self, act: Act) -> Result<()> {
        for _ in 0..50 {
            let area = self.find(act);
            let target = match &area {
                Some(area) => area.clone(),
                None => self
                    .find(Act::NextPage)
                    .with_context(|| format!("{act:?} is not on {}", self.mirror.panel.name()))?,
            };
            self.guard(target.act);
            let (x, y) = middle(&target);
            let long = if matches!(act, Act::Hold(_)) && area.is_some() {
                Duration::from_millis(panel::touch::HOLD + 150)
            } else {
                TAP
            };
            self.display.touch(x, y, long)?;
            self.touched = target.act.map(|act| (act, Instant::now() + long));
            if area.is_some() {
                return Ok(());
            }
            // Both turn their page.
            self.mirror.tap(x, y);
            let wanted = self.wanted();
            let rects = self.buttons()?;
            self.wait_for(&wanted, |now| rects.iter().all(|rect| now.same_in(&wanted, *rect)))?;
            self.shown.1 = Instant::now();
        }
        bail!("{act:?} is on no page of {}", self.mirror.panel.name())
    }

    /// Touches what gives this touch.
    ///
    /// # Errors
    /// As [`Appliance::tap`].
    pub fn send(&mut self, touch: Touch) -> Result<()> {
        self.tap(Act::Send(touch))?;
        if !matches!(touch, Touch::Digit(_)) {
            // Whatever comes next may be the same kind of screen with another one between.
            self.shown.0 = u16::MAX;
        }
        Ok(())
    }

    /// As [`Appliance::send`], and measures how long it takes until the thing touched looks touched.
    ///
    /// # Errors
    /// As [`Appliance::tap`].
    pub fn send_measured(&mut self, touch: Touch) -> Result<()> {
        let area = self.find(Act::Send(touch)).context("not on this page")?;
        self.guard(area.act);
        let before = self.display.picture()?.clone();
        let (x, y) = middle(&area);
        let start = Instant::now();
        self.display.press(x, y)?;
        while *self.display.picture()? == before {
            ensure!(start.elapsed() < self.patience, "nothing happens under the finger");
        }
        self.reactions.push(start.elapsed());
        self.touched = area.act.map(|act| (act, Instant::now()));
        self.display.release()
    }

    /// Waits until a key that does this is taken, as before a touch: for whoever presses it.
    pub fn ready_for(&mut self, touch: Touch) {
        let act = Act::Send(touch);
        self.guard(Some(act));
        self.touched = Some((act, Instant::now()));
        if !matches!(touch, Touch::Digit(_)) {
            self.shown.0 = u16::MAX;
        }
    }

    /// Not before the panel takes touches for this picture, nor so soon after the last touch that both would be one tap or a palm.
    fn guard(&self, act: Option<Act>) {
        let picture = GUARD.saturating_sub(self.shown.1.elapsed());
        let apart = self.touched.map_or(Duration::ZERO, |(last, left)| {
            let window = match last {
                _ if Some(last) != act => APART,
                Act::Send(Touch::Digit(_)) => Duration::from_millis(panel::touch::SAME_DIGIT + 40),
                _ => Duration::from_millis(panel::touch::SAME + 60),
            };
            (left + window).saturating_duration_since(Instant::now())
        });
        std::thread::sleep(picture.max(apart));
    }
}

const fn middle(area: &Area) -> (i32, i32) {
    (area.x + area.width / 2, area.y + area.height / 2)
}
