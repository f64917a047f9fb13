//! Why a package is refused.

use core::fmt;

use super::{Kind, MAX_AUTHORITIES, MAX_CERTIFICATE, VERSION};
use crate::clips::ClipsError;
use crate::keys::KeysError;
use crate::ledger::GenesisError;
use crate::manifest::ManifestError;
use crate::pictures::PictureError;
use crate::roll::RollError;
use crate::sign::SignError;
use crate::wire::WireError;

/// Why a package was refused, and by that what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageError {
    /// Cut off before the end of the header.
    Truncated,
    /// The header does not decode or is too long.
    Header(WireError),
    /// Another version of the format.
    Version(u16),
    /// Made by another authority than this kiosk was set up with.
    Authority,
    /// The authority's signature does not hold.
    Signature(SignError),
    /// An unknown kind, or kinds out of order.
    SectionKind(u8),
    /// A section is missing.
    Missing(Kind),
    /// The sections do not end where the file ends.
    Length,
    /// A section's bytes are not those that were signed.
    SectionHash(Kind),
    /// A section's bytes do not decode.
    SectionWire(Kind, WireError),
    /// The manifest breaks a rule.
    Manifest(ManifestError),
    /// The trustees' keys break a rule.
    Keys(KeysError),
    /// The header's election is not that of the manifest and the joint key.
    Election,
    /// The station section is of another number, or its name breaks a rule.
    Station,
    /// The roll breaks a rule.
    Roll(RollError),
    /// Certificate authorities: none, too many, or one too long.
    Authorities,
    /// The genesis breaks a rule, or is of another election.
    Genesis(GenesisError),
    /// The genesis is of another election.
    GenesisElection,
    /// The pictures of characters break a rule.
    Pictures(PictureError),
    /// The speech breaks a rule.
    Clips(ClipsError),
    /// The package is for another station than this kiosk's.
    OtherStation {
        /// The kiosk's.
        ours: u16,
        /// The package's.
        theirs: u16,
    },
    /// Older than what is held.
    Older {
        /// The serial that is held.
        held: u32,
        /// The serial that was given.
        given: u32,
    },
    /// Another content under the serial that is held: the authority must give it a higher one.
    SameSerial(u32),
    /// The kiosk is registered for another election.
    OtherElection,
}

impl fmt::Display for PackageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the package is cut off: copy it again"),
            Self::Header(error) => write!(f, "this is not an election package: {error}"),
            Self::Version(version) => write!(f, "the package has version {version}, this program knows {VERSION}"),
            Self::Authority => f.write_str("the package is of another election authority"),
            Self::Signature(error) => write!(f, "the package is not signed by the election authority: {error}"),
            Self::SectionKind(kind) => write!(f, "the package has an unknown or misplaced section ({kind})"),
            Self::Missing(kind) => write!(f, "the package has no section \"{kind}\""),
            Self::Length => f.write_str("the package is cut off or has bytes behind its end: copy it again"),
            Self::SectionHash(kind) => write!(f, "the section \"{kind}\" was changed after signing: copy it again"),
            Self::SectionWire(kind, error) => write!(f, "the section \"{kind}\": {error}"),
            Self::Manifest(error) => error.fmt(f),
            Self::Keys(error) => error.fmt(f),
            Self::Election => f.write_str("the package names another election than its manifest and joint key"),
            Self::Station => f.write_str("the station section has another number or a bad name"),
            Self::Roll(error) => write!(f, "the roll: {error}"),
            Self::Authorities => write!(
                f,
                "the package needs 1 to {MAX_AUTHORITIES} card authorities of at most {MAX_CERTIFICATE} bytes"
            ),
            Self::Genesis(error) => error.fmt(f),
            Self::GenesisElection => f.write_str("staff and validators in the package are of another election"),
            Self::Pictures(error) => write!(f, "the pictures of characters: {error}"),
            Self::Clips(error) => write!(f, "the speech: {error}"),
            Self::OtherStation { ours, theirs } => {
                write!(
                    f,
                    "the package is for station {theirs}, this kiosk is of station {ours}"
                )
            }
            Self::Older { held, given } => {
                write!(
                    f,
                    "the package has serial {given}, older than serial {held} which is held"
                )
            }
            Self::SameSerial(serial) => write!(
                f,
                "another package with serial {serial} is held: issue this one with a higher serial"
            ),
            Self::OtherElection => f.write_str("the package is of another election than this kiosk is registered for"),
        }
    }
}

impl core::error::Error for PackageError {}
