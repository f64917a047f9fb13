//! The kiosk's screens: what voters and staff see and touch.
//!
//! ```text
//! kiosk::Screen -> compose (words, buttons) -> Scene -> layout (millimetres, lines, pages) -> Page -> Surface (Slint) -> pixels
//! kiosk::Touch  <- queue of 16 <- touch (forgives, filters) <- presses of boxes <- Slint
//! ```
//! `no_std` with a heap; with the feature `std` (hosts) the bundled font is drawn from its outlines, and screens can be
//! rendered to files without a display. No platform is named here: a window or a display comes from whoever makes one.
//!
//! Why texts are files of our own and not the graphics library's translations: a missing key must stop the build and not fall
//! back in silence, one text is one line that a translator can read, and a language is one file. Why lines are broken here:
//! see [`text`].
//!
//! What this room must never know: PINs, cards, keys, tags, ballots. Which language a voter needs leaves it neither.
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::unreachable,
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod audio;
pub mod compose;
#[cfg(feature = "std")]
pub mod font;
pub mod layout;
pub mod metrics;
pub mod panel;
pub mod pen;
pub mod pictures;
pub mod practice;
pub mod qr;
#[cfg(feature = "std")]
pub mod render;
pub mod scene;
pub mod surface;
pub mod text;
pub mod touch;
pub mod words;

pub use compose::Settings;
pub use metrics::{Config, ConfigError, TextSize};
pub use panel::Panel;
/// The graphics library, in the version the generated code needs.
pub use slint;

/// Slint's generated code: `PanelWindow`, a window that is the panel and nothing else.
#[allow(
    unsafe_code,
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::restriction
)]
#[allow(rust_2018_idioms)]
pub mod ui {
    slint::include_modules!();
}

mod window {
    use alloc::vec::Vec;

    crate::surface!(
        /// The surface of [`crate::ui::PanelWindow`].
        pub struct WindowSurface(PanelWindow) in crate::ui
    );
}
pub use window::WindowSurface;

impl Panel {
    /// A panel in a window of its own, on whatever platform Slint was given: the window and the panel.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn window(config: Config, clock: impl Fn() -> u64 + 'static) -> Result<(ui::PanelWindow, Self), ConfigError> {
        use slint::ComponentHandle as _;
        let window = ui::PanelWindow::new().map_err(|_| ConfigError::NoWindow)?;
        let panel = Self::new(WindowSurface::new(window.clone_strong()), config, clock)?;
        Ok((window, panel))
    }
}
