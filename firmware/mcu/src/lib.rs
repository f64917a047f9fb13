//! What microcontroller boards share: the kiosk's ports over Embassy and `embedded-hal`, the screen, bounded memory, the internal store,
//! the serial lines. A board brings clocks, pins, a display's memory, and calls [`serve`](program::serve).
//!
//! ```text
//! board (clocks, pins, lines, flash) -> program::serve -> kiosk::run
//!                                       screen::draw   -> panel (Slint, software renderer) -> RGB565 in the board's memory
//! ```
//! Without the feature `board` only what a host beside a board needs too is here: the formats of its lines ([`line`], [`finger`],
//! [`sight`], [`count`]), of its internal store ([`store`]), and the memory of a board inside an emulator ([`stand`]).
//!
//! What this room must never know: which chip it runs on.
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

#[cfg(feature = "board")]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod count;
pub mod finger;
pub use kiosk::line;
pub mod sight;
pub mod stand;
pub mod store;

#[cfg(feature = "board")]
pub mod clock;
#[cfg(feature = "board")]
pub mod desk;
#[cfg(feature = "board")]
pub mod heap;
#[cfg(feature = "board")]
pub mod image;
#[cfg(feature = "board")]
pub mod lent;
#[cfg(feature = "board")]
pub mod pixel;
#[cfg(feature = "board")]
pub mod program;
#[cfg(feature = "board")]
pub mod reader;
#[cfg(feature = "board")]
pub mod safe;
#[cfg(feature = "board")]
pub mod screen;
#[cfg(feature = "board")]
pub mod uplink;
