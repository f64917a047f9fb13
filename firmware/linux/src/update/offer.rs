//! What the updater judges for itself: the image on the drive, the election on this machine, the two cards' approval.

use std::io::Read;
use std::path::{Path, PathBuf};

use election::hash::Digest;
use election::ledger::{StaffSignature, check_staff_pair, role, staff_pair};
use election::package::{MAX_PACKAGE, Package};
use election::sign::PublicKey;
use election::update::{Approval, Image, ImageError, LABEL_STAFF_UPDATE, MAX_FILE};
use kiosk::ballot_box::Progress;
use kiosk::ports::Item;
use kiosk::update::{Offer, Refused};

use super::install::{Part, Source};
use crate::store;

/// The folder on the exchange drive.
pub const FOLDER: &str = "update";
/// The signed description in it.
pub const SIGNED: &str = "image.bin";

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
            let length = std::fs::metadata(folder.join(part.file())).map_or(0, |data| data.len());
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
        // As the kiosk does: the package of the drive before the one kept.
        for place in places {
            let Ok(Some(bytes)) = store::read(&place, MAX_PACKAGE) else {
                continue;
            };
            let Ok(package) = Package::open(&bytes, &self.authority) else {
                continue;
            };
            if package.header.station == self.station {
                self.judge(&package, offer, cards)?;
                return self.not_open(package.election());
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

    /// The kiosk writes its progress when polls open, and erases it when it is retired.
    fn not_open(&self, election: &Digest) -> Result<(), Refused> {
        let progress = store::read(&self.state.join(Item::Progress.name()), Progress::MAX);
        match progress {
            Ok(None) => Ok(()),
            Ok(Some(bytes)) => match Progress::decode(&bytes) {
                Some(progress) if progress.election != *election => Ok(()),
                _ => Err(Refused::Open),
            },
            Err(_) => Err(Refused::Open),
        }
    }
}

/// The files of the drive.
pub struct Drive<'a>(pub &'a Path);

impl Source for Drive<'_> {
    fn open(&mut self, part: Part) -> std::io::Result<Box<dyn Read>> {
        let file = std::fs::File::open(self.0.join(FOLDER).join(part.file()))?;
        Ok(Box::new(file))
    }
}
