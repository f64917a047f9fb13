//! The panel on a display whose pixels are memory: Slint's software renderer draws what has changed, fingers come in, and the task sleeps
//! until a screen, a finger or a timer of the panel's own wakes it.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::time::Duration;

use election::manifest::Texts;
use election::pictures::Pictures;
use embassy_futures::select::{Either3, select3};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Instant, Timer};
use kiosk::ports::TooLarge;
use kiosk::screen::{Screen, Touch};
use panel::pen::{self, Clip, Inks};
use panel::slint::platform::software_renderer::{MinimalSoftwareWindow, RepaintBufferType};
use panel::slint::platform::{Platform, PlatformError, PointerEventButton, WindowAdapter, WindowEvent};
use panel::slint::{Color, ComponentHandle as _, LogicalPosition, PhysicalSize};
use panel::ui::{Palette, PanelWindow};
use panel::{Config, ConfigError, Panel};

use crate::finger::{Finger, Phase};
use crate::pixel::{Ink, Pixel};

/// Bytes of the screen's arena that a package's pictures of names may take, and what is drawn of them beforehand (256 KiB at most, less where the pictures
/// leave less). A board's arena is 1 MiB; everything else on it needed some 200 KB in the emulator. 60 names of 5 kanji each, no kanji twice, are
/// 0.4 MB. What is larger is refused (`Fault::Buffers`), not tried.
pub const PICTURES: usize = 640 * 1024;

/// A screen was shown.
static SHOWN: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// A glass that is touched.
#[allow(async_fn_in_trait)] // One executor, one core: no caller needs the futures to be Send.
pub trait Glass {
    /// The next event. Dropping the future loses none.
    async fn next(&mut self) -> Finger;
}

/// The kiosk's port to the panel. `seen` is told of every screen: for a board inside an emulator; others give one that does nothing.
pub struct BoardPanel<W> {
    panel: Panel,
    seen: W,
}

impl<W: FnMut(&Screen<'_>)> BoardPanel<W> {
    /// The port.
    pub const fn new(panel: Panel, seen: W) -> Self {
        Self { panel, seen }
    }
}

impl<W: FnMut(&Screen<'_>)> kiosk::ports::Panel for BoardPanel<W> {
    fn show(&mut self, screen: &Screen<'_>) {
        (self.seen)(screen);
        self.panel.show(screen);
        SHOWN.signal(());
    }

    fn pictures(&mut self, pictures: &Pictures<'_>) -> Result<(), TooLarge> {
        let taken = self.panel.pictures(pictures);
        SHOWN.signal(());
        taken
    }

    fn draws(&self, texts: Texts<'_>) -> bool {
        self.panel.draws(texts)
    }

    async fn next(&mut self) -> Touch {
        self.panel.next().await
    }
}

struct Memory {
    window: Rc<MinimalSoftwareWindow>,
    taken: RefCell<bool>,
}

impl Platform for Memory {
    fn create_window_adapter(&self) -> Result<Rc<dyn WindowAdapter>, PlatformError> {
        // One display, one window.
        if self.taken.replace(true) {
            return Err(PlatformError::NoPlatform);
        }
        Ok(self.window.clone())
    }

    fn duration_since_start(&self) -> Duration {
        Duration::from_micros(Instant::now().as_micros())
    }
}

/// The display: what draws on it.
pub struct Display {
    window: Rc<MinimalSoftwareWindow>,
    component: PanelWindow,
    panel: Panel,
    width: usize,
}

/// The display and the panel on it, once.
///
/// # Errors
/// [`ConfigError`].
pub fn open(config: Config) -> Result<(Display, Panel), ConfigError> {
    let window = MinimalSoftwareWindow::new(RepaintBufferType::ReusedBuffer);
    let platform = Memory {
        window: window.clone(),
        taken: RefCell::new(false),
    };
    panel::slint::platform::set_platform(Box::new(platform)).map_err(|_| ConfigError::NoWindow)?;
    let (component, panel) = Panel::window(config, || Instant::now().as_millis())?;
    panel.limit_pictures(PICTURES);
    component.show().map_err(|_| ConfigError::NoWindow)?;
    window.set_size(PhysicalSize::new(config.width, config.height));
    let width = usize::try_from(config.width).map_err(|_| ConfigError::TooLarge)?;
    let display = Display {
        window,
        component,
        panel: panel.clone(),
        width,
    };
    Ok((display, panel))
}

impl Display {
    /// Draws what has changed; how many pixels that were, if anything had.
    pub fn draw(&self, pixels: &mut [Pixel]) -> Option<u32> {
        panel::slint::platform::update_timers_and_animations();
        let mut drawn = None;
        self.window.draw_if_needed(|renderer| {
            let region = renderer.render(pixels, self.width);
            let palette = self.component.global::<Palette<'_>>();
            let colours = [palette.get_ink(), palette.get_on_primary(), Color::from_rgb_u8(0, 0, 0)];
            let [letters, on_primary, codes] = &colours.map(Ink::new);
            let inks = Inks {
                letters,
                on_primary,
                codes,
            };
            let mut count = 0;
            for (place, size) in region.iter() {
                let clip = Clip {
                    left: place.x,
                    top: place.y,
                    right: place.x.saturating_add_unsigned(size.width),
                    bottom: place.y.saturating_add_unsigned(size.height),
                };
                self.panel
                    .with_page(|page| pen::write(page, &inks, clip, pixels, self.width));
                count += size.width * size.height;
            }
            drawn = Some(count);
        });
        drawn
    }

    fn touch(&self, finger: Finger) {
        let position = LogicalPosition::new(f32::from(finger.x), f32::from(finger.y));
        let button = PointerEventButton::Left;
        match finger.phase {
            Phase::Down => self.dispatch(WindowEvent::PointerPressed { position, button }),
            Phase::Move => self.dispatch(WindowEvent::PointerMoved { position }),
            Phase::Up => {
                self.dispatch(WindowEvent::PointerReleased { position, button });
                self.dispatch(WindowEvent::PointerExited);
            }
        }
    }

    fn dispatch(&self, event: WindowEvent) {
        // The component lives as long as this value: there is always somebody to take it.
        let _ = self.component.window().dispatch_event_with_result(event);
    }

    /// Draws for ever. `drawn` is told after each picture how many pixels were drawn.
    pub async fn run(&self, pixels: &mut [Pixel], glass: &mut impl Glass, mut drawn: impl FnMut(u32)) -> ! {
        loop {
            if let Some(count) = self.draw(pixels) {
                drawn(count);
            }
            let timer = async {
                match panel::slint::platform::duration_until_next_timer_update() {
                    Some(wait) => {
                        let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
                        Timer::after_micros(micros.max(1)).await;
                    }
                    None => core::future::pending().await,
                }
            };
            match select3(glass.next(), SHOWN.wait(), timer).await {
                Either3::First(finger) => {
                    self.touch(finger);
                    if finger.phase == Phase::Up {
                        // The kiosk may answer at once: then its screen is drawn, and not the button before it. Twice, because who was woken first need
                        // not run first.
                        yield_now().await;
                        yield_now().await;
                    }
                }
                Either3::Second(()) | Either3::Third(()) => {}
            }
        }
    }
}
