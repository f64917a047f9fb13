//! A package's sections checked as they come in, before they are anywhere in one piece.

use sha2::{Digest as _, Sha256};

use super::{Kind, PackageError, Section, SignedHeader};
use crate::hash::Digest;
use crate::wire;

/// Checks the sections as their bytes come by, for a reader that cannot hold the package.
pub struct SectionStream<'a> {
    sections: wire::SeqIter<'a, Section>,
    current: Option<(Section, Sha256, u32)>,
}

impl<'a> SectionStream<'a> {
    /// Begins behind the header.
    #[must_use]
    pub fn new(signed: &SignedHeader<'a>) -> Self {
        Self {
            sections: signed.header.sections.iter(),
            current: None,
        }
    }

    /// Feeds the next bytes of the file.
    ///
    /// # Errors
    /// [`PackageError::SectionHash`] as soon as a section has gone by that is not what was signed; [`PackageError::Length`]
    /// for bytes behind the last.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), PackageError> {
        loop {
            self.close()?;
            if bytes.is_empty() {
                return Ok(());
            }
            let Some((_, sha, left)) = &mut self.current else {
                return Err(PackageError::Length);
            };
            let take = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
            let (now, after) = bytes.split_at_checked(take).ok_or(PackageError::Length)?;
            sha.update(now);
            *left = u32::try_from(take)
                .ok()
                .and_then(|take| left.checked_sub(take))
                .ok_or(PackageError::Length)?;
            bytes = after;
        }
    }

    /// Checks sections that are complete, empty ones too, and opens the next.
    fn close(&mut self) -> Result<(), PackageError> {
        loop {
            match self.current.take() {
                Some((section, sha, 0)) => {
                    let kind = Kind::ALL.into_iter().find(|kind| kind.number() == section.kind);
                    let kind = kind.ok_or(PackageError::SectionKind(section.kind))?;
                    let found: Digest = sha.finalize().into();
                    if found != section.hash {
                        return Err(PackageError::SectionHash(kind));
                    }
                }
                Some(open) => {
                    self.current = Some(open);
                    return Ok(());
                }
                None => {}
            }
            match self.sections.next() {
                Some(section) => {
                    let section = section.map_err(PackageError::Header)?;
                    self.current = Some((section, Sha256::new(), section.length));
                }
                None => return Ok(()),
            }
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`PackageError::Length`] if bytes are missing.
    pub fn finish(mut self) -> Result<(), PackageError> {
        self.close()?;
        if self.current.is_some() {
            return Err(PackageError::Length);
        }
        Ok(())
    }
}
