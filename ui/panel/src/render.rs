//! Screens without a display: for tests, for the list of all screens, for looking. The same presenter, the same Slint code and
//! the same software renderer as on a kiosk.

mod all;
mod headless;
mod measure;

pub use all::{Rendered, every, own, render_all};
pub use headless::{Headless, HeadlessError};
pub use measure::{Measured, measure};
