//! The panel as Linux lays it out, of the board's size: it is shown what the board shows and touched where the board is touched, and so knows
//! where every button stands. Whatever the board draws differently, a finger that looks here misses.

use std::cell::Cell;
use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use mcu::finger::Phase;
use mcu::stand;
use panel::layout::Page;
use panel::metrics::Metrics;
use panel::render::Headless;
use panel::surface::{Surface, style};
use panel::{Config, Panel};

use crate::world::time::Timeline;

/// The board's panel.
pub const CONFIG: Config = Config {
    width: stand::WIDTH as u32,
    height: stand::HEIGHT as u32,
    diagonal_mm: stand::DIAGONAL_MM,
};

/// The panel beside the board.
pub enum Mirror {
    /// Drawn too, to compare pictures. A thread with a window cannot have one.
    Drawn {
        /// The panel.
        panel: Headless,
        /// The world's millisecond up to which its time has passed.
        passed: Cell<u64>,
    },
    /// Laid out only: beside a window, which shows the board's own picture.
    Laid {
        /// The panel.
        panel: Panel,
        /// What its fingers do.
        hand: Rc<Hand>,
    },
}

impl Mirror {
    /// One that is drawn.
    ///
    /// # Errors
    /// This thread has a window.
    pub fn drawn(now: u64) -> Result<Self> {
        Ok(Self::Drawn {
            panel: Headless::new(CONFIG).context("a panel to find buttons on")?,
            passed: Cell::new(now),
        })
    }

    /// One that is laid out only.
    ///
    /// # Errors
    /// None: the board's panel is one that the layout knows.
    pub fn laid(time: Rc<Timeline>) -> Result<Self> {
        let hand = Rc::new(Hand::default());
        let panel = Panel::new(Unseen(hand.clone()), CONFIG, move || time.now());
        let panel = panel.map_err(|error| anyhow::anyhow!("a panel to find buttons on: {error}"))?;
        Ok(Self::Laid { panel, hand })
    }

    /// The panel.
    pub const fn panel(&self) -> &Panel {
        match self {
            Self::Drawn { panel, .. } => &panel.panel,
            Self::Laid { panel, .. } => panel,
        }
    }

    /// It is this late.
    pub fn keep_up(&self, now: u64) {
        if let Self::Drawn { panel, passed } = self {
            panel.advance(now.saturating_sub(passed.replace(now)));
        }
    }

    /// The same finger as on the board's glass.
    pub fn touch(&self, phase: Phase, x: i32, y: i32) {
        match self {
            Self::Drawn { panel, .. } => match phase {
                Phase::Down => panel.press(x, y),
                Phase::Move => panel.slide(x, y),
                Phase::Up => panel.release(x, y),
            },
            Self::Laid { panel, hand } => hand.touch(&panel.page(), panel.metrics(), phase, x, y),
        }
    }

    /// Its pixels, if it is drawn.
    pub fn pixels(&self) -> Option<Vec<[u8; 3]>> {
        let Self::Drawn { panel, .. } = self else { return None };
        let (_, _, pixels) = panel.pixels();
        Some(pixels.iter().map(|pixel| [pixel.r, pixel.g, pixel.b]).collect())
    }
}

type Told<T> = RefCell<Option<Box<dyn Fn(T)>>>;

/// Fingers on a panel that is not drawn: on which box they come down, and whether they leave near it.
#[derive(Default)]
pub struct Hand {
    pressed: Told<i32>,
    released: Told<(i32, bool)>,
    down: Cell<Option<(usize, [i32; 4])>>,
}

impl Hand {
    fn touch(&self, page: &Page, metrics: &Metrics, phase: Phase, x: i32, y: i32) {
        let within = |[left, top, width, height]: [i32; 4], slip: i32| {
            (left - slip..=left + width + slip).contains(&x) && (top - slip..=top + height + slip).contains(&y)
        };
        match phase {
            Phase::Down => {
                // The last one that takes fingers lies on top (kit.slint).
                let under = page.areas.iter().enumerate().rev().find_map(|(id, area)| {
                    let place = [area.x, area.y, area.width, area.height];
                    (style(area.style) < 6 && within(place, 0)).then_some((id, place))
                });
                self.down.set(under);
                if let (Some((id, _)), Some(pressed)) = (under, &*self.pressed.borrow()) {
                    pressed(i32::try_from(id).unwrap_or(-1));
                }
            }
            Phase::Move => {}
            Phase::Up => {
                if let (Some((id, place)), Some(released)) = (self.down.take(), &*self.released.borrow()) {
                    released((i32::try_from(id).unwrap_or(-1), within(place, metrics.slip)));
                }
            }
        }
    }
}

/// Nobody looks at it.
struct Unseen(Rc<Hand>);

impl Surface for Unseen {
    fn draw(&self, _: &Page, _: u8, _: &Metrics) {}

    fn connect(&self, pressed: Box<dyn Fn(i32)>, released: Box<dyn Fn(i32, bool)>, _: Box<dyn Fn(i32)>) {
        *self.0.pressed.borrow_mut() = Some(pressed);
        *self.0.released.borrow_mut() = Some(Box::new(move |(id, near)| released(id, near)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiosk::screen::{Screen, Touch};
    use panel::scene::Act;

    /// The two kinds of mirror agree: a finger on each place of the other's page does the same, also beside the buttons and sliding off them.
    #[test]
    fn f9_a_panel_that_is_only_laid_out_takes_fingers_as_a_drawn_one() {
        let screens = [
            Screen::StillThere,
            Screen::CallStaff,
            Screen::EndWithoutVote,
            Screen::LastTry {
                who: kiosk::screen::PinOf::Voter,
            },
        ];
        let time = Timeline::new();
        let mut taken = 0;
        for screen in &screens {
            for (x, y) in (0..8).flat_map(|column| (0..8).map(move |row| (50 + 100 * column, 30 + 60 * row))) {
                for slide in [0, 40, 300] {
                    let (drawn, laid) = (Mirror::drawn(0).unwrap(), Mirror::laid(time.clone()).unwrap());
                    let touches = [&drawn, &laid].map(|mirror| {
                        // Each has a clock of its own; one that was shown a screen long ago takes fingers.
                        mirror.panel().show(screen);
                        if let Mirror::Drawn { .. } = mirror {
                            mirror.keep_up(10_000);
                        } else {
                            time.pass_for_tests(time.now() + 10_000);
                        }
                        mirror.touch(Phase::Down, x, y);
                        mirror.touch(Phase::Move, x, y + slide);
                        mirror.touch(Phase::Up, x, y + slide);
                        mirror.panel().try_next()
                    });
                    assert_eq!(touches[0], touches[1], "{} at {x},{y} + {slide}", drawn.panel().name());
                    taken += usize::from(touches[0].is_some());
                }
            }
        }
        assert!(taken > 100, "{taken} touches were taken");
        let still = Mirror::drawn(0).unwrap();
        still.panel().show(&Screen::StillThere);
        assert!(
            still
                .panel()
                .page()
                .areas
                .iter()
                .any(|area| area.act == Some(Act::Send(Touch::Back)))
        );
    }
}
