//! The kiosk's only openings to the world: clock, randomness, panel, card reader, media, network, internal store, lamp.
//!
//! A platform (Linux, a microcontroller, the simulator) implements these and calls [`crate::run`]; nothing else of a
//! platform is known here. All futures may be dropped at any await point: that is what a power cut is.
//! Every implementation is judged hostile: what it returns is checked before it is used.
//!
//! The traits ask for no `Send`: one loop on one core.
#![allow(async_fn_in_trait)] // One executor, one core: no caller needs the futures to be Send.

use core::fmt;

use election::clips::Clips;
use election::manifest::Texts;
use election::pictures::Pictures;

use crate::screen::{Screen, Touch};
use crate::update::{Ask, Refused, Said};

/// One kiosk's hardware as types.
pub trait Platform {
    /// See [`Clock`].
    type Clock: Clock;
    /// See [`Entropy`].
    type Entropy: Entropy;
    /// See [`Panel`].
    type Panel: Panel;
    /// See [`CardReader`].
    type Reader: CardReader;
    /// Who judges card certificates: `card::x509::X509` where there is an allocator.
    type Certificates: card::CertificateVerifier;
    /// Both media; a platform whose media differ gives an enum.
    type Medium: Medium;
    /// See [`Store`].
    type Store: Store;
    /// See [`Signals`].
    type Signals: Signals;
    /// See [`Uplink`]. A statutory kiosk has [`NoUplink`], of which there is no value.
    type Uplink: Uplink;
}

/// One kiosk's hardware as values.
pub struct Ports<P: Platform> {
    /// Time.
    pub clock: P::Clock,
    /// Randomness.
    pub entropy: P::Entropy,
    /// The touch panel.
    pub panel: P::Panel,
    /// The one card reader.
    pub reader: P::Reader,
    /// The judge of card certificates.
    pub certificates: P::Certificates,
    /// The medium in the slot marked "original".
    pub original: P::Medium,
    /// The medium in the slot marked "duplicate".
    pub duplicate: P::Medium,
    /// Internal configuration memory.
    pub store: P::Store,
    /// Lamp and sound.
    pub signals: P::Signals,
    /// The network, if this kiosk may have one at all.
    pub uplink: Option<P::Uplink>,
}

/// Time. Not trusted: it may jump in both directions, and nothing about a voter is ever stamped with it.
pub trait Clock {
    /// Seconds since 1970-01-01 UTC, for what staff do (audit events). 0 where there is no clock.
    fn seconds(&self) -> u64;
    /// Milliseconds since some moment, never backwards.
    fn milliseconds(&self) -> u64;
    /// Comes back after so many milliseconds.
    async fn sleep(&self, milliseconds: u32);
}

/// The hardware's randomness, as seed of the kiosk's own generator ([`crate::random`]).
pub trait Entropy {
    /// Fills `bytes` with fresh random bytes.
    ///
    /// # Errors
    /// [`EntropyError`]: the kiosk then encrypts nothing and calls staff. A source that repeats itself is noticed above.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError>;

    /// The same from a second source that fails apart from the first (a TPM beside the processor, a second oscillator), and
    /// `true`; `false` where there is none. Both are tested and mixed.
    ///
    /// # Errors
    /// As [`Entropy::fill`]: a source that is there has to work.
    fn fill_second(&mut self, bytes: &mut [u8]) -> Result<bool, EntropyError> {
        let _ = bytes;
        Ok(false)
    }
}

/// The randomness source does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntropyError;

impl fmt::Display for EntropyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the random source does not answer or repeats itself: take this kiosk out of service")
    }
}

impl core::error::Error for EntropyError {}

/// The touch panel, in meanings, never in pixels.
///
/// Language, text size, theme, volume and paging are the panel's own: how a voter needs to see or hear is nobody
/// else's business, so the kiosk never learns it. The panel resets them whenever it is shown [`Screen::Idle`].
pub trait Panel {
    /// Draws a screen; it stays until the next call. Must not block for longer than a frame.
    fn show(&mut self, screen: &Screen<'_>);

    /// How the characters of the election's names look, told once at each start when the package is accepted and it has pictures. A panel that
    /// draws from them shows the same pixels as every other; one that has its own way of showing names does without. They take the place of
    /// those of an earlier start.
    ///
    /// # Errors
    /// [`TooLarge`]: more than this panel has memory for, and nothing of them is kept. The kiosk is out of order then, and says so; a package
    /// must never end a panel.
    fn pictures(&mut self, pictures: &Pictures<'_>) -> Result<(), TooLarge> {
        let _ = pictures;
        Ok(())
    }

    /// Whether a text of the election's definition can be shown with the pictures that were given last, in each of its languages: asked of every text at
    /// each start, also where there are no pictures. What would be blank on a ballot must be refused before polls open.
    fn draws(&self, texts: Texts<'_>) -> bool {
        let _ = texts;
        true
    }

    /// What of the election can be heard, told once when the package is accepted: `None` if it has no clips. A panel without
    /// sound does without.
    fn clips(&mut self, clips: Option<&Clips<'_>>) {
        let _ = clips;
    }

    /// Whether the machine takes updates of its software, told once at each start: then the staff's menu before opening and the screen of registration
    /// offer [`crate::screen::StaffTouch::Update`]. A panel that is not told offers none.
    fn updates(&mut self, takes: bool) {
        let _ = takes;
    }

    /// The next touch. Dropping the future loses no touch. Touches that the screen shown does not offer are
    /// ignored above, so a panel need not filter them. A queue behind it holds at most 16 touches, drops the newest, and is emptied by `show`
    /// when the kind of screen changes: a touch meant for one screen must never act on the next.
    async fn next(&mut self) -> Touch;
}

/// Pictures of names need more memory than the panel has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pictures of names are too large for this panel: use a kiosk with more memory, or fewer different characters")
    }
}

impl core::error::Error for TooLarge {}

/// The card slot.
pub trait CardReader {
    /// The way to send APDUs to the card that is in.
    type Link: card::Transmit;

    /// Waits until a card is in and powered; at once if one is. Dropping the future is allowed.
    ///
    /// # Errors
    /// [`ReaderError`]. Called again after an error; the reader may come back.
    async fn wait_insert(&mut self) -> Result<(), ReaderError>;

    /// Waits until no card is in; at once if none is. A reader that disappears counts as a removed card.
    /// Works also after [`CardReader::power_down`]. Dropping the future is allowed.
    async fn wait_removed(&mut self);

    /// How the reader is, for staff: whether something is in the slot. It answers within a second or so, whatever the driver does, and never
    /// gives a card power.
    ///
    /// # Errors
    /// [`ReaderError`], as [`CardReader::wait_insert`] would say it now, as far as that can be seen without power.
    async fn look(&mut self) -> Result<bool, ReaderError>;

    /// The card's link. Commands fail with `Removed` when there is no card.
    fn link(&mut self) -> &mut Self::Link;

    /// Takes the power from the card, so that it forgets everything. The slot is still watched for removal.
    async fn power_down(&mut self);
}

/// Why the reader gave no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReaderError {
    /// Something is in the slot, but it does not answer: upside down, dirty, no chip, or no card at all.
    Mute,
    /// The reader is unplugged or does not work.
    Gone,
}

impl fmt::Display for ReaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mute => "what is in the slot does not answer: take it out, check which way round it is",
            Self::Gone => "the card reader does not work: call staff, check its cable",
        })
    }
}

impl core::error::Error for ReaderError {}

/// One ballot-box medium: a file, a block device or raw flash.
///
/// The box asks little, so that all three fit: a cell that was never written reads as 0xFF bytes; a cell is
/// written once and never again (the box reads it back as erased before it writes); writes start at multiples of
/// [`Geometry::sector`] and are whole sectors. A torn or reordered write, a lying sync and a dying medium are expected
/// and handled above; what an implementation must not do is to report success for a write that the device refused.
pub trait Medium {
    /// What kind of medium is there now.
    ///
    /// # Errors
    /// [`MediumError::Missing`] while none is in the slot.
    async fn geometry(&mut self) -> Result<Geometry, MediumError>;

    /// Reads `buffer.len()` bytes at `offset`, all of them.
    ///
    /// # Errors
    /// [`MediumError`].
    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError>;

    /// Writes whole sectors into erased cells. May return before they are durable.
    ///
    /// # Errors
    /// [`MediumError`]; then nothing is known about those cells.
    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError>;

    /// Comes back when everything written is durable (fsync, cache flush).
    ///
    /// # Errors
    /// [`MediumError`]; then nothing is known about what was written since the last good sync.
    async fn sync(&mut self) -> Result<(), MediumError>;
}

impl<M: Medium + ?Sized> Medium for &mut M {
    async fn geometry(&mut self) -> Result<Geometry, MediumError> {
        (**self).geometry().await
    }
    async fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), MediumError> {
        (**self).read(offset, buffer).await
    }
    async fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), MediumError> {
        (**self).write(offset, data).await
    }
    async fn sync(&mut self) -> Result<(), MediumError> {
        (**self).sync().await
    }
}

/// Size and grain of a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes in all.
    pub size: u64,
    /// Smallest piece that a torn write can damage, a power of two from 512 to 65,536: the device's physical
    /// sector, or the page of a NOR flash. The medium's format is laid out in a multiple of it.
    pub sector: u32,
}

/// Why a medium did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediumError {
    /// There is no medium in the slot.
    Missing,
    /// The device reports a read error.
    Read,
    /// The device reports a write or sync error, or is write-protected.
    Write,
    /// The device has no room (a file system that is full).
    Full,
    /// Another program has the medium open, or it is mounted.
    Busy,
    /// Outside the medium, or not whole sectors: a defect of the program.
    Bounds,
}

impl fmt::Display for MediumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no medium in the slot",
            Self::Read => "the medium cannot be read",
            Self::Write => "the medium cannot be written: check its write protection, else replace it",
            Self::Full => "the file system of the medium is full",
            Self::Busy => "another program uses the medium: close it, unmount the device",
            Self::Bounds => "an access outside the medium: report this",
        })
    }
}

impl core::error::Error for MediumError {}

/// The network: one question, one answer, both postcard frames ([`crate::uplink`]) of bounded size.
///
/// Nothing on the voting path waits for it, and no answer is believed without its proof.
pub trait Uplink {
    /// Sends `request` and writes the answer to the front of `reply`. Dropping the future is allowed: the request may then have
    /// been carried out or not.
    ///
    /// # Errors
    /// [`UplinkError`]: tried again later.
    async fn exchange(&mut self, request: &[u8], reply: &mut [u8]) -> Result<usize, UplinkError>;
}

/// The network does not answer. That is normal, for hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UplinkError;

/// The uplink of a statutory kiosk: there is none, by type (requirement A21).
#[derive(Clone, Copy, Debug)]
pub enum NoUplink {}

impl Uplink for NoUplink {
    async fn exchange(&mut self, _: &[u8], _: &mut [u8]) -> Result<usize, UplinkError> {
        match *self {}
    }
}

/// What the internal store keeps. Not on the media: it belongs to the machine, not to the election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Item {
    /// The kiosk's secret keys (64 bytes: signing, sealing). Written by the kiosk, once an election. Never leaves it.
    Identity = 0,
    /// What the desk needs from this kiosk ([`crate::identity::Request`]). Written by the kiosk, fetched by the desk.
    Request = 1,
    /// The registration signed by two staff cards: a `Transaction::Register`. Written by the kiosk.
    Registration = 2,
    /// The election secret sealed to this kiosk (SPEC.md, section 6). Written by the desk, erased by the kiosk at closing.
    Secret = 3,
    /// Which package was accepted last ([`crate::identity::Accepted`]). Written by the kiosk.
    Accepted = 4,
    /// The newest roll delta, as the desk signed it. Written by the desk.
    Delta = 5,
    /// How far the ballot box of the current epoch has come ([`crate::ballot_box::Progress`]). Written by the kiosk, once a voter.
    Progress = 6,
}

impl Item {
    /// All items.
    pub const ALL: [Self; 7] = [
        Self::Identity,
        Self::Request,
        Self::Registration,
        Self::Secret,
        Self::Accepted,
        Self::Delta,
        Self::Progress,
    ];

    /// A name for files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Request => "request",
            Self::Registration => "registration",
            Self::Secret => "secret",
            Self::Accepted => "accepted",
            Self::Delta => "delta",
            Self::Progress => "progress",
        }
    }
}

/// The internal store: a handful of small items, each replaced as a whole or not at all, durable on return.
pub trait Store {
    /// Reads an item to the front of `buffer`; `None` if it was never written or was erased.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn read(&mut self, item: Item, buffer: &mut [u8]) -> Result<Option<usize>, StoreError>;

    /// Replaces an item. A cut leaves the old or the new one.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn write(&mut self, item: Item, bytes: &[u8]) -> Result<(), StoreError>;

    /// Erases an item, as well as the device can (overwritten, not only unlinked).
    ///
    /// # Errors
    /// [`StoreError`].
    async fn erase(&mut self, item: Item) -> Result<(), StoreError>;

    /// Whether this machine takes updates of its software; where it does not, [`Store::update`] is never asked.
    fn updates(&self) -> bool {
        false
    }

    /// The way of an update, a step a call; a machine without updates does without. Must answer within seconds: what takes longer says how far it is.
    ///
    /// # Errors
    /// [`Refused`]: the way begins anew.
    async fn update(&mut self, ask: Ask) -> Result<Said, Refused> {
        let _ = ask;
        Err(Refused::Nobody)
    }

    /// Has the software that runs kept, if it is on trial after an update. Asked when cards have answered, before anything is registered or opened with it:
    /// what was registered or voted on software that goes back would be lost with its keys.
    ///
    /// # Errors
    /// [`Refused`]: it is on trial as before, or that cannot be seen.
    async fn keep(&mut self) -> Result<(), Refused> {
        Ok(())
    }

    /// How much room is left on the disk that this lies on, for staff; `None` where the items have places of their own (a microcontroller's
    /// flash), or nobody can tell.
    async fn space(&mut self) -> Option<Space> {
        None
    }
}

/// Room on a disk, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Still free.
    pub free: u64,
    /// In all.
    pub size: u64,
}

impl Space {
    /// Whether staff should know: less than a twentieth is left, or less than 64 MiB of a larger disk. What a kiosk writes there is a few
    /// kilobytes a day, but a disk that fills up by something else would stop it (`Fault::Store`).
    #[must_use]
    pub const fn is_low(self) -> bool {
        self.free < self.size / 20 || (self.size > 1 << 30 && self.free < 64 << 20)
    }
}

/// Why the internal store failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The device fails.
    Device,
    /// The item is larger than its bound.
    TooLong,
    /// The item was sealed on this machine to other software than runs now. Never said of a device that merely fails: keys may be given up for it.
    Sealed,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "the internal memory fails: take this kiosk out of service",
            Self::TooLong => "an item of the internal memory is larger than allowed: provision this kiosk again",
            Self::Sealed => {
                "the keys were sealed to other software or other settings of this machine: start that, or use a spare"
            }
        })
    }
}

impl core::error::Error for StoreError {}

/// What the case tells: lamp and sound, for staff across the room and for the voter (U6, U7); how warm it is, for the staff's menu.
pub trait Signals {
    /// Sets the lamp until the next call.
    fn lamp(&mut self, lamp: Lamp);
    /// Plays a sound.
    fn sound(&mut self, sound: Sound);

    /// The warmest place that is measured, in degrees Celsius; `None` where nothing measures. Must not block.
    fn celsius(&mut self) -> Option<i16> {
        None
    }
}

/// The lamp (U7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lamp {
    /// Not open, or closed.
    Off,
    /// Waits for a voter.
    Ready,
    /// Somebody is voting.
    Voting,
    /// A voter has finished and should take the card.
    Finished,
    /// Staff are called.
    Call,
    /// Out of order.
    Fault,
}

/// A sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// The vote is recorded (U6).
    Done,
    /// Something was refused.
    Refused,
    /// Staff are called, or nobody has touched the panel for long.
    Call,
    /// Out of order.
    Fault,
}
