//! A package with a roster: the smallest that opens.

use election::hash::Digest;
use election::keys::{Keys, TrusteeKey};
use election::ledger::{Genesis, Raw, StaffCard, Validators, role};
use election::manifest::{
    Choice, Contest, Epoch, Kind, Manifest, Mode, Policy, Style, StyleContest, Text, Unit, VERSION, election_hash,
};
use election::package::{self, PackageError, Parts, Station};
use election::sign::Signer;
use election::wire::{self, Bytes, Seq, SeqWriter};
use kiosk::ballot_box::Progress;

pub const PROGRESS: Progress = Progress {
    election: [0; 32],
    epoch: 0,
    pair: [0; 16],
    entries: 1,
    cast: 0,
    spoiled: 0,
    told: 0,
    closed: false,
};
const STATION: u16 = 7;

pub struct Made {
    pub bytes: Vec<u8>,
    pub authority: Signer,
    /// Two that may provision, one that may only open polls, one of nobody.
    pub cards: Vec<Signer>,
    pub station: u16,
    pub election: Digest,
}

fn list<T: serde::Serialize>(items: &[T]) -> Vec<u8> {
    let mut out = vec![0; 1 << 12];
    let mut writer = SeqWriter::new(&mut out);
    for item in items {
        writer.push(item).unwrap();
    }
    let bytes: Seq<'_, u8> = writer.finish();
    bytes.as_bytes().to_vec()
}

fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
    let mut out = vec![0; 1 << 12];
    wire::encode(value, &mut out).unwrap().to_vec()
}

fn manifest() -> Vec<u8> {
    let name = list(&[Text {
        language: "en",
        text: "Test",
    }]);
    let name = Seq::from_bytes(&name);
    let choices = list(&["a", "b"].map(|id| Choice {
        id,
        name,
        party: Seq::default(),
    }));
    let contests = list(&[Contest {
        id: "one",
        kind: Kind::Candidates,
        votes: 1,
        name,
        text: Seq::default(),
        options: Seq::from_bytes(&choices),
    }]);
    let units = list(&[Unit { id: "u", name }]);
    let unit_ids = list(&["u"]);
    let of_style = list(&[StyleContest { contest: 0, order: &[] }]);
    let styles = list(&[Style {
        id: "s",
        units: Seq::from_bytes(&unit_ids),
        contests: Seq::from_bytes(&of_style),
    }]);
    let epochs = list(&[Epoch { name }]);
    let languages = list(&["en"]);
    encoded(&Manifest {
        version: VERSION,
        id: "test",
        mode: Mode::Statutory,
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

pub fn made() -> Made {
    let signer = |seed: u8| Signer::from_bytes(&[seed; 32]).unwrap();
    let authority = signer(1);
    let manifest = manifest();
    let joint = signer(2).public_key();
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
    let roll = [&[9; 32][..], &[0, 0]].concat();
    let authorities = list(&[Raw(b"authority")]);
    let cards: Vec<Signer> = (10..14).map(signer).collect();
    let roles = [role::PROVISIONS, role::POLLS | role::PROVISIONS, role::POLLS];
    let staff: Vec<StaffCard<'_>> = cards
        .iter()
        .zip(roles)
        .map(|(card, roles)| StaffCard {
            key: Bytes(card.public_key()),
            roles,
            name: "staff",
        })
        .collect();
    let staff = list(&staff);
    let validators = signer(3).public_key();
    let genesis = encoded(&Genesis {
        version: 1,
        election,
        staff: Seq::from_bytes(&staff),
        validators: Validators::from_bytes(&validators),
    });
    let mut bytes = Vec::new();
    package::write::<PackageError>(
        &Parts {
            serial: 1,
            election,
            station: STATION,
            sections: [&manifest, &keys, &station, &roll, &authorities, &genesis, &[6; 32]],
            pictures: None,
            clips: None,
        },
        &authority,
        |part| {
            bytes.extend_from_slice(part);
            Ok(())
        },
    )
    .unwrap();
    Made {
        bytes,
        authority,
        cards,
        station: STATION,
        election,
    }
}
