//! The manifest of the election made by hand: two contests, two styles.

use election::ballot::ContestShape;
use election::manifest::{
    Choice, Contest, Epoch, Kind as ContestKind, Manifest, Mode, Policy, Style, StyleContest, Text, Unit,
};
use election::wire::Seq;

use super::{bytes_of, seq_of};

/// Contest 0 "choose 1 of 2", contest 1 "choose up to 2 of 3"; style 0 has both, style 1 only the second.
pub const SHAPES: [&[ContestShape]; 2] = [
    &[
        ContestShape {
            contest: 0,
            options: 2,
            votes: 1,
        },
        ContestShape {
            contest: 1,
            options: 3,
            votes: 2,
        },
    ],
    &[ContestShape {
        contest: 1,
        options: 3,
        votes: 2,
    }],
];

pub(super) fn manifest(policy: Policy, epochs: usize) -> Vec<u8> {
    let name = seq_of([Text {
        language: "en",
        text: "Name",
    }]);
    let name = || Seq::from_bytes(&name);
    let choice = |id| Choice {
        id,
        name: name(),
        party: Seq::default(),
    };
    let two = seq_of(["yes", "no"].map(choice));
    let three = seq_of(["x", "y", "z"].map(choice));
    let contest = |id, votes, options| Contest {
        id,
        kind: ContestKind::Candidates,
        votes,
        name: name(),
        text: Seq::default(),
        options: Seq::from_bytes(options),
    };
    let contests = seq_of([contest("measure", 1, &two), contest("council", 2, &three)]);
    let item = |contest| StyleContest { contest, order: &[] };
    let (both, second) = (seq_of([item(0), item(1)]), seq_of([item(1)]));
    let style = |id, contests| Style {
        id,
        units: Seq::default(),
        contests: Seq::from_bytes(contests),
    };
    let styles = seq_of([style("both", &both), style("second", &second)]);
    let languages = seq_of(["en"]);
    let epochs = seq_of((0..epochs).map(|_| Epoch { name: name() }));
    let units = seq_of([Unit {
        id: "town",
        name: name(),
    }]);
    bytes_of(&Manifest {
        version: 1,
        id: "by-hand",
        mode: Mode::Consultation,
        policy,
        first_day: 20261122,
        last_day: 20261123,
        batch: 2,
        small_group: 0,
        languages: Seq::from_bytes(&languages),
        name: name(),
        epochs: Seq::from_bytes(&epochs),
        units: Seq::from_bytes(&units),
        contests: Seq::from_bytes(&contests),
        styles: Seq::from_bytes(&styles),
    })
}
