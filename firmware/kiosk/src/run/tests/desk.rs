//! What the desk makes: manifest, joint key, package, sealed secret; and what it does in the end: open ballots.

use std::vec;
use std::vec::Vec;

use chacha20::ChaCha20Rng;
use election::group::{Point, scalar};
use election::hash::Digest;
use election::keys::{Keys, TrusteeKey};
use election::ledger::{Genesis, Raw, Registration, StaffCard, Validators, kiosk_id, role};
use election::manifest::*;
use election::package::{self, PackageError, Parts, Station};
use election::sign::Signer;
use election::tag::ElectionSecret;
use election::wire::{self, Bytes, Seq, SeqWriter};
use p256::{ProjectivePoint, Scalar};
use rand_core::SeedableRng as _;

use super::cards::Card;

pub const STATION: u16 = 7;
pub const SOFTWARE: Digest = [6; 32];
pub const VOTERS: u8 = 9;
pub const STAFF: [u8; 2] = [101, 102];
/// On the roster, without any right.
pub const HELPER: u8 = 103;

pub fn authority() -> Signer {
    Signer::from_bytes(&[21; 32]).unwrap()
}

pub fn validator() -> Signer {
    Signer::from_bytes(&[22; 32]).unwrap()
}

/// The trustees' secret.
pub fn trustees() -> Scalar {
    scalar(&[23; 32]).unwrap()
}

pub fn secret() -> ElectionSecret {
    ElectionSecret::from_bytes([24; 32])
}

pub fn list<T: serde::Serialize>(items: &[T]) -> Vec<u8> {
    let mut out = vec![0; 1 << 16];
    let mut writer = SeqWriter::new(&mut out);
    for item in items {
        writer.push(item).unwrap();
    }
    let bytes: Seq<'_, u8> = writer.finish();
    bytes.as_bytes().to_vec()
}

pub fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut out = vec![0; 1 << 16];
    wire::encode(value, &mut out).unwrap().to_vec()
}

/// Two contests (choose 1 of 3, choose 2 of 4), one style, k = 2.
pub fn manifest(mode: Mode) -> Vec<u8> {
    let name = list(&[Text {
        language: "en",
        text: "Test",
    }]);
    let name = Seq::from_bytes(&name);
    let choices = |count: usize| {
        let ids = ["a", "b", "c", "d"];
        let all: Vec<Choice<'_>> = ids
            .iter()
            .take(count)
            .map(|id| Choice {
                id,
                name,
                party: Seq::default(),
            })
            .collect();
        list(&all)
    };
    let (three, four) = (choices(3), choices(4));
    let contest = |id, votes, options| Contest {
        id,
        kind: Kind::Candidates,
        votes,
        name,
        text: Seq::default(),
        options,
    };
    let contests = list(&[
        contest("one", 1, Seq::from_bytes(&three)),
        contest("two", 2, Seq::from_bytes(&four)),
    ]);
    let units = list(&[Unit { id: "u", name }]);
    let unit_ids = list(&["u"]);
    let style_contests = list(&[
        StyleContest { contest: 0, order: &[] },
        StyleContest {
            contest: 1,
            order: &[3, 2, 1, 0],
        },
    ]);
    let styles = list(&[Style {
        id: "s",
        units: Seq::from_bytes(&unit_ids),
        contests: Seq::from_bytes(&style_contests),
    }]);
    let epochs = list(&[Epoch { name }]);
    let languages = list(&["en"]);
    encoded(&Manifest {
        version: VERSION,
        id: "test",
        mode,
        policy: Policy::First,
        first_day: 20_261_101,
        last_day: 20_261_103,
        batch: 2,
        small_group: 0,
        languages: Seq::from_bytes(&languages),
        name,
        epochs: Seq::from_bytes(&epochs),
        units: Seq::from_bytes(&units),
        contests: Seq::from_bytes(&contests),
        styles: Seq::from_bytes(&styles),
    })
}

pub fn joint() -> [u8; 33] {
    Point::from_projective(&(ProjectivePoint::GENERATOR * trustees()))
        .unwrap()
        .to_bytes()
}

/// A package for station [`STATION`] with all voters but the last on the roll.
pub fn package(mode: Mode, serial: u32) -> Vec<u8> {
    let manifest = manifest(mode);
    let joint = joint();
    let election = election_hash(&manifest, &joint);
    let trustees = list(&[TrusteeKey {
        name: "trustee",
        share: Bytes(joint),
    }]);
    let keys = encoded(&Keys {
        threshold: 1,
        joint: Bytes(joint),
        trustees: Seq::from_bytes(&trustees),
    });
    let name = list(&[Text {
        language: "en",
        text: "Station",
    }]);
    let station = encoded(&Station {
        number: STATION,
        name: Seq::from_bytes(&name),
    });
    let mut entries: Vec<Digest> = (0..VOTERS - 1)
        .map(|voter| election::roll::piv_entry(&Card::new(voter).agree_key()))
        .collect();
    entries.sort_unstable();
    let roll: Vec<u8> = entries
        .iter()
        .flat_map(|entry| entry.iter().copied().chain([0, 0]))
        .collect();
    let authorities = list(&[Raw(b"authority")]);
    let mut staff: Vec<StaffCard<'_>> = STAFF
        .iter()
        .map(|number| StaffCard {
            key: Bytes(Card::new(*number).sign_key()),
            roles: role::POLLS | role::PROVISIONS,
            name: "staff",
        })
        .collect();
    staff.push(StaffCard {
        key: Bytes(Card::new(HELPER).sign_key()),
        roles: 0,
        name: "helper",
    });
    let staff = list(&staff);
    let validators = validator().public_key();
    let genesis = encoded(&Genesis {
        version: 1,
        election,
        staff: Seq::from_bytes(&staff),
        validators: Validators::from_bytes(&validators),
    });
    let commitment = secret().commitment(&election);
    let mut out = Vec::new();
    package::write::<PackageError>(
        &Parts {
            serial,
            election,
            station: STATION,
            sections: [&manifest, &keys, &station, &roll, &authorities, &genesis, &commitment],
            pictures: Some(&pictures()),
            clips: None,
        },
        &authority(),
        |bytes| {
            out.extend_from_slice(bytes);
            Ok(())
        },
    )
    .unwrap();
    out
}

/// One picture of one character.
fn pictures() -> Vec<u8> {
    use election::pictures::{Picture, Pictures};
    let picture = list(&[Picture {
        cluster: "\u{20bb7}",
        font: 0,
        x: 12,
        y: 20,
        width: 2,
        height: 1,
        packed: &[0xf1],
    }]);
    encoded(&Pictures {
        version: 1,
        fonts: Seq::from_bytes(&[7; 32]),
        pictures: Seq::from_bytes(&picture),
    })
}

/// The secret sealed to the kiosk that made this request.
pub fn sealed(request: &[u8]) -> Vec<u8> {
    let request: Registration = wire::decode(request).unwrap();
    let mut rng = ChaCha20Rng::from_seed([25; 32]);
    secret()
        .seal(
            &request.election,
            &kiosk_id(&request.kiosk.0),
            &request.sealing.0,
            &mut rng,
        )
        .unwrap()
        .to_vec()
}

/// The bits of a ballot's contests, opened with the trustees' key.
pub fn open(mode: Mode, ballot: &[u8]) -> Vec<u64> {
    let manifest_bytes = manifest(mode);
    let manifest = Manifest::parse(&manifest_bytes).unwrap();
    let shapes = crate::run::judge::shapes(&manifest, 0).unwrap();
    let layout = election::ballot::Layout::new(0, &shapes).unwrap();
    let view = election::ballot::BallotView::new(layout, ballot).unwrap();
    let one = Point::from_bytes(&joint()).unwrap().projective();
    view.contests()
        .zip(&shapes)
        .map(|(contest, shape)| {
            let mut bits = 0;
            for (index, selection) in contest.selections().enumerate() {
                let alpha = Point::from_bytes(selection.alpha).unwrap().projective();
                let beta = Point::from_bytes(selection.beta).unwrap().projective();
                let message = beta - alpha * trustees();
                assert!(
                    message == one || message == ProjectivePoint::IDENTITY,
                    "a vote of 0 or 1"
                );
                if message == one && index < usize::from(shape.options) {
                    bits |= 1 << index;
                }
            }
            bits
        })
        .collect()
}
