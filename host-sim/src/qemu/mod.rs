//! A kiosk whose program is not a future in this process but the firmware of a board, running inside an emulator.
//!
//! ```text
//! people -> Booth -> Finger (pixels of the Linux panel) -> touch line -+
//! card slot -> CardEnd (T=1) -> card line -----------------------------+-> firmware in the emulator
//! chain -> Network -> frames -> uplink line ---------------------------+        |
//! media, store, package, randomness -> Memory (a file) ----------------+        v
//! View, lamp, sound <- Program <- host line <-----------------------------------+
//! ```
//! The people, the desk and the judges are those of every other run. Touches are real ones: the place of a button is taken from the panel as
//! it is drawn on Linux, and a finger comes down at that pixel of the board; a board that draws something else is not served. Pictures are
//! compared too ([`picture`]).
//!
//! Time is kept by the host (mcu::stand): it moves when the board and everybody else rest. A slow machine changes nothing.
//!
//! The board is not named here: it is the folder of firmware/ that says how it is emulated (`emulator.txt`).

mod card;
mod counts;
mod finger;
mod front;
mod guest;
pub mod image;
pub mod log;
mod memory;
mod mirror;
pub mod picture;
mod process;
mod program;

pub use counts::Counts;
pub use finger::letters;
pub use front::Front;
pub use guest::Guest;
pub use image::Emulation;
pub use memory::{Memory, Ram};
pub use mirror::CONFIG;
pub(crate) use program::{Parts, program};
