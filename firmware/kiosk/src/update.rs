//! An update of the machine's software, as the kiosk sees it: what is offered, what two staff cards approve, how far it is.
//!
//! The kiosk asks and shows. Whether an image is the authority's, newer and whole, and whether the approval holds, is judged by whoever writes
//! it ([`crate::ports::Store::update`]), which trusts the kiosk with nothing. What must not be known here: disks, files, how a machine starts.

use core::fmt;

use election::hash::Digest;
use election::ledger::StaffSignature;

/// An image that may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its version.
    pub version: u32,
    /// The version that runs.
    pub running: u32,
    /// Its software hash.
    pub software: Digest,
    /// What identifies it (SPEC.md, section 14).
    pub image: Digest,
    /// What makes an approval one for this time.
    pub nonce: Digest,
}

/// What the kiosk asks for, in this order.
#[derive(Clone, Copy)]
pub enum Ask {
    /// Is there an image? [`Said::Offer`].
    Look,
    /// Write it: two staff cards have approved the offer. [`Said::Writing`].
    Install([StaffSignature; 2]),
    /// How far is it? [`Said::Writing`], then [`Said::Written`] once.
    More,
    /// Start it from the next start on. [`Said::Switched`].
    Switch,
    /// Start the machine again. [`Said::Switched`]; the machine goes down by itself.
    Restart,
    /// Staff went back, or were refused: whoever waits for the next step need not. [`Said::Ended`].
    End,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// To [`Ask::Look`].
    Offer(Offer),
    /// So many hundredths are written or read back, 0 to 100.
    Writing(u8),
    /// Everything is written and was read back; nothing has changed yet for the next start.
    Written,
    /// The next start is into the new software.
    Switched,
    /// To [`Ask::End`].
    Ended,
}

/// Why there is no update. Nothing of it changes what the machine starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refused {
    /// Nobody on this machine writes updates, or whoever does not answer.
    Nobody = 1,
    /// No drive with an image is in.
    NoDrive = 2,
    /// Not signed by the authority, or changed since.
    Unsigned = 3,
    /// Not newer than what runs.
    Older = 4,
    /// Larger than its place on the disk.
    TooLarge = 5,
    /// A file is not the one that was signed.
    Changed = 6,
    /// The drive was taken out, or cannot be read.
    DriveGone = 7,
    /// The two cards' approval does not hold.
    Approval = 8,
    /// An election is open on this machine, or its box is not handed over.
    Open = 9,
    /// The machine's own disk fails, or gives back something else than was written.
    Disk = 10,
    /// Asked in the wrong order.
    Order = 11,
    /// The new software is on trial, and nobody takes note that it has come up: nothing is registered or opened with it.
    Trial = 12,
}

impl Refused {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Nobody,
        Self::NoDrive,
        Self::Unsigned,
        Self::Older,
        Self::TooLarge,
        Self::Changed,
        Self::DriveGone,
        Self::Approval,
        Self::Open,
        Self::Disk,
        Self::Order,
        Self::Trial,
    ];

    /// Its number between two programs.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The one of this number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|refused| refused.number() == number)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nobody => "nobody on this machine writes updates, or it does not answer: start it again",
            Self::NoDrive => "no exchange drive with an update is in: put it in",
            Self::Unsigned => "the update is not signed by the authority: take one from the election office",
            Self::Older => "the update is not newer than what runs: nothing is to be done, or take the newest",
            Self::TooLarge => "the update is larger than its place on the disk: the disk has to be written anew",
            Self::Changed => "a file of the update is not the one that was signed: copy it onto the drive again",
            Self::DriveGone => "the drive was taken out or cannot be read: put it in and begin again",
            Self::Approval => "the two staff cards' approval does not hold: begin again, with two different cards",
            Self::Open => "an election is open on this machine: update before opening or after the next registration",
            Self::Disk => "the machine's own disk fails: take it out of service",
            Self::Order => "asked in the wrong order: begin again",
            Self::Trial => {
                "the new software could not be kept: start the machine again, and use a spare if it says so once more"
            }
        })
    }
}

impl core::error::Error for Refused {}
