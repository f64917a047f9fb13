//! A machine in files, an updater on a thread, and the kiosk's side of its socket.

use std::os::unix::net::UnixStream;

use election::hash::Digest;
use election::ledger::StaffSignature;
use election::sign::Signer;
use election::update::{Approval, LABEL_STAFF_UPDATE};
use election::wire::Bytes;
use kiosk::update::{Ask, Offer, Refused, Said};

use super::super::client::Client;
use super::super::disk::Disk;
use super::super::entries;
use super::super::install::Target as _;
use super::super::offer::About;
use super::super::server::{self, End};
use super::built::Built;
use super::package;

/// A machine in files, an updater on a thread, and the kiosk's side of its socket.
pub struct Machine {
    pub folder: tempfile::TempDir,
    pub old: Built,
    pub authority: Signer,
    pub cards: Vec<Signer>,
    pub station: u16,
    pub election: Digest,
}

impl Machine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["exchange", "state", "starting/EFI/Linux"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        let old = Built::new(6, 1000);
        std::fs::write(at("root"), vec![0; 1 << 20]).unwrap();
        std::fs::write(at("tree"), vec![0; 1 << 16]).unwrap();
        let blessed = entries::blessed(&old.image.root);
        std::fs::write(at("starting/EFI/Linux").join(blessed), &old.efi).unwrap();
        let made = package::made();
        std::fs::write(at("state/package"), &made.bytes).unwrap();
        Self {
            folder,
            old,
            authority: made.authority,
            cards: made.cards,
            station: made.station,
            election: made.election,
        }
    }

    pub fn about(&self) -> About {
        About {
            images: self.authority.public_key(),
            authority: self.authority.public_key(),
            station: self.station,
            exchange: self.folder.path().join("exchange"),
            state: self.folder.path().join("state"),
            running: self.old.image.root,
            version: self.old.image.version,
        }
    }

    pub fn disk(&self) -> Disk {
        let at = |name: &str| self.folder.path().join(name);
        Disk::new(at("starting"), at("root"), at("tree"))
    }

    pub fn approve(&self, offer: &Offer, cards: [usize; 2]) -> [StaffSignature; 2] {
        let message = Approval {
            election: &self.election,
            station: self.station,
            running: &self.old.image.root,
            image: &offer.image,
            nonce: &offer.nonce,
        }
        .message();
        cards.map(|card| {
            let signer = &self.cards[card];
            StaffSignature {
                key: Bytes(signer.public_key()),
                signature: Bytes(signer.sign(LABEL_STAFF_UPDATE, &message).unwrap()),
            }
        })
    }

    /// Holds conversations with an updater; how the last one ended.
    pub fn talk<R>(&self, kiosk: impl FnOnce(&mut Client) -> R) -> (R, End) {
        let socket = self.folder.path().join("socket");
        let _ = std::fs::remove_file(&socket);
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let (about, mut disk) = (self.about(), self.disk());
        std::thread::scope(|scope| {
            let updater = scope.spawn(move || {
                let (stream, _) = listener.accept().unwrap();
                let (mut from, mut to): (UnixStream, UnixStream) = (stream.try_clone().unwrap(), stream);
                let mut count = 0_u8;
                let mut nonce = || {
                    count += 1;
                    Some([count; 32])
                };
                server::serve(&mut from, &mut to, &about, &mut disk, &mut nonce)
            });
            let mut client = Client::new(socket);
            let said = kiosk(&mut client);
            drop(client);
            (said, updater.join().unwrap())
        })
    }

    pub fn names(&self) -> Vec<String> {
        let mut names = self.disk().names().unwrap();
        names.sort();
        names
    }

    pub fn programs(&self) -> Vec<String> {
        let mut programs = self.disk().programs().unwrap();
        programs.sort();
        programs
    }
}

pub fn offer(client: &mut Client) -> Offer {
    match client.ask(Ask::Look) {
        Ok(Said::Offer(offer)) => offer,
        other => panic!("{other:?}"),
    }
}

/// Asks on until it is written, or refused.
pub fn written(client: &mut Client, cards: [StaffSignature; 2]) -> Result<Vec<u8>, Refused> {
    let mut percents = Vec::new();
    let mut said = client.ask(Ask::Install(cards))?;
    loop {
        match said {
            Said::Writing(percent) => percents.push(percent),
            Said::Written => return Ok(percents),
            other => panic!("{other:?}"),
        }
        said = client.ask(Ask::More)?;
    }
}
