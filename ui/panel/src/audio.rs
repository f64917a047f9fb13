//! The same screens for ears and a few keys (A17, U8, V5): one reader over the very scene that is drawn, so that what is heard is what
//! is shown, and what a key does is what a finger's tap does. There is no second path: the kiosk behind the panel gets the same touches.
//!
//! ```text
//! Scene -> reader (items in order) -> speech (texts, voices) -> Utterance (keys of signed clips) -> Sound (whoever has a loudspeaker)
//! Key   -> Ear (cursor, levels)    -> Act -> the panel, through the filter that fingers pass
//! ```
//! No platform here: clips are played, headphones are felt and keys are pressed by whoever makes the panel ([`Sound`], [`Panel::key`],
//! [`Panel::headphones`]). Nothing is spoken without headphones, so that a choice is never in the air.
//!
//! Must never know: PINs. A digit is a place on the pad here as it is for a finger; what was typed is only counted.
//!
//! [`Panel::key`]: crate::Panel::key
//! [`Panel::headphones`]: crate::Panel::headphones

mod ear;
mod level;
mod reader;
mod speech;
mod stretch;
#[cfg(feature = "std")]
mod walk;

pub(crate) use ear::{Ear, listens};

pub use level::{Level, RATES, VOLUMES, gain, home_volume};
pub use reader::{Item, Role, items};
pub use speech::{Piece, Speech, own_words, pieces, utterance, wanted};
pub use stretch::stretch;
#[cfg(feature = "std")]
pub use walk::{Scenes, walk};

use election::clips::{ClipKey, Clips};

/// Clips of one utterance at most; what is longer is cut there, and the voter steps through the rest.
pub const LONGEST: usize = 192;

/// What is said at once: clips, one after the other.
pub type Utterance = heapless::Vec<ClipKey, LONGEST>;

/// A key of the keypad, by meaning. Which key of which keypad it is knows whoever reads the keypad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// To the next thing on the screen.
    Next,
    /// To the one before.
    Previous,
    /// Does what a tap on it does.
    Select,
    /// Says the last thing again.
    Repeat,
    /// Says where one is, and what the keys do.
    Help,
    /// Louder.
    Louder,
    /// Softer.
    Softer,
    /// Faster.
    Faster,
    /// Slower.
    Slower,
    /// Switches the picture off, and on again.
    Blank,
    /// A digit of a keypad that has digits; only while a PIN is asked.
    Digit(u8),
}

/// Who plays clips. Must not block: playing goes on while the panel does other things.
pub trait Sound {
    /// The clips of the package that was accepted, or that it has none. Whoever plays keeps a copy.
    fn clips(&mut self, clips: Option<&Clips<'_>>);

    /// Whether it can speak, for staff.
    fn voice(&self) -> Voice;

    /// Whether there is such a clip.
    fn has(&self, key: ClipKey) -> bool;

    /// Stops what is being played and plays this.
    fn say(&mut self, clips: &[ClipKey], level: Level);

    /// Silence, at once.
    fn stop(&mut self);

    /// The step of [`VOLUMES`] that a voter meets first: see [`home_volume`].
    fn home(&self) -> u8;
}

/// Whether this kiosk can speak, for staff (F10): said on their menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// It can.
    Ready,
    /// The package has no clips.
    NoClips,
    /// There is no sound device, or it fails.
    NoDevice,
}
