//! What the updater judges for itself: the image on the drive, the election on this machine, the two cards' approval.

use std::io::Read;
use std::path::{Path, PathBuf};

use election::hash::Digest;
use election::ledger::{StaffSignature, check_staff_pair, role, staff_pair};
use election::package::{MAX_PACKAGE, Package};
use election::sign::PublicKey;
use election::update::{Approval, Image, ImageError, LABEL_STAFF_UPDATE, MAX_FILE};
use election::wire;
use kiosk::identity::Accepted;
use kiosk::ports::Item;
use kiosk::update::{Offer, Refused};

use super::install::{Part, Source};
use crate::store;

/// The folder on the exchange drive.
pub const FOLDER: &str = "update";
/// The signed description in it.
pub const SIGNED: &str = "image.bin";
/// Longest record of the package that the kiosk accepted last.
const ACCEPTED: usize = 128;

/// What the updater knows of its machine.
pub struct About {
    /// The authority whose images are taken.
    pub images: PublicKey,
    /// The election authority, whose packages name the staff cards.
    pub authority: PublicKey,
    /// The station.
    pub station: u16,
    /// The exchange drive's folder.
    pub exchange: PathBuf,
    /// The kiosk's state.
    pub state: PathBuf,
    /// The software that runs.
    pub running: Digest,
    /// Its version.
    pub version: u32,
}

/// An image that was offered, and for which time.
pub struct Offered {
    /// What is signed.
    pub image: Image,
    /// What the kiosk is told.
    pub offer: Offer,
}

impl About {
    /// The image on the drive, if it may be taken as far as can be seen before it is read.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn look(&self, nonce: Digest) -> Result<Offered, Refused> {
        let folder = self.exchange.join(FOLDER);
        let file = store::read(&folder.join(SIGNED), MAX_FILE);
        let file = match file {
            Ok(Some(file)) => file,
            Ok(None) => return Err(Refused::NoDrive),
            Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => return Err(Refused::Unsigned),
            Err(_) => return Err(Refused::DriveGone),
        };
        let (image, hash) = Image::open(&file, &self.images).map_err(|_| Refused::Unsigned)?;
        match image.follows(self.version) {
            Ok(()) => {}
            Err(ImageError::Older { .. }) => return Err(Refused::Older),
            Err(_) => return Err(Refused::Unsigned),
        }
        for part in Part::ALL {
            let file = store::open(&folder.join(part.file()));
            let length = file.and_then(|file| file.metadata()).map_or(0, |data| data.len());
            if length != part.of(&image).length {
                return Err(Refused::Changed);
            }
        }
        Ok(Offered {
            image,
            offer: Offer {
                version: image.version,
                running: self.version,
                software: image.root,
                image: hash,
                nonce,
            },
        })
    }

    /// Whether two staff cards of this station's election have approved this offer, and no election is open here.
    ///
    /// # Errors
    /// [`Refused::Approval`], [`Refused::Open`].
    pub fn approved(&self, offer: &Offer, cards: [StaffSignature; 2]) -> Result<(), Refused> {
        let name = format!("package-{}.bin", self.station);
        let places = [self.exchange.join(name), self.state.join("package")];
        let accepted = self.accepted()?;
        // As the kiosk does: the package of the drive before the one kept.
        for place in places {
            let Ok(Some(bytes)) = store::read(&place, MAX_PACKAGE) else {
                continue;
            };
            let Ok(package) = Package::open(&bytes, &self.authority) else {
                continue;
            };
            // Another election's package, or an older one with cards that were taken off the roster since, is none of this kiosk's.
            let own = accepted
                .is_none_or(|accepted| accepted.package == package.hash && accepted.serial == package.header.serial);
            if own && package.header.station == self.station {
                self.not_open()?;
                return self.judge(&package, offer, cards);
            }
        }
        Err(Refused::Approval)
    }

    fn judge(&self, package: &Package<'_>, offer: &Offer, cards: [StaffSignature; 2]) -> Result<(), Refused> {
        let message = Approval {
            election: package.election(),
            station: self.station,
            running: &self.running,
            image: &offer.image,
            nonce: &offer.nonce,
        }
        .message();
        let mut buffer = [0; election::ledger::PAIR];
        let pair = staff_pair(cards, &mut buffer);
        check_staff_pair(&package.genesis, role::PROVISIONS, LABEL_STAFF_UPDATE, &message, pair)
            .map_err(|_| Refused::Approval)
    }

    /// The package that the kiosk accepted last, if it ever did. It writes that at each start, before anybody can ask for an update.
    fn accepted(&self) -> Result<Option<Accepted>, Refused> {
        let bytes = store::read(&self.state.join(Item::Accepted.name()), ACCEPTED).map_err(|_| Refused::Approval)?;
        bytes
            .map(|bytes| wire::decode(&bytes).map_err(|_| Refused::Approval))
            .transpose()
    }

    /// The kiosk writes its progress when polls open, and erases it when it is retired. Whose it is does not matter: votes of another election,
    /// not handed over, are votes.
    ///
    /// # Errors
    /// [`Refused::Open`], also if it cannot be seen.
    pub fn not_open(&self) -> Result<(), Refused> {
        // Without the folder nothing can be said of what is in it: a partition that is not mounted holds no progress either.
        let folder = std::fs::symlink_metadata(&self.state);
        let progress = std::fs::symlink_metadata(self.state.join(Item::Progress.name()));
        match (folder, progress) {
            (Ok(folder), Err(error)) if folder.is_dir() && error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(Refused::Open),
        }
    }
}

/// The files of the drive.
pub struct Drive<'a>(pub &'a Path);

impl Source for Drive<'_> {
    fn open(&mut self, part: Part) -> std::io::Result<Box<dyn Read>> {
        let file = store::open(&self.0.join(FOLDER).join(part.file()))?;
        Ok(Box::new(file))
    }
}
