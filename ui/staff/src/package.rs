//! The election package of a station (SPEC.md, section 7), and the election secret E whose commitment is in it.

use std::path::Path;

use election::hash::Digest;
use election::keys::Keys;
use election::manifest::{Text, election_hash};
use election::package::{Package, PackageError, Parts, write};
use election::sign::{PublicKey, Signer};
use election::tag::ElectionSecret;
use election::wire::Seq;
use rand_core::CryptoRng;
use serde::Serialize;

use crate::definition::Texts;
use crate::encode::{seq_of, to_bytes};
use crate::keyfile;
use crate::problem::{Kind, Outcome, Problem};

/// What a package is made of.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// manifest.bin.
    pub manifest: &'a [u8],
    /// keys.bin.
    pub keys: &'a [u8],
    /// genesis.bin.
    pub genesis: &'a [u8],
    /// Commitment of E.
    pub secret: &'a Digest,
    /// Number of the station.
    pub station: u16,
    /// Its name, the fallback language first.
    pub name: &'a Texts,
    /// Roll section.
    pub roll: &'a [u8],
    /// Certificates of card authorities, DER.
    pub authorities: &'a [Vec<u8>],
    /// Rises with every reissue for the station.
    pub serial: u32,
    /// The section of pictures, as `screens::draw` gives it.
    pub pictures: Option<&'a [u8]>,
    /// The section of speech, as `speak::render` gives it.
    pub clips: Option<&'a [u8]>,
}

/// What a package says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Package hash, as the zero report shows it.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub package: Digest,
    /// Election hash.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub election: Digest,
    /// Authority.
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub authority: PublicKey,
    /// Manifest id.
    pub id: String,
    /// Station.
    pub station: u16,
    /// Its name.
    pub station_name: Texts,
    /// Serial.
    pub serial: u32,
    /// Voters.
    pub voters: usize,
    /// Contests.
    pub contests: u16,
    /// Ballot styles.
    pub styles: u16,
    /// Trustees in all, and how many must decrypt.
    pub trustees: usize,
    /// k.
    pub threshold: u8,
    /// Staff cards: name and roles.
    pub staff: Vec<(String, u8)>,
    /// Validators.
    pub validators: usize,
    /// Card authorities.
    pub card_authorities: usize,
    /// Characters that have a signed picture; 0 where panels use their own font alone.
    pub pictures: usize,
    /// Bytes of these pictures.
    pub pictures_length: u32,
    /// SHA-256 of the fonts that they were drawn from.
    pub fonts: Vec<String>,
    /// Clips of speech; 0 where kiosks have no voice.
    pub clips: usize,
    /// Bytes of them.
    pub clips_length: usize,
    /// Bytes.
    pub length: usize,
}

/// Builds and signs a package, and opens it again as a kiosk would before it is given away.
///
/// # Errors
/// Any rule of section 7 that does not hold.
pub fn build(input: &Input<'_>, authority: &Signer) -> Outcome<Vec<u8>> {
    let refuse = |error: PackageError| {
        Problem::new(Kind::Refused, format!("package of station {}", input.station), error)
            .advice("correct the part it names and build the package again")
    };
    let keys = Keys::read(input.keys).map_err(|error| Problem::new(Kind::Malformed, "keys.bin", error))?;
    let station_name = seq_of(input.name.iter().map(|(language, text)| Text { language, text }))?;
    let station = to_bytes(&election::package::Station {
        number: input.station,
        name: Seq::from_bytes(&station_name),
    })?;
    let authorities = seq_of(input.authorities.iter().map(|der| election::ledger::Raw(der)))?;
    let parts = Parts {
        serial: input.serial,
        election: election_hash(input.manifest, &keys.joint.0),
        station: input.station,
        sections: [
            input.manifest,
            input.keys,
            &station,
            input.roll,
            &authorities,
            input.genesis,
            input.secret,
        ],
        pictures: input.pictures,
        clips: input.clips,
    };
    let mut bytes = Vec::new();
    write(&parts, authority, |piece| -> Result<(), PackageError> {
        bytes.extend_from_slice(piece);
        Ok(())
    })
    .map_err(refuse)?;
    let package = Package::open(&bytes, &authority.public_key()).map_err(refuse)?;
    #[cfg(feature = "screens")]
    crate::screens::check(&package.manifest, input.name, package.pictures.as_ref())?;
    let _ = package;
    Ok(bytes)
}

/// Opens a package and says what is in it.
///
/// # Errors
/// The first thing that does not hold.
pub fn show(bytes: &[u8], authority: &PublicKey) -> Outcome<Shown> {
    let package = Package::open(bytes, authority).map_err(|error| Problem::new(Kind::Refused, "package", error))?;
    Ok(Shown {
        package: package.hash,
        election: *package.election(),
        authority: package.header.authority.0,
        id: package.manifest.id.to_owned(),
        station: package.station.number,
        station_name: crate::report::texts(package.station.name),
        serial: package.header.serial,
        voters: package.roll.len(),
        contests: package.manifest.contest_count(),
        styles: package.manifest.style_count(),
        trustees: package.keys.trustees.count(),
        threshold: package.keys.threshold,
        staff: package
            .genesis
            .staff
            .iter()
            .map_while(Result::ok)
            .map(|card| (card.name.to_owned(), card.roles))
            .collect(),
        validators: package.genesis.validators.count(),
        card_authorities: package.authorities.count(),
        pictures: package.pictures.map_or(0, |pictures| pictures.pictures.count()),
        pictures_length: package
            .header
            .sections
            .iter()
            .map_while(Result::ok)
            .find(|section| section.kind == election::package::Kind::Pictures.number())
            .map_or(0, |section| section.length),
        fonts: package
            .pictures
            .iter()
            .flat_map(|pictures| pictures.fonts.iter().map_while(Result::ok))
            .map(hex::encode)
            .collect(),
        clips: package.clips.map_or(0, |clips| clips.count()),
        clips_length: package.clips.map_or(0, |clips| clips.bytes().len()),
        length: bytes.len(),
    })
}

/// The authority that a package names; whether it is the right one is for whoever knows its key.
///
/// # Errors
/// Not a package.
pub fn claimed_authority(bytes: &[u8]) -> Outcome<PublicKey> {
    let wrong = || Problem::new(Kind::Malformed, "package", "is not an election package, or is cut off");
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(wrong)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| wrong())?;
    let header = rest.get(..length).ok_or_else(wrong)?;
    let header: election::package::PackageHeader<'_> = election::wire::decode(header).map_err(|_| wrong())?;
    Ok(header.authority.0)
}

/// Draws E and keeps it (0600, never overwritten).
///
/// # Errors
/// The file cannot be written.
pub fn create_secret<R: CryptoRng + ?Sized>(path: &Path, rng: &mut R) -> Outcome<ElectionSecret> {
    let secret = ElectionSecret::generate(rng);
    keyfile::write_election_secret(path, &secret.to_bytes())?;
    Ok(secret)
}

/// Reads E.
///
/// # Errors
/// As [`keyfile::read_election_secret`].
pub fn read_secret(path: &Path) -> Outcome<ElectionSecret> {
    Ok(ElectionSecret::from_bytes(*keyfile::read_election_secret(path)?))
}
