//! A board inside an emulator: what it and the host agree on. One file is the board's external memory; the host reads and writes it beside
//! the running board. None of this exists on a board that one can buy.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | [`FRAMEBUFFER`] | 768,000 | the picture, RGB565, row by row |
//! | [`CONTROL`] | 4,096 | [`word`]s of 4 bytes, little-endian |
//! | [`ENTROPY`] | 65,536 | random bytes **from the host**, used once each: an emulator has no source of its own |
//! | [`COUNTS`] | 131,072 | records of [`crate::count`], if the host wants them |
//! | [`PACKAGE`] | 2 MiB | flash: the election package |
//! | [`STORE`] | 256 KiB | flash: the internal store ([`crate::store`]) |
//! | [`MEDIA`] | 6 MiB each | flash: original and duplicate |
//!
//! Time. With [`word::KEPT`] at 0 the board has its own timers. With 1 the host keeps time: the board rests until the host says what time it
//! is, and says itself when it rests and until when. So a day takes as long as its work, and no slow machine changes what happens.

/// Pixels across.
pub const WIDTH: usize = 800;
/// Pixels down.
pub const HEIGHT: usize = 480;
/// The panel's diagonal in millimetres: 7 inches.
pub const DIAGONAL_MM: u32 = 178;
/// The whole file.
pub const SIZE: usize = 0x100_0000;
/// See the module.
pub const FRAMEBUFFER: usize = 0;
/// See the module.
pub const CONTROL: usize = 0x0C_0000;
/// See the module.
pub const ENTROPY: usize = 0x0D_0000;
/// Bytes of it.
pub const ENTROPY_LEN: usize = 0x1_0000;
/// See the module.
pub const COUNTS: usize = 0x0E_0000;
/// Bytes of it.
pub const COUNTS_LEN: usize = 0x2_0000;
/// See the module.
pub const PACKAGE: usize = 0x10_0000;
/// Most bytes of it.
pub const PACKAGE_LEN: usize = 0x20_0000;
/// See the module.
pub const STORE: usize = 0x30_0000;
/// Bytes of it.
pub const STORE_LEN: usize = 0x4_0000;
/// See the module; original, duplicate.
pub const MEDIA: [usize; 2] = [0x40_0000, 0xA0_0000];
/// Most bytes of one.
pub const MEDIUM_LEN: usize = 0x60_0000;
/// Erase block of the flash.
pub const BLOCK: usize = 4_096;

/// Serial lines by number.
pub mod serial {
    /// The log, out only (defmt frames).
    pub const LOG: usize = 0;
    /// Fingers on the glass, in only ([`crate::finger`]).
    pub const TOUCH: usize = 1;
    /// The card slot's I/O contact (T=1).
    pub const CARD: usize = 2;
    /// The network ([`crate::line`]).
    pub const UPLINK: usize = 3;
    /// Between board and host: [`crate::stand::Said`] out, a bell in.
    pub const HOST: usize = 4;
    /// How many.
    pub const COUNT: usize = 5;
}

/// Words of the control page, by their offset in it.
pub mod word {
    /// 1: the host keeps time. Written by the host before the start.
    pub const KEPT: usize = 0x04;
    /// Microseconds since the start (8 bytes), if the host keeps time.
    pub const NOW: usize = 0x08;
    /// Seconds since 1970 at the start (8 bytes).
    pub const BEGIN: usize = 0x10;
    /// Bytes of the package; 0 for none.
    pub const PACKAGE_LEN: usize = 0x18;
    /// The station.
    pub const STATION: usize = 0x1C;
    /// 1 while a card is in the slot.
    pub const CARD_IN: usize = 0x20;
    /// Bytes of original and duplicate; 0 where none is in.
    pub const MEDIA: [usize; 2] = [0x28, 0x2C];
    /// Bytes sent to the board on each line so far.
    pub const SENT: usize = 0x30;
    /// Bytes of the flash still to be programmed before the power fails in the middle of them; 0: it holds.
    pub const FUSE: usize = 0x44;
    /// 1: the program is to panic at the next bell, to see what a panic does; 2: and not to start again; 3: a fault of the
    /// processor in place of a panic; 4: the stack is used up; 5: the same, and not to start again.
    pub const PANIC: usize = 0x48;
    /// 1: records of what is counted are wanted. Written by the host before the start.
    pub const COUNT: usize = 0x4C;
    /// The authority's public key, 33 bytes.
    pub const AUTHORITY: usize = 0x50;
    /// Bytes that the board has sent on each line so far.
    pub const HEARD: usize = 0x80;
    /// Random bytes used.
    pub const ENTROPY_USED: usize = 0x94;
    /// Microseconds since the start until which the board rests (8 bytes); all ones: until something comes.
    pub const ALARM: usize = 0x98;
    /// Pictures drawn.
    pub const FRAMES: usize = 0xA0;
    /// Restarts by the board itself, after a panic.
    pub const RESTARTS: usize = 0xA4;
    /// Records counted so far; more than fit in are not written.
    pub const COUNTED: usize = 0xA8;
    /// Deepest stack, and its size.
    pub const STACK: [usize; 2] = [0xB0, 0xB4];
    /// Most of the heap that screens used at once, and its size.
    pub const SCREENS: [usize; 2] = [0xB8, 0xBC];
    /// The same for certificates.
    pub const CERTIFICATES: [usize; 2] = [0xC0, 0xC4];
    /// Length of the last panic's message, which follows it.
    pub const MESSAGE_LEN: usize = 0x100;
    /// The message, at most [`MESSAGE_MOST`] bytes.
    pub const MESSAGE: usize = 0x104;
    /// Most bytes of it.
    pub const MESSAGE_MOST: usize = 0xF0;
}

/// What the board says on the line to the host: one letter, then what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Said {
    /// It rests; 4 bytes follow: how many bytes it has read on all lines, little-endian, wrapping.
    Rest = b'R',
    /// The card's contacts changed; one byte follows: bit 0 power, bit 1 reset.
    Contacts = b'P',
    /// The lamp; one byte follows.
    Lamp = b'L',
    /// A sound; one byte follows.
    Sound = b'N',
    /// A screen is shown; two bytes of length and [`crate::sight`] follow.
    Screen = b'S',
    /// The program ended; one byte follows: see [`End`].
    End = b'X',
}

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum End {
    /// Closed.
    Closed = 1,
    /// Out of order.
    Fault = 2,
    /// The fuse has blown: the power is gone.
    Fuse = 3,
    /// It panicked, and starts again.
    Panic = 4,
}
