//! The election package (SPEC.md, section 7): everything a kiosk of one station needs, signed by the election authority.
//!
//! A view over bytes that lie in flash or in a mapped file. [`Package::open`] checks everything once; [`SectionStream`] checks
//! the same bytes as they come in, before they are anywhere in one piece. The package holds no name of a voter: its roll is
//! hashes of card keys.

mod error;
mod stream;
mod write;

pub use error::PackageError;
pub use stream::SectionStream;
pub use write::{Parts, write};

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::clips::Clips;
use crate::hash::{Digest, hash, sha256};
use crate::keys::Keys;
use crate::ledger::{Genesis, Raw};
use crate::manifest::{CheckedManifest, Manifest, Rule, Texts, election_hash};
use crate::pictures::Pictures;
use crate::roll::Roll;
use crate::sign::{self, PublicKey};
use crate::wire::{self, Bytes, Seq, WireError};

/// Version of the format.
pub const VERSION: u16 = 1;
/// Most bytes of a header. Nine sections of 38 bytes and the fields before them are below 450.
pub const MAX_HEADER: usize = 512;
/// Bytes of the longest package: offsets stay far below 2^32.
pub const MAX_PACKAGE: usize = 64 << 20;
/// Card certificate authorities of a package.
pub const MAX_AUTHORITIES: usize = 16;
/// Bytes of one such certificate.
pub const MAX_CERTIFICATE: usize = 4096;
/// Label of the authority's signature over the package hash.
pub const LABEL: &str = "ippyo/1/sign/package";

/// What a section holds. The discriminants are the format's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The manifest.
    Manifest = 1,
    /// Joint key, threshold, trustees.
    Keys = 2,
    /// The station.
    Station = 3,
    /// The roll.
    Roll = 4,
    /// Card certificate authorities.
    Authorities = 5,
    /// Staff cards and validators.
    Genesis = 6,
    /// Commitment of the election secret E.
    Secret = 7,
    /// How the characters of names look; may be missing.
    Pictures = 8,
    /// What the election's screens say; may be missing.
    Clips = 9,
}

impl Kind {
    /// Every kind, in the order of the file.
    pub const ALL: [Self; 9] = [
        Self::Manifest,
        Self::Keys,
        Self::Station,
        Self::Roll,
        Self::Authorities,
        Self::Genesis,
        Self::Secret,
        Self::Pictures,
        Self::Clips,
    ];

    /// The number in the format.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Manifest => 1,
            Self::Keys => 2,
            Self::Station => 3,
            Self::Roll => 4,
            Self::Authorities => 5,
            Self::Genesis => 6,
            Self::Secret => 7,
            Self::Pictures => 8,
            Self::Clips => 9,
        }
    }

    /// Whether a package must have it.
    #[must_use]
    pub const fn required(self) -> bool {
        !matches!(self, Self::Pictures | Self::Clips)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manifest => "manifest",
            Self::Keys => "keys",
            Self::Station => "station",
            Self::Roll => "roll",
            Self::Authorities => "card authorities",
            Self::Genesis => "genesis",
            Self::Secret => "secret's commitment",
            Self::Pictures => "pictures of characters",
            Self::Clips => "speech",
        })
    }
}

/// What the authority signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageHeader<'a> {
    /// [`VERSION`].
    pub version: u16,
    /// Rises with every reissue for a station.
    pub serial: u32,
    /// Election hash.
    pub election: Digest,
    /// The authority's key.
    pub authority: Bytes<33>,
    /// The station's number.
    pub station: u16,
    /// Kinds strictly ascending.
    #[serde(borrow)]
    pub sections: Seq<'a, Section>,
}

/// One section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// A number of [`Kind`].
    pub kind: u8,
    /// Bytes.
    pub length: u32,
    /// SHA-256 of them.
    pub hash: Digest,
}

/// A polling station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Station<'a> {
    /// Its number, the same as in the header.
    pub number: u16,
    /// Its name.
    #[serde(borrow)]
    pub name: Texts<'a>,
}

/// A header whose signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHeader<'a> {
    /// The header.
    pub header: PackageHeader<'a>,
    /// The package hash: `H("ippyo/1/package", header)`.
    pub hash: Digest,
    /// Where the first section begins in the file.
    pub sections_at: usize,
    /// Bytes of the whole file.
    pub file_len: usize,
}

impl<'a> SignedHeader<'a> {
    /// Reads and checks the front of a package; `front` may be the whole file or its first [`MAX_HEADER`] + 68 bytes.
    ///
    /// # Errors
    /// What does not hold.
    pub fn open(front: &'a [u8], authority: &PublicKey) -> Result<Self, PackageError> {
        let (length, rest) = front.split_first_chunk::<4>().ok_or(PackageError::Truncated)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MAX_HEADER {
            return Err(PackageError::Header(WireError::OutOfBounds));
        }
        let (encoded, rest) = rest.split_at_checked(length).ok_or(PackageError::Truncated)?;
        let signature = rest.first_chunk::<64>().ok_or(PackageError::Truncated)?;
        let header: PackageHeader<'a> = wire::decode(encoded).map_err(PackageError::Header)?;
        if header.version != VERSION {
            return Err(PackageError::Version(header.version));
        }
        if header.authority.0 != *authority {
            return Err(PackageError::Authority);
        }
        let package_hash = hash("ippyo/1/package", &[encoded]);
        sign::verify(authority, LABEL, &package_hash, signature).map_err(PackageError::Signature)?;

        let sections_at = 4 + length + 64;
        let mut file_len = sections_at;
        let mut kinds = Kind::ALL.iter();
        for section in header.sections.iter() {
            let section = section.map_err(PackageError::Header)?;
            let mut expected = kinds.next().ok_or(PackageError::SectionKind(section.kind))?;
            while section.kind > expected.number() {
                if expected.required() {
                    return Err(PackageError::Missing(*expected));
                }
                expected = kinds.next().ok_or(PackageError::SectionKind(section.kind))?;
            }
            if section.kind != expected.number() {
                return Err(PackageError::SectionKind(section.kind));
            }
            file_len = usize::try_from(section.length)
                .ok()
                .and_then(|length| file_len.checked_add(length))
                .filter(|length| *length <= MAX_PACKAGE)
                .ok_or(PackageError::Length)?;
        }
        if let Some(kind) = kinds.find(|kind| kind.required()) {
            return Err(PackageError::Missing(*kind));
        }
        Ok(Self {
            header,
            hash: package_hash,
            sections_at,
            file_len,
        })
    }
}

/// A package that holds every rule of section 7.
#[derive(Clone, Copy, Debug)]
pub struct Package<'a> {
    /// Serial, election, authority, station.
    pub header: PackageHeader<'a>,
    /// The package hash.
    pub hash: Digest,
    /// What is voted on.
    pub manifest: CheckedManifest<'a>,
    /// Joint key and trustees.
    pub keys: Keys<'a>,
    /// The station.
    pub station: Station<'a>,
    /// Who may vote here, as hashes of card keys.
    pub roll: Roll<'a>,
    /// Certificates of card authorities, DER.
    pub authorities: Seq<'a, Raw<'a>>,
    /// Staff cards and validators.
    pub genesis: Genesis<'a>,
    /// Commitment of the election secret.
    pub secret: &'a Digest,
    /// How the characters of names look, if the desk has drawn them.
    pub pictures: Option<Pictures<'a>>,
    /// What its screens say, if the desk has rendered it.
    pub clips: Option<Clips<'a>>,
}

impl<'a> Package<'a> {
    /// Checks a whole package: signature, completeness, hashes, and that all sections are of one election. Whether the kiosk
    /// may take it is [`accept`].
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn open(bytes: &'a [u8], authority: &PublicKey) -> Result<Self, PackageError> {
        let signed = SignedHeader::open(bytes, authority)?;
        if bytes.len() != signed.file_len {
            return Err(PackageError::Length);
        }
        let mut rest = bytes.get(signed.sections_at..).ok_or(PackageError::Length)?;
        let mut sections = signed.header.sections.iter().map_while(Result::ok).peekable();
        let mut section = |kind: Kind| {
            let section = sections.next_if(|section| section.kind == kind.number());
            let section = section.ok_or(PackageError::Missing(kind))?;
            let length = usize::try_from(section.length).map_err(|_| PackageError::Length)?;
            let (content, after) = rest.split_at_checked(length).ok_or(PackageError::Length)?;
            rest = after;
            if sha256(content) == section.hash {
                Ok(content)
            } else {
                Err(PackageError::SectionHash(kind))
            }
        };
        let manifest = Manifest::parse(section(Kind::Manifest)?).map_err(PackageError::Manifest)?;
        let keys = Keys::read(section(Kind::Keys)?).map_err(PackageError::Keys)?;
        let wire_error = |kind| move |error| PackageError::SectionWire(kind, error);
        let station: Station<'a> = wire::decode(section(Kind::Station)?).map_err(wire_error(Kind::Station))?;
        let roll = Roll::read(section(Kind::Roll)?, manifest.style_count()).map_err(PackageError::Roll)?;
        let authorities = Seq::<Raw<'a>>::from_bytes(section(Kind::Authorities)?);
        let genesis = Genesis::read(section(Kind::Genesis)?).map_err(PackageError::Genesis)?;
        let secret = section(Kind::Secret)?
            .try_into()
            .map_err(|_| PackageError::SectionWire(Kind::Secret, WireError::Malformed))?;
        let pictures = match section(Kind::Pictures) {
            Ok(content) => Some(Pictures::read(content).map_err(PackageError::Pictures)?),
            Err(PackageError::Missing(_)) => None,
            Err(error) => return Err(error),
        };

        let clips = match section(Kind::Clips) {
            Ok(content) => Some(Clips::read(content).map_err(PackageError::Clips)?),
            Err(PackageError::Missing(_)) => None,
            Err(error) => return Err(error),
        };

        let election = election_hash(manifest.bytes(), &keys.joint.0);
        if signed.header.election != election {
            return Err(PackageError::Election);
        }
        if genesis.election != election {
            return Err(PackageError::GenesisElection);
        }
        let named: Result<(), Rule> = manifest.check_name(station.name);
        if station.number != signed.header.station || named.is_err() {
            return Err(PackageError::Station);
        }
        check_authorities(authorities)?;
        Ok(Self {
            header: signed.header,
            hash: signed.hash,
            manifest,
            keys,
            station,
            roll,
            authorities,
            genesis,
            secret,
            pictures,
            clips,
        })
    }

    /// Election hash.
    #[must_use]
    pub const fn election(&self) -> &Digest {
        &self.header.election
    }

    /// The certificates of the card authorities, DER.
    pub fn certificates(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.authorities.iter().map_while(Result::ok).map(|raw| raw.0)
    }
}

fn check_authorities(authorities: Seq<'_, Raw<'_>>) -> Result<(), PackageError> {
    let mut count = 0usize;
    for certificate in authorities.iter() {
        let certificate = certificate.map_err(|error| PackageError::SectionWire(Kind::Authorities, error))?;
        count = count.saturating_add(1);
        if certificate.0.is_empty() || certificate.0.len() > MAX_CERTIFICATE || count > MAX_AUTHORITIES {
            return Err(PackageError::Authorities);
        }
    }
    if count == 0 {
        return Err(PackageError::Authorities);
    }
    Ok(())
}

/// What a kiosk holds when a package comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Serial of the package it holds.
    pub serial: u32,
    /// Hash of that package.
    pub package: Digest,
    /// Election of that package.
    pub election: Digest,
    /// Whether two staff cards have registered the kiosk for it.
    pub registered: bool,
}

/// Whether a kiosk takes a package that [`SignedHeader::open`] let through. A pure rule: where it is kept is the kiosk's.
///
/// # Errors
/// [`PackageError::OtherStation`], [`PackageError::Older`], [`PackageError::SameSerial`], [`PackageError::OtherElection`].
pub fn accept(new: &SignedHeader<'_>, station: u16, held: Option<&Held>) -> Result<(), PackageError> {
    if new.header.station != station {
        return Err(PackageError::OtherStation {
            ours: station,
            theirs: new.header.station,
        });
    }
    let Some(held) = held else { return Ok(()) };
    if new.header.election != held.election {
        // Before it is registered a kiosk may be set up for another election, whose serials are its own.
        return if held.registered {
            Err(PackageError::OtherElection)
        } else {
            Ok(())
        };
    }
    if new.header.serial < held.serial {
        return Err(PackageError::Older {
            held: held.serial,
            given: new.header.serial,
        });
    }
    if new.header.serial == held.serial && new.hash != held.package {
        return Err(PackageError::SameSerial(held.serial));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
