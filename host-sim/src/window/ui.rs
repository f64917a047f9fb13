//! Slint's generated code for window.slint.

pub use generated::{DockBox, DockData, DockText, SimulatorWindow};

/// The panel's surface in this window.
pub type PanelSurface = surface::PanelInWindow;

#[allow(
    unsafe_code,
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::restriction
)]
#[allow(rust_2018_idioms)]
mod generated {
    slint::include_modules!();
}

mod surface {
    panel::surface!(
        /// The panel where the window has a place for it.
        pub struct PanelInWindow(SimulatorWindow) in super::generated
    );
}
