//! The first thing in a record that does not hold: which file, which item of it, and why.

use core::fmt;

use crate::ballot::BallotError;
use crate::ceremony::CeremonyError;
use crate::closing::ClosingError;
use crate::hash::Digest;
use crate::keys::KeysError;
use crate::ledger::{BlockError, CertificateError, GenesisError, Refusal};
use crate::manifest::ManifestError;
use crate::record::{FileName, IndexError};
use crate::tally::TallyError;
use crate::wire::WireError;

/// What does not hold, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub file: FileName,
    /// The item in it, from 0; a block in chain.bin.
    pub item: Option<u32>,
    /// Why.
    pub why: Why,
}

impl Broken {
    pub(super) const fn new(file: FileName, why: Why) -> Self {
        Self { file, item: None, why }
    }

    pub(super) const fn item(file: FileName, item: u32, why: Why) -> Self {
        Self {
            file,
            item: Some(item),
            why,
        }
    }

    /// Memory lent by the caller does not suffice.
    pub(super) const fn scratch(file: FileName) -> Self {
        Self::new(file, Why::Scratch)
    }
}

/// Why something does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Index, or a file that is not the one in the index.
    Index(IndexError),
    /// The bytes do not decode.
    Wire(WireError),
    /// The manifest breaks a rule.
    Manifest(ManifestError),
    /// The keys break a rule.
    Keys(KeysError),
    /// Of another election than manifest and joint key.
    Election,
    /// The ceremony does not hold, or does not give the keys.
    Ceremony(CeremonyError),
    /// The genesis breaks a rule.
    Genesis(GenesisError),
    /// A block does not follow.
    Block(BlockError),
    /// A block is not final.
    Certificate(CertificateError),
    /// A transaction breaks a rule of the ledger.
    Transaction {
        /// Its place in the block, from 0.
        index: u32,
        /// Why it had to be refused.
        refusal: Refusal,
    },
    /// More items than any record has.
    TooMany,
    /// The kiosk was never registered.
    UnknownKiosk,
    /// The ballot's style does not exist.
    Style(u16),
    /// The ballot itself.
    Ballot(BallotError),
    /// Items are not strictly ascending.
    Order,
    /// A code is both cast and spoiled.
    CodeTwice,
    /// The ballot's leaf is not on the ledger.
    NotOnLedger,
    /// The leaf is on the ledger, but not by this kiosk (or one it took over from) in this epoch.
    NotOfKiosk,
    /// Its kiosk has no closing for its epoch.
    NoClosing,
    /// A closed kiosk's entry on the ledger with this code is not published.
    NotPublished(Digest),
    /// The closing.
    Closing(ClosingError),
    /// The closing names another station than the kiosk's registration.
    Station,
    /// An epoch that the manifest does not have.
    Epoch,
    /// The closing is not the one in the kiosk's last batch.
    NotTheLastBatch,
    /// This kiosk closed on the ledger, but its closing is missing.
    ClosingMissing(Digest),
    /// The tally: another number of counted ballots, or of a contest's.
    Count {
        /// What the tally says.
        said: u32,
        /// What follows from the ballots.
        found: u32,
    },
    /// The tally does not hold every contest of the manifest once, or not all its selections.
    Contests,
    /// Sums, decryptions or totals of a contest.
    Tally(TallyError),
    /// Reception: the key is not on the roster.
    ReceptionKey,
    /// Reception: the signature does not hold.
    ReceptionSignature,
    /// Reception: a station and epoch come twice.
    ReceptionTwice,
    /// More different tags than reception admitted.
    MoreThanAdmitted {
        /// The station.
        station: u16,
        /// The epoch.
        epoch: u8,
        /// Different tags.
        tags: u32,
        /// Reception's count.
        admissions: u32,
    },
    /// Not the record's fault: the caller lent too little memory.
    Scratch,
}

struct Hex<'d>(&'d Digest);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(error) => error.fmt(f),
            Self::Wire(error) => error.fmt(f),
            Self::Manifest(error) => error.fmt(f),
            Self::Keys(error) => error.fmt(f),
            Self::Election => f.write_str("it is of another election than manifest and joint key"),
            Self::Ceremony(error) => error.fmt(f),
            Self::Genesis(error) => error.fmt(f),
            Self::Block(error) => error.fmt(f),
            Self::Certificate(error) => error.fmt(f),
            Self::Transaction { index, refusal } => write!(f, "transaction {index}: {refusal}"),
            Self::TooMany => f.write_str("there are more items than a record can have"),
            Self::UnknownKiosk => f.write_str("its kiosk is not registered on the ledger"),
            Self::Style(style) => write!(f, "ballot style {style} does not exist"),
            Self::Ballot(error) => error.fmt(f),
            Self::Order => f.write_str("the items are not strictly ascending"),
            Self::CodeTwice => f.write_str("its tracking code is among the cast ballots, too"),
            Self::NotOnLedger => f.write_str("its leaf is not on the ledger"),
            Self::NotOfKiosk => f.write_str("its leaf is on the ledger, but not by its kiosk in its epoch"),
            Self::NoClosing => f.write_str("its kiosk has no closing for its epoch"),
            Self::NotPublished(code) => write!(
                f,
                "the ledger has a ballot of a closed kiosk with the code {}, which is not published",
                crate::ballot::code_text(code)
            ),
            Self::Closing(error) => error.fmt(f),
            Self::Station => f.write_str("its station is not the one the kiosk is registered at"),
            Self::Epoch => f.write_str("the manifest does not have its epoch"),
            Self::NotTheLastBatch => f.write_str("it is not the closing in the kiosk's last batch"),
            Self::ClosingMissing(kiosk) => {
                write!(
                    f,
                    "the kiosk {}... closed on the ledger, but its closing is missing",
                    Hex(kiosk)
                )
            }
            Self::Count { said, found } => write!(f, "it says {said} ballots, {found} count"),
            Self::Contests => f.write_str("it does not hold every contest and every selection once"),
            Self::Tally(error) => error.fmt(f),
            Self::ReceptionKey => f.write_str("reception's count is not signed by a card of the roster"),
            Self::ReceptionSignature => f.write_str("the signature on reception's count does not hold"),
            Self::ReceptionTwice => f.write_str("reception counted a station and epoch twice"),
            Self::MoreThanAdmitted {
                station,
                epoch,
                tags,
                admissions,
            } => write!(
                f,
                "station {station}, epoch {epoch}: {tags} different voters voted, but reception admitted {admissions}"
            ),
            Self::Scratch => f.write_str("this program lent the verification too little memory"),
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            Some(item) => write!(f, "{}, item {item}: {}", self.file, self.why),
            None => write!(f, "{}: {}", self.file, self.why),
        }
    }
}

impl core::error::Error for Broken {}
