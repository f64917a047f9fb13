//! A panel whose window is memory. Time stands still until it is moved.

use std::boxed::Box;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::BufWriter;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;
use std::vec::Vec;

use slint::platform::software_renderer::{MinimalSoftwareWindow, RepaintBufferType};
use slint::platform::{Platform, PlatformError, PointerEventButton, WindowAdapter, WindowEvent};
use slint::{ComponentHandle as _, LogicalPosition, PhysicalSize, Rgb8Pixel};

use crate::metrics::{Config, ConfigError};
use crate::panel::Panel;
use crate::ui::PanelWindow;

std::thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    static LAST: RefCell<Option<Rc<MinimalSoftwareWindow>>> = const { RefCell::new(None) };
}

struct Memory;

impl Platform for Memory {
    fn create_window_adapter(&self) -> Result<Rc<dyn WindowAdapter>, PlatformError> {
        let window = MinimalSoftwareWindow::new(RepaintBufferType::ReusedBuffer);
        LAST.with_borrow_mut(|last| *last = Some(window.clone()));
        Ok(window)
    }

    fn duration_since_start(&self) -> Duration {
        Duration::from_millis(NOW.get())
    }
}

/// Why there is no headless panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadlessError {
    /// The panel's numbers.
    Config(ConfigError),
    /// This thread has a window system already: render in a thread or process of its own.
    Taken,
}

impl fmt::Display for HeadlessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Taken => f.write_str("this thread has a window system already: render in a thread of its own"),
        }
    }
}

impl std::error::Error for HeadlessError {}

/// A panel in memory.
pub struct Headless {
    adapter: Rc<MinimalSoftwareWindow>,
    component: PanelWindow,
    /// The panel.
    pub panel: Panel,
    width: usize,
    height: usize,
    buffer: RefCell<Vec<Rgb8Pixel>>,
}

impl Headless {
    /// Makes one. One or more a thread; a thread that has another window system cannot.
    ///
    /// # Errors
    /// [`HeadlessError`].
    pub fn new(config: Config) -> Result<Self, HeadlessError> {
        // An error here means that there is a platform; whether it is ours shows below.
        let _ = slint::platform::set_platform(Box::new(Memory));
        LAST.with_borrow_mut(|last| *last = None);
        let (component, panel) = Panel::window(config, || NOW.get()).map_err(HeadlessError::Config)?;
        let size = PhysicalSize::new(config.width, config.height);
        component.show().map_err(|_| HeadlessError::Taken)?;
        let adapter = LAST.with_borrow(|last| last.clone()).ok_or(HeadlessError::Taken)?;
        adapter.set_size(size);
        let (width, height) = (
            usize::try_from(config.width).unwrap_or(0),
            usize::try_from(config.height).unwrap_or(0),
        );
        Ok(Self {
            adapter,
            component,
            panel,
            width,
            height,
            buffer: RefCell::new(std::vec![Rgb8Pixel::default(); width * height]),
        })
    }

    /// The component, for walks over its accessible elements.
    #[must_use]
    pub const fn component(&self) -> &PanelWindow {
        &self.component
    }

    /// Lets time pass.
    pub fn advance(&self, milliseconds: u64) {
        NOW.set(NOW.get() + milliseconds);
        slint::platform::update_timers_and_animations();
    }

    /// Draws what has changed; whether anything had.
    pub fn draw(&self) -> bool {
        slint::platform::update_timers_and_animations();
        self.adapter.draw_if_needed(|renderer| {
            renderer.render(self.buffer.borrow_mut().as_mut_slice(), self.width);
        })
    }

    /// The picture: width, height, pixels row by row.
    #[must_use]
    pub fn pixels(&self) -> (usize, usize, Vec<Rgb8Pixel>) {
        self.draw();
        (self.width, self.height, self.buffer.borrow().clone())
    }

    /// A finger comes down at a pixel.
    pub fn press(&self, x: i32, y: i32) {
        self.dispatch(WindowEvent::PointerPressed {
            position: position(x, y),
            button: PointerEventButton::Left,
        });
    }

    /// It moves.
    pub fn slide(&self, x: i32, y: i32) {
        self.dispatch(WindowEvent::PointerMoved {
            position: position(x, y),
        });
    }

    /// It leaves.
    pub fn release(&self, x: i32, y: i32) {
        self.dispatch(WindowEvent::PointerReleased {
            position: position(x, y),
            button: PointerEventButton::Left,
        });
        self.dispatch(WindowEvent::PointerExited);
    }

    /// An ordinary tap of 120 ms, when the panel takes touches again after whatever was before.
    pub fn tap(&self, x: i32, y: i32) {
        self.advance(crate::touch::GUARD + 150);
        self.press(x, y);
        self.advance(120);
        self.release(x, y);
    }

    /// Writes the picture as PNG.
    ///
    /// # Errors
    /// What the file system says.
    pub fn png(&self, path: &Path) -> std::io::Result<()> {
        let (width, height, pixels) = self.pixels();
        write_png(path, width, height, &pixels)
    }

    fn dispatch(&self, event: WindowEvent) {
        // The component is alive as long as this value: there is always somebody to take it.
        let _ = self.component.window().dispatch_event_with_result(event);
    }
}

fn position(x: i32, y: i32) -> LogicalPosition {
    LogicalPosition::new(crate::surface::float(x), crate::surface::float(y))
}

/// Writes pixels as PNG.
pub(super) fn write_png(path: &Path, width: usize, height: usize, pixels: &[Rgb8Pixel]) -> std::io::Result<()> {
    let file = BufWriter::new(std::fs::File::create(path)?);
    let side = |value: usize| u32::try_from(value).map_err(std::io::Error::other);
    let mut encoder = png::Encoder::new(file, side(width)?, side(height)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let bytes: Vec<u8> = pixels.iter().flat_map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
    encoder.write_header()?.write_image_data(&bytes)?;
    Ok(())
}
