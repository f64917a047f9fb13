//! T=1, the block protocol between a reader and a card's contacts (ISO/IEC 7816-3), without any input or output.
//!
//! For kiosks whose card slot hangs on a UART. What is here turns bytes into decisions: [`Atr`] reads the answer to
//! reset, [`Pps`] settles the protocol and the speed, [`Exchange`] carries one command there and one response back in
//! blocks. Who moves the bytes and measures the time is the driver (`uart`, or a test). Nothing here knows what a command means, and
//! that matters: a command whose fate is not known is never sent a second time, because it may be a PIN.
//!
//! Bounds: an ATR has at most 33 bytes, a block 258; one exchange sends at most [`MAX_BLOCKS`] blocks, tries a block at
//! most [`MAX_ATTEMPTS`] times, resynchronises at most [`MAX_RESYNCHS`] times and grants at most [`MAX_EXTENSIONS`]
//! extensions of the waiting time. What a card costs in time beyond that is bounded by the driver's patience.
//!
//! Refused by name: the inverse convention, cards that offer T=0 only, and the CRC instead of the LRC. Cards for
//! identification use none of them over contacts; refusing is safer than code that no card here can try.

mod atr;
mod block;
mod exchange;
mod pps;

pub use atr::{Atr, AtrError, MAX_ATR, Negotiation, Speed};
pub use block::{Block, Flaw, Frame, Kind, MAX_BLOCK, MAX_INFORMATION, Request, length};
pub use exchange::{Exchange, Fault, Heard, MAX_ATTEMPTS, MAX_BLOCKS, MAX_EXTENSIONS, MAX_RESYNCHS, Protocol, Step};
pub use pps::{Pps, PpsError};
