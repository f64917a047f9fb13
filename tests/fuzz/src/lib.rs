//! What every decoder of firmware/election owes to any bytes at all: no panic, an end, and only one spelling (what is read is written back
//! byte for byte). Fuzz targets call these with bytes of libFuzzer, tests/tests/fuzz_corpora.rs with the frozen vectors and
//! their mutations.

use election::ballot::{self, BallotView, ContestShape, Layout};
use election::batch::{Batch, BatchHeader, Entry};
use election::ceremony::{
    Accept, Ceremony, Coefficient, Commit, Complaint, Reveal, Setup, ShareMessage, Transcript, verify_transcript,
};
use election::closing::Closing;
use election::keys::Keys;
use election::ledger::frame::{read_reply, read_request, write_reply, write_request};
use election::ledger::{Block, BlockHeader, Certificate, CommitProof, Decided, Genesis, Transaction};
use election::manifest::Manifest;
use election::opening::Opening;
use election::package::{Package, PackageHeader, Station};
use election::record::{Index, PublishedBallot, PublishedSpoiled};
use election::roll::{Delta, Roll};
use election::signed::Signed;
use election::tally::Tally;
use election::wire;

/// A law over bytes, with its name.
pub type Law = (&'static str, fn(&[u8]));

/// Every law.
pub const LAWS: &[Law] = &[
    ("group", group),
    ("manifest", manifest),
    ("keys", keys),
    ("ceremony", ceremony),
    ("ballot", self::ballot),
    ("opening", opening),
    ("code_text", code_text),
    ("package", package),
    ("roll", roll),
    ("batch", batch),
    ("closing", closing),
    ("ledger", ledger),
    ("frame", frame),
    ("record", record),
    ("tally", tally),
];

/// Decodes, encodes again, compares.
macro_rules! round_trip {
    ($data:expr, $($type:ty),+) => {$(
        if let Ok(value) = wire::decode::<$type>($data) {
            let mut out = vec![0; $data.len()];
            assert_eq!(wire::encode(&value, &mut out).map(|bytes| &*bytes), Ok($data), stringify!($type));
            assert_eq!(wire::encoded_len(&value), Ok($data.len()));
        }
    )+};
}

/// Points and scalars.
pub fn group(data: &[u8]) {
    if let Ok(point) = election::group::Point::from_slice(data) {
        assert_eq!(point.to_bytes(), data);
    }
    if let Ok(bytes) = <&[u8; 32]>::try_from(data)
        && let Ok(scalar) = election::group::scalar(bytes)
    {
        assert_eq!(election::group::scalar_bytes(&scalar), *bytes);
    }
}

/// Section 2; a manifest that is accepted can be walked to its end.
pub fn manifest(data: &[u8]) {
    round_trip!(data, Manifest<'_>);
    if let Ok(checked) = Manifest::parse(data) {
        for number in 0..=u16::MAX {
            let Some(style) = checked.style(number) else { break };
            let shapes: Vec<ContestShape> = checked.shapes(&style).collect();
            let layout = Layout::new(number, &shapes).expect("a checked manifest has possible styles");
            assert!(layout.ballot_len() > 0);
        }
    }
}

/// Section 3, the result.
pub fn keys(data: &[u8]) {
    round_trip!(data, Keys<'_>);
    if let Ok(keys) = Keys::read(data) {
        assert!((1..=9).contains(&keys.trustee_count()));
    }
}

/// Section 3, the messages.
pub fn ceremony(data: &[u8]) {
    round_trip!(
        data,
        Ceremony<'_>,
        Commit,
        Reveal<'_>,
        Coefficient,
        ShareMessage,
        Accept,
        Complaint,
        Transcript<'_>,
        Signed<'_>
    );
    let _ = Setup::read(data);
    let _ = verify_transcript(data, data);
}

/// Section 4, for a layout of one contest and one of several; a ballot has no second form because nothing in it is optional.
pub fn ballot(data: &[u8]) {
    let shape = |contest, options, votes| ContestShape {
        contest,
        options,
        votes,
    };
    let style = BallotView::claimed_style(data).unwrap_or(0);
    for shapes in [
        &[shape(0, 1, 1)][..],
        &[shape(0, 2, 1), shape(4, 3, 2)],
        &[shape(0, 2, 1)],
    ] {
        let layout = Layout::new(style, shapes).expect("possible");
        if let Ok(view) = ballot::check(layout, data) {
            assert_eq!(view.bytes(), data);
            let read: usize = view.contests().map(|contest| contest.selections().count()).sum();
            assert_eq!(read, layout.selections());
        }
    }
}

/// Section 4, openings.
pub fn opening(data: &[u8]) {
    if let Ok(opening) = Opening::parse(data) {
        assert_eq!(election::opening::opening_len(opening.votes().count()), data.len());
    }
}

/// Section 4, codes for people.
pub fn code_text(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Some(code) = ballot::parse_code_text(text) {
        let mut whole = [0; 32];
        whole[..20].copy_from_slice(&code);
        assert_eq!(ballot::parse_code_text(&ballot::code_text(&whole)), Some(code));
    }
}

/// Section 7. The authority's key cannot be guessed: what is behind its signature is read by the other laws.
pub fn package(data: &[u8]) {
    round_trip!(data, PackageHeader<'_>, Station<'_>);
    let authority = election::group::Point::GENERATOR.to_bytes();
    assert!(Package::open(data, &authority).is_err(), "signed by nobody");
}

/// Section 7, rolls.
pub fn roll(data: &[u8]) {
    round_trip!(data, Delta<'_>);
    if let Ok(roll) = Roll::read(data, 16) {
        let mut count = 0;
        for (entry, style) in roll.iter() {
            assert_eq!(roll.style(&entry), Some(style));
            count += 1;
        }
        assert_eq!(count * 34, data.len());
    }
}

/// Section 8.
pub fn batch(data: &[u8]) {
    round_trip!(data, Batch<'_>, BatchHeader, Entry);
    if let Ok(batch) = Batch::read(data) {
        let _ = batch.check_entries();
    }
}

/// Section 8, closings.
pub fn closing(data: &[u8]) {
    round_trip!(data, Closing<'_>);
}

/// Section 9.
pub fn ledger(data: &[u8]) {
    round_trip!(
        data,
        Genesis<'_>,
        Transaction<'_>,
        BlockHeader,
        Block<'_>,
        Certificate<'_>,
        Decided<'_>,
        CommitProof<'_>
    );
}

/// Section 9, gateway frames.
pub fn frame(data: &[u8]) {
    let mut out = vec![0; data.len() + 16];
    if let Ok(request) = read_request(data) {
        assert_eq!(write_request(&request, &mut out), Ok(data));
    }
    if let Ok(reply) = read_reply(data) {
        assert_eq!(write_reply(&reply, &mut out), Ok(data));
    }
}

/// Section 10.
pub fn record(data: &[u8]) {
    round_trip!(data, PublishedBallot<'_>, PublishedSpoiled<'_>, Index<'_>);
    let _ = Index::open(data, None);
}

/// Section 10, the tally; walked as a verifier does.
pub fn tally(data: &[u8]) {
    round_trip!(data, Tally<'_>);
    if let Ok(tally) = wire::decode::<Tally<'_>>(data) {
        for contest in tally.contests.iter().map_while(Result::ok) {
            for selection in contest.selections.iter().map_while(Result::ok) {
                assert!(selection.decryptions.iter().map_while(Result::ok).count() <= data.len());
            }
        }
    }
}
