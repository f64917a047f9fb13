//! What every decoder of firmware/election owes to any bytes at all: no panic, an end, and only one spelling (what is read is written back
//! byte for byte). Fuzz targets call these with bytes of libFuzzer, tests/tests/fuzz_corpora.rs with the frozen vectors and
//! their mutations. Beside the decoders: our arithmetic, against the library's.

mod arithmetic;

use election::ballot::{self, BallotView, ContestShape, Layout};
use election::batch::{Batch, BatchHeader, Entry};
use election::ceremony::{
    Accept, Ceremony, Coefficient, Commit, Complaint, Reveal, Setup, ShareMessage, Transcript, verify_transcript,
};
use election::clips::{self, Clips, ClipsError};
use election::closing::Closing;
use election::keys::Keys;
use election::ledger::frame::{read_reply, read_request, write_reply, write_request};
use election::ledger::{Block, BlockHeader, Certificate, CommitProof, Decided, Genesis, Transaction};
use election::manifest::Manifest;
use election::opening::Opening;
use election::package::{LABEL, Package, PackageHeader, SectionStream, SignedHeader, Station};
use election::pictures::{FRAME, Pictures, pack};
use election::record::{Index, PublishedBallot, PublishedSpoiled};
use election::roll::{Delta, Roll};
use election::seal::{self, SealingSecret};
use election::sign::Signer;
use election::signed::Signed;
use election::tally::{CommitParts, Decryption, RevealParts, Tally};
use election::wire;
use election::words::ClosingWords;

/// A law over bytes, with its name.
pub type Law = (&'static str, fn(&[u8]));

/// Every law.
pub const LAWS: &[Law] = &[
    ("arithmetic", arithmetic),
    ("group", group),
    ("manifest", manifest),
    ("keys", keys),
    ("ceremony", ceremony),
    ("ballot", self::ballot),
    ("opening", opening),
    ("code_text", code_text),
    ("package", package),
    ("pictures", pictures),
    ("clips", clips),
    ("roll", roll),
    ("batch", batch),
    ("closing", closing),
    ("ledger", ledger),
    ("frame", frame),
    ("record", record),
    ("tally", tally),
];

pub use arithmetic::arithmetic;

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

/// Points and scalars; and what is sealed to nobody opens for nobody.
pub fn group(data: &[u8]) {
    if let Some(length) = data.len().checked_sub(seal::OVERHEAD) {
        let secret = SealingSecret::from_bytes(&[1; 32]).expect("a scalar");
        let mut out = vec![7; length];
        assert!(seal::open(&secret, b"fuzz", data, &mut out).is_err());
        assert!(out.iter().all(|byte| *byte == 0));
    }
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

/// Section 4, codes for people; section 8, closing words.
pub fn code_text(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    if let Ok(words) = text.parse::<ClosingWords>() {
        assert_eq!(words.to_string().parse(), Ok(words));
    }
    if let Some(code) = ballot::parse_code_text(text) {
        let mut whole = [0; 32];
        whole[..20].copy_from_slice(&code);
        assert_eq!(ballot::parse_code_text(&ballot::code_text(&whole)), Some(code));
    }
}

/// Section 7, signed by nobody, and by an authority that signs anything: then what a small reader checks as it streams by is what a whole
/// package is refused or taken for.
pub fn package(data: &[u8]) {
    round_trip!(data, PackageHeader<'_>, Station<'_>);
    let authority = election::group::Point::GENERATOR.to_bytes();
    assert!(Package::open(data, &authority).is_err(), "signed by nobody");
    if let Some((file, sections)) = signed_by_anybody(data) {
        let authority = anybody().public_key();
        let whole = Package::open(&file, &authority);
        let Ok(header) = SignedHeader::open(&file, &authority) else {
            assert!(whole.is_err());
            return;
        };
        let mut stream = SectionStream::new(&header);
        let streamed = sections.chunks(7).try_for_each(|chunk| stream.feed(chunk));
        assert!(streamed.and_then(|()| stream.finish()).is_ok() || whole.is_err());
        if let Ok(package) = whole {
            assert!(package.certificates().count() > 0);
        }
    }
}

/// Section 7, kind 9: every clip of a section that is read is found and played to its end, and there is no other spelling of it.
pub fn clips(data: &[u8]) {
    let Ok(section) = Clips::read(data) else { return };
    let found: Vec<_> = section
        .keys()
        .map(|key| (key, section.find(key).expect("it is there")))
        .collect();
    assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
    let mut at = data.len() - found.iter().map(|(_, clip)| clip.len() / 2).sum::<usize>();
    let mut again = Vec::new();
    let rows: Vec<_> = found
        .iter()
        .map(|(key, clip)| {
            assert_eq!(clip.samples().count(), clip.len());
            let from = at;
            at += clip.len() / 2;
            (*key, &data[from..at])
        })
        .collect();
    clips::write(rows.into_iter(), |bytes| {
        again.extend_from_slice(bytes);
        Ok::<_, ClipsError>(())
    })
    .expect("what was read can be written");
    assert_eq!(again, data);
}

/// Section 7, kind 8: a section that is read can be drawn to the last pixel, inside its frame, and there is no other spelling of it.
pub fn pictures(data: &[u8]) {
    round_trip!(data, Pictures<'_>);
    let Ok(section) = Pictures::read(data) else { return };
    let mut before = "";
    for picture in section.pictures.iter() {
        let picture = picture.expect("a checked section has whole pictures");
        assert!(before < picture.cluster);
        before = picture.cluster;
        let mut pixels = Vec::new();
        picture.rows(|_, row| pixels.extend_from_slice(row)).expect("checked");
        assert_eq!(pixels.len(), usize::from(picture.width) * usize::from(picture.height));
        assert!(pixels.iter().all(|shade| *shade < 16));
        assert!(u32::from(picture.x) + u32::from(picture.width) <= u32::from(FRAME.0));
        assert!(u32::from(picture.y) + u32::from(picture.height) <= u32::from(FRAME.1));
        let mut again = Vec::new();
        pack(&pixels, picture.width, |byte| again.push(byte));
        assert_eq!(again, picture.packed);
    }
}

fn anybody() -> Signer {
    Signer::from_bytes(&[1; 32]).expect("a scalar")
}

/// A file with its header's authority replaced and signed; and the bytes of its sections.
fn signed_by_anybody(data: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (length, rest) = data.split_first_chunk::<4>()?;
    let (header, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let sections = rest.get(64..)?;
    let mut header: PackageHeader<'_> = wire::decode(header).ok()?;
    header.authority = wire::Bytes(anybody().public_key());
    let mut out = vec![0; data.len()];
    let encoded = wire::encode(&header, &mut out).ok()?;
    let hash = election::hash::hash("ippyo/1/package", &[&*encoded]);
    let signature = anybody().sign(LABEL, &hash).ok()?;
    Some(([&length[..], &*encoded, &signature, sections].concat(), sections))
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
    round_trip!(data, Tally<'_>, CommitParts, RevealParts<'_>, Decryption);
    if let Ok(tally) = wire::decode::<Tally<'_>>(data) {
        for contest in tally.contests.iter().map_while(Result::ok) {
            for selection in contest.selections.iter().map_while(Result::ok) {
                assert!(selection.decryptions.iter().map_while(Result::ok).count() <= data.len());
            }
        }
    }
}
