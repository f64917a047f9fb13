//! Laws of updates: whatever a power cut leaves starts; nothing unsigned, unapproved, older, larger or changed is written; a new image that does not come
//! up gives way to the old one. The disk is a model with a cache that a cut loses any part of.

mod package;

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;

use election::hash::{Digest, sha256};
use election::ledger::StaffSignature;
use election::sign::Signer;
use election::signed::Signed;
use election::update::{
    Approval, FORMAT, Image, LABEL_IMAGE, LABEL_STAFF_UPDATE, MAX_FILE, Part as Described, TREE_HEAD, tree_root,
};
use election::wire::{self, Bytes};
use kiosk::update::{Ask, Offer, Refused, Said};

use super::client::Client;
use super::disk::Disk;
use super::entries::{self, Entry, FRESH};
use super::install::{self, Part, Source, Target};
use super::offer::{About, FOLDER, SIGNED};
use super::server::{self, End};

/// An image as files.
#[derive(Clone)]
struct Built {
    root: Vec<u8>,
    tree: Vec<u8>,
    efi: Vec<u8>,
    image: Image,
}

impl Built {
    fn new(version: u32, size: usize) -> Self {
        let fill = u8::try_from(version).unwrap();
        let root = vec![fill; size];
        let mut tree = vec![fill; 3 * TREE_HEAD];
        tree[..TREE_HEAD / 2].fill(0);
        tree[..8].copy_from_slice(b"verity\0\0");
        (tree[8], tree[12]) = (1, 1);
        tree[32..38].copy_from_slice(b"sha256");
        tree[64..68].copy_from_slice(&4096_u32.to_le_bytes());
        tree[68..72].copy_from_slice(&4096_u32.to_le_bytes());
        let software = tree_root(&tree).unwrap();
        let efi = [&software[..], &version.to_be_bytes(), &[fill; 5000]].concat();
        let described = |bytes: &[u8]| Described {
            length: bytes.len() as u64,
            sha256: sha256(bytes),
        };
        let image = Image {
            format: FORMAT,
            version,
            root: software,
            squashfs: described(&root),
            tree: described(&tree),
            efi: described(&efi),
        };
        Self { root, tree, efi, image }
    }

    fn file(&self, part: Part) -> &[u8] {
        match part {
            Part::Root => &self.root,
            Part::Tree => &self.tree,
            Part::Efi => &self.efi,
        }
    }

    fn signed(&self, signer: &Signer) -> Vec<u8> {
        let (mut body, mut out) = ([0; MAX_FILE], [0; MAX_FILE]);
        let body = self.image.body(&mut body).unwrap();
        wire::encode(&Signed::new(body, LABEL_IMAGE, signer).unwrap(), &mut out)
            .unwrap()
            .to_vec()
    }

    fn put(&self, folder: &Path, signer: &Signer) {
        let folder = folder.join(FOLDER);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(SIGNED), self.signed(signer)).unwrap();
        for part in Part::ALL {
            std::fs::write(folder.join(part.file()), self.file(part)).unwrap();
        }
    }
}

impl Source for Built {
    fn open(&mut self, part: Part) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(Cursor::new(self.file(part).to_vec())))
    }
}

/// What is on the disk for good.
#[derive(Clone, Default)]
struct Stands {
    /// Root and tree of both places.
    places: [(Vec<u8>, Vec<u8>); 2],
    files: BTreeMap<String, Vec<u8>>,
}

/// A disk that is cut off after so many steps, with a cache of what was not synced.
struct Model {
    stands: Stands,
    /// Writes since the last sync: part, offset, bytes.
    cache: Vec<(Part, usize, Vec<u8>)>,
    part: Part,
    offset: usize,
    /// The place that is written to.
    other: usize,
    room: usize,
    steps: usize,
    cut: usize,
    /// A device that gives back something else than was written.
    lies: bool,
}

impl Model {
    fn new(old: &Built, cut: usize) -> Self {
        let mut stands = Stands::default();
        stands.places[0] = (old.root.clone(), old.tree.clone());
        stands.places[1] = (vec![0xEE; 9], vec![0xEE; 9]);
        let blessed = Entry {
            short: entries::short(&old.image.root),
            tries: None,
        };
        stands.files.insert(blessed.name(), old.efi.clone());
        Self {
            stands,
            cache: Vec::new(),
            part: Part::Root,
            offset: 0,
            other: 1,
            room: 1 << 20,
            steps: 0,
            cut,
            lies: false,
        }
    }

    fn step(&mut self) -> io::Result<()> {
        if self.steps == self.cut {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.steps += 1;
        Ok(())
    }

    fn place(stands: &mut Stands, other: usize, part: Part) -> &mut Vec<u8> {
        match part {
            Part::Root => &mut stands.places[other].0,
            Part::Tree => &mut stands.places[other].1,
            Part::Efi => stands.files.entry(FRESH.to_owned()).or_default(),
        }
    }

    fn apply(stands: &mut Stands, other: usize, (part, offset, bytes): &(Part, usize, Vec<u8>)) {
        let place = Self::place(stands, other, *part);
        let end = offset + bytes.len();
        place.resize(place.len().max(end), 0);
        place[*offset..end].copy_from_slice(bytes);
    }

    /// What a cut may leave: of the unsynced writes each whole, in half, or not at all, by the bits of `luck`.
    fn after_cut(&self, mut luck: u64) -> Stands {
        let mut stands = self.stands.clone();
        for (part, offset, bytes) in &self.cache {
            let kept = match luck % 3 {
                0 => bytes.len(),
                1 => bytes.len() / 2,
                _ => 0,
            };
            luck /= 3;
            Self::apply(&mut stands, self.other, &(*part, *offset, bytes[..kept].to_vec()));
        }
        stands
    }
}

impl Target for Model {
    fn room(&mut self, _: Part) -> io::Result<u64> {
        Ok(self.room as u64)
    }
    fn begin(&mut self, part: Part) -> io::Result<()> {
        self.step()?;
        (self.part, self.offset) = (part, 0);
        if part == Part::Efi {
            self.stands.files.insert(FRESH.to_owned(), Vec::new());
        }
        Ok(())
    }
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A cut in the middle of a write leaves it in the cache: it may have gone out, or half of it.
        self.cache.push((self.part, self.offset, bytes.to_vec()));
        self.step()?;
        self.offset += bytes.len();
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        self.step()?;
        for write in std::mem::take(&mut self.cache) {
            Self::apply(&mut self.stands, self.other, &write);
        }
        Ok(())
    }
    fn read(&mut self, part: Part, length: u64) -> io::Result<Box<dyn Read + '_>> {
        assert!(self.cache.is_empty(), "read back before it was durable");
        let mut bytes = Self::place(&mut self.stands, self.other, part).clone();
        if self.lies {
            bytes[0] ^= 1;
        }
        Ok(Box::new(Cursor::new(bytes).take(length)))
    }
    fn names(&mut self) -> io::Result<Vec<String>> {
        Ok(self.stands.files.keys().cloned().collect())
    }
    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.step()?;
        self.stands
            .files
            .remove(name)
            .map(|_| ())
            .ok_or(io::ErrorKind::NotFound.into())
    }
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.step()?;
        let file = self.stands.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        self.stands.files.insert(to.to_owned(), file);
        Ok(())
    }
}

/// systemd-boot and our initramfs: one start. The version that runs, `None` if this start fails; the loader's count is on the disk then.
fn start(stands: &mut Stands, images: &[&Built]) -> Option<u32> {
    let mut programs: Vec<(bool, std::cmp::Reverse<u32>, String)> = Vec::new();
    for (name, bytes) in &stands.files {
        // The loader looks at every file of this ending, ours or not.
        if !name.ends_with(".efi") {
            continue;
        }
        let entry = Entry::read(name).expect("a name that the loader does not count");
        let version = images
            .iter()
            .find(|built| built.efi == *bytes)
            .expect("half a starting program has a name")
            .image
            .version;
        let out = entry.tries.is_some_and(|(left, _)| left == 0);
        programs.push((out, std::cmp::Reverse(version), name.clone()));
    }
    programs.sort();
    let name = programs.first().expect("nothing to start").2.clone();
    let mut entry = Entry::read(&name).unwrap();
    let bytes = stands.files.remove(&name).unwrap();
    if let Some((left, done)) = entry.tries {
        entry.tries = Some((left.saturating_sub(1), done + 1));
    }
    stands.files.insert(entry.name(), bytes.clone());
    let software: Digest = bytes[..32].try_into().unwrap();
    let built = images.iter().find(|built| built.image.root == software).unwrap();
    let found = stands.places.iter().any(|(root, tree)| {
        tree_root(tree) == Some(software) && root.starts_with(&built.root) && tree.starts_with(&built.tree)
    });
    found.then_some(built.image.version)
}

/// Starts until something runs, as a machine does that is switched on again.
fn starts(stands: &mut Stands, images: &[&Built]) -> u32 {
    (0..8)
        .find_map(|_| start(stands, images))
        .expect("the machine does not start any more")
}

fn update(model: &mut Model, new: &Built, old: &Built) -> Result<(), Refused> {
    install::install(model, &mut new.clone(), &new.image, &old.image.root, &mut |_| Ok(()))?;
    install::switch(model, &new.image)
}

#[test]
fn f2_a_cut_after_any_step_of_an_update_leaves_a_machine_that_starts_the_old_or_the_new_software_whole() {
    // More than two steps of writing, and not a whole number of them.
    let (old, new) = (Built::new(6, 300_000), Built::new(7, 2 * install::STEP + 77));
    // In the other place lies one that failed before: its name is gone before its root is overwritten.
    let failed = Built::new(5, 2000);
    let images = [&old, &new, &failed];
    let model = |cut| {
        let mut model = Model::new(&old, cut);
        let tried = Entry {
            short: entries::short(&failed.image.root),
            tries: Some((0, 3)),
        };
        model.stands.files.insert(tried.name(), failed.efi.clone());
        model.stands.places[1] = (failed.root.clone(), failed.tree.clone());
        model
    };
    let mut whole = model(usize::MAX);
    update(&mut whole, &new, &old).unwrap();
    assert!(whole.steps > 12, "{}", whole.steps);
    assert_eq!(starts(&mut whole.stands.clone(), &images), 7);
    let mut seen = [0, 0];
    for cut in 0..=whole.steps {
        let mut model = model(cut);
        let ended = update(&mut model, &new, &old);
        assert_eq!(ended.is_ok(), cut == whole.steps, "cut {cut}");
        for luck in 0..81 {
            let mut left = model.after_cut(luck);
            let runs = starts(&mut left, &images);
            // The switch is the last step: before it nothing new starts.
            assert_eq!(runs, if cut == whole.steps { 7 } else { 6 }, "cut {cut}, {luck}");
            seen[usize::from(runs == 7)] += 1;
            if runs == 6 {
                // And the next attempt goes through, whatever lies there.
                let mut again = Model {
                    stands: left,
                    ..Model::new(&old, usize::MAX)
                };
                update(&mut again, &new, &old).unwrap();
                assert_eq!(starts(&mut again.stands, &images), 7);
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 0));
}

#[test]
fn a_new_image_that_does_not_come_up_gives_way_to_the_old_one_and_one_that_does_stays() {
    let (old, new) = (Built::new(6, 1000), Built::new(7, 1000));
    let images = [&old, &new];
    let mut model = Model::new(&old, usize::MAX);
    update(&mut model, &new, &old).unwrap();
    // It starts, and nobody blesses it.
    let mut stands = model.stands.clone();
    for _ in 0..entries::TRIES {
        assert_eq!(start(&mut stands, &images), Some(7));
    }
    for _ in 0..3 {
        assert_eq!(start(&mut stands, &images), Some(6));
    }
    // It does not even start: its root is damaged.
    let mut stands = model.stands.clone();
    stands.places[1].0[7] ^= 1;
    assert_eq!(starts(&mut stands, &images), 6);
    // The next image takes its place, over the one that failed.
    let third = Built::new(8, 1000);
    let mut again = Model {
        stands,
        ..Model::new(&old, usize::MAX)
    };
    update(&mut again, &third, &old).unwrap();
    assert_eq!(starts(&mut again.stands, &[&old, &third]), 8);
    // Blessed, it stays, and is what the next update stands on.
    let mut stands = model.stands.clone();
    assert_eq!(start(&mut stands, &images), Some(7));
    let mut running = Model {
        stands,
        other: 0,
        ..Model::new(&old, usize::MAX)
    };
    assert_eq!(
        update(&mut running, &third, &new),
        Err(Refused::Order),
        "not while it is on trial"
    );
    let names = running.names().unwrap();
    let (from, to) = entries::blessing(&names, &new.image.root).unwrap();
    running.rename(&from, &to).unwrap();
    for _ in 0..5 {
        assert_eq!(start(&mut running.stands, &images), Some(7));
    }
    update(&mut running, &third, &new).unwrap();
    assert_eq!(starts(&mut running.stands.clone(), &[&new, &third]), 8);
    assert!(
        running
            .stands
            .files
            .keys()
            .all(|name| !name.contains(&entries::short(&old.image.root)))
    );
}

#[test]
fn what_is_not_the_signed_image_or_has_no_room_or_does_not_stay_is_never_switched_to() {
    let (old, new) = (Built::new(6, 1000), Built::new(7, 1000));
    let images = [&old, &new];
    let try_with = |source: Built, change: fn(&mut Model)| {
        let mut model = Model::new(&old, usize::MAX);
        change(&mut model);
        let mut source = source;
        let ended = install::install(&mut model, &mut source, &new.image, &old.image.root, &mut |_| Ok(()));
        assert_eq!(starts(&mut model.stands, &images), 6);
        ended.unwrap_err()
    };
    for part in Part::ALL {
        for change in [
            |bytes: &mut Vec<u8>| bytes[17] ^= 1,
            |bytes: &mut Vec<u8>| bytes.truncate(900),
        ] {
            let mut other = new.clone();
            change(match part {
                Part::Root => &mut other.root,
                Part::Tree => &mut other.tree,
                Part::Efi => &mut other.efi,
            });
            assert_eq!(try_with(other, |_| {}), Refused::Changed, "{part:?}");
        }
    }
    assert_eq!(try_with(new.clone(), |model| model.room = 999), Refused::TooLarge);
    assert_eq!(try_with(new.clone(), |model| model.lies = true), Refused::Disk);
    assert_eq!(try_with(new.clone(), |model| model.cut = 3), Refused::Disk);
    // Signed, but its tree is of another root: it would not be found at the start.
    let mut other = new.clone();
    other.image.root = [9; 32];
    let mut model = Model::new(&old, usize::MAX);
    let ended = install::install(
        &mut model,
        &mut other.clone(),
        &other.image,
        &old.image.root,
        &mut |_| Ok(()),
    );
    assert_eq!(ended, Err(Refused::Changed));
    // The drive is pulled.
    struct Pulled;
    impl Source for Pulled {
        fn open(&mut self, _: Part) -> io::Result<Box<dyn Read>> {
            Ok(Box::new(Broken))
        }
    }
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("no device"))
        }
    }
    let mut model = Model::new(&old, usize::MAX);
    let ended = install::install(&mut model, &mut Pulled, &new.image, &old.image.root, &mut |_| Ok(()));
    assert_eq!(ended, Err(Refused::DriveGone));
    assert_eq!(starts(&mut model.stands, &images), 6);
    // Without the running program's name there is nothing to fall back to.
    let mut model = Model::new(&old, usize::MAX);
    model.stands.files = BTreeMap::from([("ippyo-0000000000000000.efi".to_owned(), vec![])]);
    assert_eq!(update(&mut model, &new, &old), Err(Refused::Disk));
    assert_eq!(model.stands.files.len(), 1);
}

/// A machine in files, an updater on a thread, and the kiosk's side of its socket.
struct Machine {
    folder: tempfile::TempDir,
    old: Built,
    authority: Signer,
    cards: Vec<Signer>,
    station: u16,
    election: Digest,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["exchange", "state", "starting/EFI/Linux"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        let old = Built::new(6, 1000);
        std::fs::write(at("root"), vec![0; 1 << 20]).unwrap();
        std::fs::write(at("tree"), vec![0; 1 << 16]).unwrap();
        let blessed = Entry {
            short: entries::short(&old.image.root),
            tries: None,
        };
        std::fs::write(at("starting/EFI/Linux").join(blessed.name()), &old.efi).unwrap();
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

    fn about(&self) -> About {
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

    fn disk(&self) -> Disk {
        let at = |name: &str| self.folder.path().join(name);
        Disk::new(at("starting"), at("root"), at("tree"))
    }

    fn approve(&self, offer: &Offer, cards: [usize; 2]) -> [StaffSignature; 2] {
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
    fn talk<R>(&self, kiosk: impl FnOnce(&mut Client) -> R) -> (R, End) {
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

    fn names(&self) -> Vec<String> {
        let mut names = self.disk().names().unwrap();
        names.sort();
        names
    }
}

fn offer(client: &mut Client) -> Offer {
    match client.ask(Ask::Look) {
        Ok(Said::Offer(offer)) => offer,
        other => panic!("{other:?}"),
    }
}

/// Asks on until it is written, or refused.
fn written(client: &mut Client, cards: [StaffSignature; 2]) -> Result<Vec<u8>, Refused> {
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

#[test]
fn an_update_goes_from_the_drive_to_the_disk_with_two_cards_and_is_started_only_after_the_switch() {
    let machine = Machine::new();
    let new = Built::new(7, 900_000);
    new.put(&machine.about().exchange, &machine.authority);
    let old_name = machine.names();
    let (percents, end) = machine.talk(|client| {
        let offer = offer(client);
        assert_eq!((offer.version, offer.running, offer.software), (7, 6, new.image.root));
        let percents = written(client, machine.approve(&offer, [0, 1])).unwrap();
        assert_eq!(machine.names(), [old_name[0].clone(), FRESH.to_owned()]);
        assert_eq!(client.ask(Ask::Switch), Ok(Said::Switched));
        assert_eq!(client.ask(Ask::Restart), Ok(Said::Switched));
        percents
    });
    assert_eq!(end, End::Restart);
    assert!(percents.is_sorted() && percents.first() == Some(&0) && percents.last() == Some(&100));
    let mut wanted = [old_name[0].clone(), entries::fresh(&new.image.root)];
    wanted.sort();
    assert_eq!(machine.names(), wanted);
    for (file, bytes) in [("root", &new.root), ("tree", &new.tree)] {
        assert!(
            std::fs::read(machine.folder.path().join(file))
                .unwrap()
                .starts_with(bytes),
            "{file}"
        );
    }
}

#[test]
fn a7_nothing_is_written_without_two_different_staff_cards_over_this_offer_at_this_time() {
    let machine = Machine::new();
    let new = Built::new(7, 5000);
    new.put(&machine.about().exchange, &machine.authority);
    let before = machine.names();
    let refused = |approve: &dyn Fn(&Offer) -> [StaffSignature; 2]| {
        let (said, end) = machine.talk(|client| {
            let offer = offer(client);
            written(client, approve(&offer))
        });
        assert_eq!(end, End::Gone);
        assert_eq!(machine.names(), before);
        assert!(
            std::fs::read(machine.folder.path().join("root"))
                .unwrap()
                .iter()
                .all(|byte| *byte == 0)
        );
        said.unwrap_err()
    };
    // One card twice; a card that is not staff's; one without the right; another nonce, image or running software.
    assert_eq!(refused(&|offer| machine.approve(offer, [0, 0])), Refused::Approval);
    assert_eq!(refused(&|offer| machine.approve(offer, [0, 3])), Refused::Approval);
    assert_eq!(refused(&|offer| machine.approve(offer, [0, 2])), Refused::Approval);
    for change in [
        |offer: &mut Offer| offer.nonce[0] ^= 1,
        |offer: &mut Offer| offer.image[0] ^= 1,
    ] {
        let why = refused(&|offer| {
            let mut other = *offer;
            change(&mut other);
            machine.approve(&other, [0, 1])
        });
        assert_eq!(why, Refused::Approval);
    }
    let why = refused(&|offer| {
        let [mut one, two] = machine.approve(offer, [0, 1]);
        one.signature.0[5] ^= 1;
        [one, two]
    });
    assert_eq!(why, Refused::Approval);
    // No package, or one of another authority: nobody knows whose cards these are.
    let package = machine.folder.path().join("state/package");
    let bytes = std::fs::read(&package).unwrap();
    std::fs::remove_file(&package).unwrap();
    assert_eq!(refused(&|offer| machine.approve(offer, [0, 1])), Refused::Approval);
    std::fs::write(&package, [&bytes[..bytes.len() - 1], &[0]].concat()).unwrap();
    assert_eq!(refused(&|offer| machine.approve(offer, [0, 1])), Refused::Approval);
}

#[test]
fn what_is_on_the_drive_is_refused_with_the_reason_before_anybody_shows_a_card() {
    let machine = Machine::new();
    let exchange = machine.about().exchange;
    let look = || machine.talk(|client| client.ask(Ask::Look).unwrap_err()).0;
    assert_eq!(look(), Refused::NoDrive);
    Built::new(7, 5000).put(&exchange, &machine.cards[0]);
    assert_eq!(look(), Refused::Unsigned);
    for version in [5, 6] {
        Built::new(version, 5000).put(&exchange, &machine.authority);
        assert_eq!(look(), Refused::Older);
    }
    Built::new(7, (1 << 20) + 1).put(&exchange, &machine.authority);
    assert_eq!(look(), Refused::TooLarge);
    let new = Built::new(7, 5000);
    new.put(&exchange, &machine.authority);
    std::fs::write(exchange.join(FOLDER).join(Part::Tree.file()), b"short").unwrap();
    assert_eq!(look(), Refused::Changed);
    std::fs::remove_file(exchange.join(FOLDER).join(Part::Tree.file())).unwrap();
    assert_eq!(look(), Refused::Changed);
    std::fs::write(exchange.join(FOLDER).join(SIGNED), [0; MAX_FILE + 1]).unwrap();
    assert_eq!(look(), Refused::Unsigned);
}

#[test]
fn an_open_election_is_not_updated_and_one_that_is_over_is() {
    let machine = Machine::new();
    Built::new(7, 5000).put(&machine.about().exchange, &machine.authority);
    let try_it = || {
        let talk = |client: &mut Client| {
            let offer = offer(client);
            written(client, machine.approve(&offer, [0, 1])).map(|_| ())
        };
        machine.talk(talk).0
    };
    let path = machine.folder.path().join("state/progress");
    let write = |election: Digest, closed: bool| {
        let mut out = [0; kiosk::ballot_box::Progress::MAX];
        let progress = kiosk::ballot_box::Progress {
            election,
            closed,
            ..package::PROGRESS
        };
        std::fs::write(&path, progress.encode(&mut out)).unwrap();
    };
    for closed in [false, true] {
        write(machine.election, closed);
        assert_eq!(try_it(), Err(Refused::Open));
    }
    std::fs::write(&path, b"damaged").unwrap();
    assert_eq!(try_it(), Err(Refused::Open));
    write([7; 32], false);
    assert_eq!(try_it(), Ok(()));
}

#[test]
fn steps_out_of_order_and_words_that_are_none_change_nothing() {
    let machine = Machine::new();
    let new = Built::new(7, 5000);
    new.put(&machine.about().exchange, &machine.authority);
    let before = machine.names();
    let (_, end) = machine.talk(|client| {
        let first = offer(client);
        let cards = machine.approve(&first, [0, 1]);
        assert_eq!(client.ask(Ask::Switch), Err(Refused::Order));
        assert_eq!(
            client.ask(Ask::Install(cards)),
            Err(Refused::Order),
            "nobody is there any more"
        );
    });
    assert_eq!(end, End::Gone);
    // Bytes of whoever else gets at the socket.
    let about = machine.about();
    for bytes in [
        &b""[..],
        b"\x01",
        b"\x01\x00\x00\x04\x00\x00",
        b"\x03\x00\x00",
        b"\x02\x00\xc2",
        b"\xff\xff\xff\xff\xff",
        b"\x01\x00\x01a",
        b"\x02\x00\x03abc",
    ] {
        let mut said = Vec::new();
        let end = server::serve(&mut &*bytes, &mut said, &about, &mut machine.disk(), &mut || {
            Some([1; 32])
        });
        assert_eq!(end, End::Gone, "{bytes:?}");
    }
    assert_eq!(machine.names(), before);
}

#[test]
fn software_that_has_come_up_is_blessed_over_the_socket_and_no_other_is() {
    let machine = Machine::new();
    let programs = machine.folder.path().join("starting/EFI/Linux");
    let running = machine.old.image.root;
    let blessed = machine.names()[0].clone();
    let tried = Entry {
        short: entries::short(&running),
        tries: Some((2, 1)),
    }
    .name();
    std::fs::rename(programs.join(&blessed), programs.join(&tried)).unwrap();
    let failed = "ippyo-0000000000000000+0-3.efi";
    std::fs::write(programs.join(failed), b"other").unwrap();
    let starting = machine.folder.path().join("starting");
    let socket = machine.folder.path().join("socket");
    let (was, _) = machine.talk(|_| super::client::up(&socket, &starting, &running).unwrap());
    assert!(was);
    let mut wanted = [failed.to_owned(), blessed];
    wanted.sort();
    assert_eq!(machine.names(), wanted);
    // Once is enough, and needs nobody.
    std::fs::remove_file(&socket).unwrap();
    assert!(!super::client::up(&socket, &starting, &running).unwrap());
}
