//! Making a package, at the desk.

use super::{Kind, LABEL, MAX_HEADER, PackageError, PackageHeader, Section, VERSION};
use crate::hash::{Digest, hash, sha256};
use crate::sign::Signer;
use crate::wire::{self, Bytes, SeqWriter};

/// What goes into a package.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// See [`PackageHeader::serial`].
    pub serial: u32,
    /// Election hash.
    pub election: Digest,
    /// The station's number.
    pub station: u16,
    /// The bytes of the sections that every package has, in the order of [`Kind::ALL`].
    pub sections: [&'a [u8]; 7],
    /// The pictures of characters, if there are any.
    pub pictures: Option<&'a [u8]>,
    /// The speech, if there is any.
    pub clips: Option<&'a [u8]>,
}

/// Signs a package and gives its bytes to `sink`, piece by piece. Open what was written before it is given away:
/// [`Package::open`] checks what this does not.
///
/// # Errors
/// A section too long, a key that cannot sign, or the sink's error.
pub fn write<E: From<PackageError>>(
    parts: &Parts<'_>,
    authority: &Signer,
    mut sink: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Digest, E> {
    let too_long = |_| PackageError::Length;
    let mut sections = [0; MAX_HEADER];
    let mut list = SeqWriter::new(&mut sections);
    for (kind, content) in contents(parts) {
        list.push(&Section {
            kind: kind.number(),
            length: u32::try_from(content.len()).map_err(too_long)?,
            hash: sha256(content),
        })
        .map_err(PackageError::Header)?;
    }
    let mut buffer = [0; MAX_HEADER];
    let header = PackageHeader {
        version: VERSION,
        serial: parts.serial,
        election: parts.election,
        authority: Bytes(authority.public_key()),
        station: parts.station,
        sections: list.finish(),
    };
    let header = wire::encode(&header, &mut buffer).map_err(PackageError::Header)?;
    let package_hash = hash("ippyo/1/package", &[header]);
    let signature = authority.sign(LABEL, &package_hash).map_err(PackageError::Signature)?;
    let length = u32::try_from(header.len()).map_err(too_long)?;
    sink(&length.to_be_bytes())?;
    sink(header)?;
    sink(&signature)?;
    for (_, content) in contents(parts) {
        sink(content)?;
    }
    Ok(package_hash)
}

/// The sections that there are, with their kinds, in the order of the file.
fn contents<'a>(parts: &Parts<'a>) -> impl Iterator<Item = (Kind, &'a [u8])> {
    let may_miss = [parts.pictures, parts.clips].into_iter();
    let all = parts.sections.into_iter().map(Some).chain(may_miss);
    Kind::ALL
        .into_iter()
        .zip(all)
        .filter_map(|(kind, content)| Some((kind, content?)))
}
