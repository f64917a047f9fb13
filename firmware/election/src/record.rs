//! The election record (SPEC.md, section 10): the files anybody may check, and the index that signs them all.
//!
//! Types and the index only; whether a record holds is [`crate::verify`]. A record is published after the count: it is the only
//! place where tags appear.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::hash::{Digest, sha256};
use crate::ledger::{Genesis, Raw};
use crate::sign::{self, PublicKey, SignError, Signer};
use crate::signed::{Signed, SignedError};
use crate::wire::{self, Bytes, Seq, WireError};

/// Version of the index.
pub const VERSION: u16 = 1;
/// Label of the authority's signature over the index.
pub const LABEL_INDEX: &str = "ippyo/1/sign/index";
/// Label of a staff card's signature over reception's count.
pub const LABEL_RECEPTION: &str = "ippyo/1/sign/reception";

/// The files of a record, in ascending order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// Cast ballots.
    Ballots,
    /// The key ceremony.
    Ceremony,
    /// Decided blocks.
    Chain,
    /// What kiosks closed with.
    Closings,
    /// The ledger's beginning.
    Genesis,
    /// The index.
    Index,
    /// Joint key and trustees.
    Keys,
    /// The manifest.
    Manifest,
    /// Reception's counts; a record may lack it.
    Reception,
    /// The report for people.
    Report,
    /// The results for programs.
    Results,
    /// Opened ballots.
    Spoiled,
    /// Sums, decryptions and totals.
    Tally,
}

impl FileName {
    /// Every file, ascending by name.
    pub const ALL: [Self; 13] = [
        Self::Ballots,
        Self::Ceremony,
        Self::Chain,
        Self::Closings,
        Self::Genesis,
        Self::Index,
        Self::Keys,
        Self::Manifest,
        Self::Reception,
        Self::Report,
        Self::Results,
        Self::Spoiled,
        Self::Tally,
    ];

    /// The name in the folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ballots => "ballots.bin",
            Self::Ceremony => "ceremony.bin",
            Self::Chain => "chain.bin",
            Self::Closings => "closings.bin",
            Self::Genesis => "genesis.bin",
            Self::Index => "index.bin",
            Self::Keys => "keys.bin",
            Self::Manifest => "manifest.bin",
            Self::Reception => "reception.json",
            Self::Report => "report.html",
            Self::Results => "results.json",
            Self::Spoiled => "spoiled.bin",
            Self::Tally => "tally.bin",
        }
    }

    /// The file of a name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|file| file.name() == name)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A cast ballot as it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedBallot<'b> {
    /// Kiosk id of the kiosk that closed with it.
    pub kiosk: Digest,
    /// Its epoch.
    pub epoch: u8,
    /// The tag.
    pub tag: Digest,
    /// The ballot.
    #[serde(borrow)]
    pub ballot: Raw<'b>,
}

/// A challenged ballot as it is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedSpoiled<'b> {
    /// Kiosk id of the kiosk that closed with it.
    pub kiosk: Digest,
    /// Its epoch.
    pub epoch: u8,
    /// The ballot.
    #[serde(borrow)]
    pub ballot: Raw<'b>,
}

/// What the authority signs of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index<'b> {
    /// [`VERSION`].
    pub version: u16,
    /// Election hash.
    pub election: Digest,
    /// The authority's key.
    pub authority: Bytes<33>,
    /// Every file but the index, ascending by name.
    #[serde(borrow)]
    pub files: Seq<'b, File<'b>>,
}

/// A file of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File<'b> {
    /// Its name.
    pub name: &'b str,
    /// Bytes.
    pub length: u64,
    /// SHA-256 of them.
    pub hash: Digest,
}

/// Why an index was refused, or does not fit the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexError {
    /// It does not decode, or its signature does not hold.
    Signed(SignedError),
    /// Its body does not decode.
    Wire(WireError),
    /// Another version.
    Version(u16),
    /// Signed by another authority than was asked for.
    Authority,
    /// Names are not strictly ascending.
    Order,
    /// It lists a file that no record has.
    Foreign,
    /// It does not list a file that is there.
    NotListed(FileName),
    /// It lists a file that is missing.
    Missing(FileName),
    /// A file has another length.
    Length(FileName),
    /// A file has another hash.
    Hash(FileName),
}

impl IndexError {
    /// The file concerned.
    #[must_use]
    pub const fn file(&self) -> FileName {
        match self {
            Self::NotListed(file) | Self::Missing(file) | Self::Length(file) | Self::Hash(file) => *file,
            _ => FileName::Index,
        }
    }
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed(error) => error.fmt(f),
            Self::Wire(error) => error.fmt(f),
            Self::Version(version) => write!(f, "the index has version {version}, this program knows {VERSION}"),
            Self::Authority => f.write_str("the record is signed by another election authority"),
            Self::Order => f.write_str("the files are not in ascending order of their names"),
            Self::Foreign => f.write_str("the index lists a file that does not belong in a record"),
            Self::NotListed(_) => f.write_str("the file is not listed in the index"),
            Self::Missing(_) => f.write_str("the file is listed in the index, but it is missing"),
            Self::Length(_) => f.write_str("the file has another length than the index says"),
            Self::Hash(_) => f.write_str("the file is not the one that was signed"),
        }
    }
}

impl core::error::Error for IndexError {}

/// The files' bytes.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// index.bin
    pub index: &'a [u8],
    /// manifest.bin
    pub manifest: &'a [u8],
    /// keys.bin
    pub keys: &'a [u8],
    /// ceremony.bin
    pub ceremony: &'a [u8],
    /// genesis.bin
    pub genesis: &'a [u8],
    /// chain.bin
    pub chain: &'a [u8],
    /// ballots.bin
    pub ballots: &'a [u8],
    /// spoiled.bin
    pub spoiled: &'a [u8],
    /// closings.bin
    pub closings: &'a [u8],
    /// tally.bin
    pub tally: &'a [u8],
    /// results.json
    pub results: &'a [u8],
    /// report.html
    pub report: &'a [u8],
    /// reception.json, if it was given
    pub reception: Option<&'a [u8]>,
}

impl<'a> Files<'a> {
    /// A file's bytes; None for a reception that was not given.
    #[must_use]
    pub const fn get(&self, file: FileName) -> Option<&'a [u8]> {
        Some(match file {
            FileName::Ballots => self.ballots,
            FileName::Ceremony => self.ceremony,
            FileName::Chain => self.chain,
            FileName::Closings => self.closings,
            FileName::Genesis => self.genesis,
            FileName::Index => self.index,
            FileName::Keys => self.keys,
            FileName::Manifest => self.manifest,
            FileName::Reception => return self.reception,
            FileName::Report => self.report,
            FileName::Results => self.results,
            FileName::Spoiled => self.spoiled,
            FileName::Tally => self.tally,
        })
    }
}

impl<'b> Index<'b> {
    /// Reads index.bin and checks its signature by the authority it names, who must be `authority` if one is asked for.
    ///
    /// # Errors
    /// What does not hold.
    pub fn open(bytes: &'b [u8], authority: Option<&PublicKey>) -> Result<Self, IndexError> {
        let signed: Signed<'b> = wire::decode(bytes).map_err(|error| IndexError::Signed(SignedError::Wire(error)))?;
        let index: Self = wire::decode(signed.body).map_err(IndexError::Wire)?;
        if index.version != VERSION {
            return Err(IndexError::Version(index.version));
        }
        if authority.is_some_and(|authority| *authority != index.authority.0) {
            return Err(IndexError::Authority);
        }
        sign::verify(&index.authority.0, LABEL_INDEX, signed.body, &signed.signature.0)
            .map_err(|error| IndexError::Signed(SignedError::Sign(error)))?;
        Ok(index)
    }

    /// Checks that the index lists exactly the files that are there, each with its length and hash.
    ///
    /// # Errors
    /// The first file that does not fit.
    pub fn check_files(&self, files: &Files<'_>) -> Result<(), IndexError> {
        let mut expected = FileName::ALL.into_iter().filter(|file| *file != FileName::Index);
        for listed in self.files.iter() {
            let listed = listed.map_err(IndexError::Wire)?;
            let file = FileName::of(listed.name).ok_or(IndexError::Foreign)?;
            // Both run ascending through the names: what lies between was left out.
            let content = loop {
                let next = expected.next().ok_or(IndexError::Order)?;
                match files.get(next) {
                    Some(content) if next == file => break content,
                    None if next == file => return Err(IndexError::Missing(file)),
                    Some(_) if next < file => return Err(IndexError::NotListed(next)),
                    Some(_) => return Err(IndexError::Order),
                    None => {}
                }
            };
            if u64::try_from(content.len()) != Ok(listed.length) {
                return Err(IndexError::Length(file));
            }
            if sha256(content) != listed.hash {
                return Err(IndexError::Hash(file));
            }
        }
        match expected.find(|file| files.get(*file).is_some()) {
            Some(file) => Err(IndexError::NotListed(file)),
            None => Ok(()),
        }
    }
}

/// Signs an index over the files (whose `index` is not looked at) and writes index.bin into `out`; 2,048 bytes suffice.
///
/// # Errors
/// A buffer too small, or a key that cannot sign.
pub fn write_index<'o>(
    election: &Digest,
    files: &Files<'_>,
    authority: &Signer,
    out: &'o mut [u8],
) -> Result<&'o [u8], IndexError> {
    // 12 files of at most 15 + 10 + 32 bytes.
    let mut list = [0; 1024];
    let mut writer = wire::SeqWriter::new(&mut list);
    for file in FileName::ALL.into_iter().filter(|file| *file != FileName::Index) {
        let Some(content) = files.get(file) else { continue };
        writer
            .push(&File {
                name: file.name(),
                length: u64::try_from(content.len()).unwrap_or(u64::MAX),
                hash: sha256(content),
            })
            .map_err(IndexError::Wire)?;
    }
    let mut body = [0; 1280];
    let body = wire::encode(
        &Index {
            version: VERSION,
            election: *election,
            authority: Bytes(authority.public_key()),
            files: writer.finish(),
        },
        &mut body,
    )
    .map_err(IndexError::Wire)?;
    let signed =
        Signed::new(body, LABEL_INDEX, authority).map_err(|error| IndexError::Signed(SignedError::Sign(error)))?;
    wire::encode(&signed, out).map(|used| &*used).map_err(IndexError::Wire)
}

/// Reception's count of admissions at a station in an epoch, as an entry of reception.json says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceptionCount {
    /// The station's number.
    pub station: u16,
    /// The epoch.
    pub epoch: u8,
    /// Persons let through to the kiosks.
    pub admissions: u32,
    /// A staff card of the roster.
    pub key: PublicKey,
    /// Its signature over [`ReceptionCount::message`].
    pub signature: sign::SignatureBytes,
}

impl ReceptionCount {
    /// eh || u16 station || epoch || u32 admissions.
    #[must_use]
    pub fn message(election: &Digest, station: u16, epoch: u8, admissions: u32) -> [u8; 39] {
        let mut message = [0; 39];
        let parts = election
            .iter()
            .copied()
            .chain(station.to_be_bytes())
            .chain([epoch])
            .chain(admissions.to_be_bytes());
        for (to, from) in message.iter_mut().zip(parts) {
            *to = from;
        }
        message
    }

    /// Whether the key is on the roster and the signature holds. None: the key is not on the roster.
    ///
    /// # Errors
    /// The signature does not hold.
    pub fn check(&self, genesis: &Genesis<'_>) -> Option<Result<(), SignError>> {
        genesis.card(&self.key)?;
        let message = Self::message(&genesis.election, self.station, self.epoch, self.admissions);
        Some(sign::verify(&self.key, LABEL_RECEPTION, &message, &self.signature))
    }
}
