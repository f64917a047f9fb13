//! Who this kiosk is: its keys, its registration, the package it accepted. The secret halves never leave the store and this
//! module; they have no `Debug`.
use core::fmt;

/// Why a package was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PackageFault {
    /// There is none.
    Missing,
    /// Damaged, or not signed by the authority this kiosk was set up with.
    Unsigned,
    /// Of another election than the one this kiosk is registered for.
    OtherElection,
    /// Older than the one accepted before.
    Older,
    /// For another polling station.
    OtherStation,
    /// A section is missing or breaks its format.
    Broken,
}

impl fmt::Display for PackageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no election package: put one in",
            Self::Unsigned => "the election package is damaged or not signed by this kiosk's authority: get it again from the desk",
            Self::OtherElection => "the election package is of another election: this kiosk is registered for one already",
            Self::Older => "the election package is older than the one this kiosk has: use the newest",
            Self::OtherStation => "the election package is for another polling station",
            Self::Broken => "the election package lacks something: build it again at the desk",
        })
    }
}
