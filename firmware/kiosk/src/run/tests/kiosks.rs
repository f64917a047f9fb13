//! Kiosks for tests: provisioned, their media formatted, people on the way; and what stands on the media in the end.

use std::collections::BTreeMap;
use std::vec;
use std::vec::Vec;

use election::batch::Kind;
use election::manifest::Mode;

use super::cards::Card;
use super::desk;
use super::machine::*;
use super::people::*;
use super::platform::*;
use crate::ballot_box::{
    Label, MediaFault, Reader, Role, SlotState, TakenOver, buffer_len, format, media_for_tests as media,
};
use crate::ports::Item;
use crate::run::Exit;
use crate::screen::{Fault, Recorded};

pub(super) fn voter(card: u8, choice: [u64; 2], how: How) -> Visit {
    Visit::Voter {
        card,
        pin: *b"1234",
        choice,
        how,
    }
}

/// A voter who casts the first option of each contest.
pub(super) fn casts(card: u8) -> Visit {
    voter(card, [1, 1], How::Cast)
}

/// A day of all kinds of voters.
pub(super) fn visits() -> Vec<Visit> {
    vec![
        voter(0, [0b001, 0b0011], How::Cast),
        voter(1, [0b010, 0b1000], How::ChallengeFirst),
        voter(2, [0b100, 0], How::PullCard),
        voter(3, [0, 0b0110], How::Cast),
        voter(0, [0b010, 0b0011], How::Cast),
        voter(desk::VOTERS - 1, [0b001, 0], How::Cast),
        voter(4, [0b001, 0b0101], How::EndWithoutVote),
        voter(2, [0b100, 0b1100], How::Cast),
        voter(5, [0b100, 0b1001], How::Cast),
        Visit::Close,
    ]
}

/// What the voters of [`visits`] chose, as they see it.
pub(super) fn chosen() -> BTreeMap<u8, [u64; 2]> {
    BTreeMap::from([
        (0, [0b001, 0b0011]),
        (1, [0b010, 0b1000]),
        (2, [0b100, 0b1100]),
        (3, [0, 0b0110]),
        (4, [0, 0]),
        (5, [0b100, 0b1001]),
    ])
}

/// A kiosk with a fresh pair of media, registered.
pub(super) fn machine(mode: Mode) -> Machine {
    kiosk(mode, 1)
}

/// As [`machine`], with keys of its own.
pub(super) fn kiosk(mode: Mode, seed: u8) -> Machine {
    let package = desk::package(mode, 1);
    let layout = layout(&package);
    sized(mode, seed, layout)
}

/// As [`kiosk`], on media of this layout.
pub(super) fn sized(mode: Mode, seed: u8, layout: crate::ballot_box::Layout) -> Machine {
    let package = desk::package(mode, 1);
    let world = World::new(seed.into());
    let opened = election::package::Package::open(&package, &desk::authority().public_key()).unwrap();
    let mut genesis = vec![0; 4096];
    *world.genesis.borrow_mut() = election::wire::encode(&opened.genesis, &mut genesis).unwrap().to_vec();
    let power = media::Power::new();
    let machine = Machine {
        world,
        media: [
            media::Faulty::new(layout.size(), 0, &power),
            media::Faulty::new(layout.size(), 1, &power),
        ],
        with_uplink: mode == Mode::Consultation,
        layout,
        package,
        encrypting: Default::default(),
    };
    // Provisioning comes before the desk can format the media for this kiosk.
    assert_eq!(
        machine.run(),
        fault(Fault::Media(MediaFault::Stray(Role::Original)), None)
    );
    machine.world.people.borrow_mut().faults.clear();
    for (role, medium) in [Role::Original, Role::Duplicate].into_iter().zip(&machine.media) {
        label(&machine, medium, seed, role as u8);
    }
    machine.media[0].power.borrow_mut().steps = 0;
    machine
}

/// What the kiosk asks the desk to register.
pub(super) fn request(machine: &Machine) -> crate::identity::Request {
    election::wire::decode(&machine.world.items.borrow()[&(Item::Request as u8)]).unwrap()
}

/// Formats a medium for this kiosk, as one of the pair of this name.
pub(super) fn label(machine: &Machine, medium: &media::Faulty, pair: u8, role: u8) {
    let request = request(machine);
    let label = Label {
        election: request.election,
        kiosk: election::ledger::kiosk_id(&request.kiosk.0),
        station: desk::STATION,
        epoch: 0,
        pair: [pair; 16],
        role,
        layout: machine.layout,
        takeover: None::<TakenOver>,
    };
    media::run(format(&mut medium.clone(), &label, &mut vec![0; 512]))
        .unwrap()
        .unwrap();
}

/// What stands on a medium: tag -> choice, opened with the trustees' key.
pub(super) fn votes(machine: &Machine, medium: usize, mode: Mode) -> BTreeMap<[u8; 32], Vec<u64>> {
    let mut reader = media::run(Reader::open(machine.media[medium].clone()))
        .unwrap()
        .unwrap();
    let mut buffer = vec![0; buffer_len(&machine.layout, 2)];
    let mut found = BTreeMap::new();
    for slot in 0..reader.slots() {
        if let SlotState::Whole(record) = media::run(reader.slot(slot, &mut buffer)).unwrap().unwrap()
            && record.kind == Kind::Cast
        {
            let choice = desk::open(mode, record.ballot);
            let before = found.insert(record.tag, choice.clone());
            assert!(before.is_none_or(|before| before == choice), "one tag, two votes");
        }
    }
    found
}

/// The tag a voter's card has.
pub(super) fn tag(machine: &Machine, voter: u8) -> [u8; 32] {
    let package = election::package::Package::open(&machine.package, &desk::authority().public_key()).unwrap();
    let point = election::tag::piv_point(package.election()).unwrap();
    let key = Card::new(voter);
    let shared = point.projective() * **key.agree.as_nonzero_scalar();
    let shared = election::group::Point::from_projective(&shared).unwrap();
    desk::secret().tag(&election::tag::Pseudonym::piv(&shared))
}

pub(super) fn judge(machine: &Machine, mode: Mode) {
    let done = machine.world.people.borrow().done.clone();
    for medium in 0..2 {
        let found = votes(machine, medium, mode);
        for (voter, choice) in &done {
            assert_eq!(
                found.get(&tag(machine, *voter)),
                Some(&choice.to_vec()),
                "no_ballot_lost: {voter}"
            );
        }
        let casting = machine.world.people.borrow().casting;
        let known: Vec<[u8; 32]> = done
            .keys()
            .copied()
            .chain(casting)
            .map(|voter| tag(machine, voter))
            .collect();
        assert!(found.keys().all(|tag| known.contains(tag)), "a vote nobody cast");
    }
}

/// The same kiosk with a freshly formatted pair of another name.
pub(super) fn relabelled(machine: &Machine) -> Machine {
    let power = media::Power::new();
    let media = [Role::Original, Role::Duplicate].map(|role| {
        let medium = media::Faulty::new(machine.layout.size(), role as u8, &power);
        label(machine, &medium, 77, role as u8);
        medium
    });
    with_media(machine, media)
}

/// `machine` with other media in.
pub(super) fn with_media(machine: &Machine, media: [media::Faulty; 2]) -> Machine {
    Machine {
        media,
        world: machine.world.clone(),
        package: machine.package.clone(),
        with_uplink: machine.with_uplink,
        layout: machine.layout,
        encrypting: Default::default(),
    }
}

/// Stopped, for this reason.
pub(super) const fn fault(fault: Fault, recorded: Option<Recorded>) -> Ran {
    Ran::Ended(Exit::Fault { fault, recorded })
}

/// Voters without a batch between them (k = 2: none before four wait).
pub(super) fn few() -> [Visit; 3] {
    [
        voter(0, [0b001, 0b0011], How::Cast),
        voter(1, [0b010, 0b1000], How::ChallengeFirst),
        voter(2, [0b100, 0b0110], How::Cast),
    ]
}

/// Whether a medium's log says closed.
pub(super) async fn stands_closed(medium: &media::Faulty) -> bool {
    let mut reader = Reader::open(medium.image()).await.unwrap();
    let mut buffer = vec![0; 1 << 16];
    while let Some(item) = reader.next(&mut buffer).await.unwrap() {
        if item.kind == crate::ballot_box::EntryKind::Event
            && matches!(
                election::wire::decode(item.payload),
                Ok(crate::audit::Event::Closed { .. })
            )
        {
            return true;
        }
    }
    false
}
