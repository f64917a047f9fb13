//! What ballot cryptography costs, beside elastic-elgamal on the same curve and beside its own fixed-base multiplications.
//!
//! One JSON line a figure: {"name", "value", "unit", "peer", "ratio"}. With peer `elastic-elgamal` the ratio is the peer's
//! time divided by ours for the same work in this process; with `operations` it is our time divided by that of the
//! multiplications counted; with `encrypt` our time divided by that of the whole encryption. Time is that of this thread
//! on a processor, the median of rounds in which both sides take turns, so that a busy machine bends both alike. Only `verify/1000/cores`
//! is time by the clock: the desk's own check of a box on all processors, and with peer `one core` how often faster that is than on one.

mod backends;
#[path = "../../firmware/election/tests/crypto_support/mod.rs"]
mod crypto_support;

use std::hint::black_box;
use std::time::Instant;

use chacha20::ChaCha20Rng;
use crypto_support::trustees::Trustees;
use crypto_support::{no_secrets, rng, shape};
use elastic_elgamal::app::{ChoiceParams, EncryptedChoice, SingleChoice};
use elastic_elgamal::dkg::ParticipantCollectingCommitments;
use elastic_elgamal::group::{ElementOps as _, Generic};
use elastic_elgamal::sharing::{ActiveParticipant, Params};
use elastic_elgamal::{Ciphertext, DiscreteLogTable, Keypair};
use election::ballot::{
    self, BallotView, Bucket, ContestShape, Election, Layout, PreparedSelection, PreparedSum, Scratch, Term,
    verify_batch,
};
use election::dlog::{Baby, Dlog};
use election::group::{Point, ProjectivePoint, Scalar, random_scalar};
use election::keys::Keys;
use election::manifest::Manifest;
use election::table::Table6;
use election::tally::{PublicKeys, SelectionSum, Statement, TrusteeSecret, add_contest, open_sum};
use rayon::ThreadPoolBuilder;
use rustix::time::{ClockId, clock_gettime};
use staff::ballots::{Crypto, Item, check_proofs};
use staff::progress::silent;

type Peer = Generic<p256::NistP256>;
type PeerChoice = EncryptedChoice<Peer, SingleChoice>;

/// Rounds of which the median counts.
const ROUNDS: usize = 9;

/// Microseconds of processor time of this thread.
fn now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Microseconds a call, over `calls` calls.
fn time<T>(calls: u32, mut call: impl FnMut() -> T) -> f64 {
    let start = now();
    for _ in 0..calls {
        black_box(call());
    }
    (now() - start) / f64::from(calls)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Medians of several things that take turns, and of each thing's ratio to the first in the same round.
fn rounds<const N: usize>(mut things: [&mut dyn FnMut() -> f64; N]) -> [(f64, f64); N] {
    let mut times: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (thing, times) in things.iter_mut().zip(&mut times) {
            times.push(thing());
        }
    }
    let first = times[0].clone();
    times.map(|times| {
        let ratios = times.iter().zip(&first).map(|(time, first)| time / first).collect();
        (median(times), median(ratios))
    })
}

fn line(name: &str, value: f64, unit: &str, peer: &str, ratio: f64) {
    println!(r#"{{"name":"{name}","value":{value:.2},"unit":"{unit}","peer":"{peer}","ratio":{ratio:.3}}}"#);
}

/// An election with tables as a kiosk has them.
struct Polls {
    g: Box<Table6>,
    k: Box<Table6>,
}

impl Polls {
    fn new(joint: Point) -> Self {
        Self {
            g: Box::new(Table6::new(&Point::GENERATOR)),
            k: Box::new(Table6::new(&joint)),
        }
    }

    fn election(&self) -> Election<'_> {
        Election::new([7; 32], self.g.get().unwrap(), self.k.get().unwrap()).unwrap()
    }

    fn encrypt(&self, layout: &Layout<'_>, choices: &[u64], rng: &mut ChaCha20Rng) -> Vec<u8> {
        let mut out = vec![0; layout.ballot_len()];
        let mut secrets = no_secrets(layout.selections());
        ballot::encrypt(&self.election(), 1, layout, choices, rng, &mut out, &mut secrets).unwrap();
        out
    }

    /// Microseconds of one fixed-base multiplication, G and K in turn.
    fn multiplication(&self, scalars: &[Scalar]) -> f64 {
        let election = self.election();
        let mut next = scalars.iter().cycle();
        time(200, || {
            let scalar = next.next().unwrap();
            (election.generator().mul(scalar), election.joint().mul(scalar))
        }) / 2.0
    }
}

/// 6(m + n) + 2 for every contest.
fn multiplications(shapes: &[ContestShape]) -> f64 {
    let count: usize = shapes.iter().map(|shape| 6 * shape.selections() + 2).sum();
    f64::from(u32::try_from(count).unwrap())
}

fn encrypting(polls: &Polls) {
    let mut random = rng(1);
    let scalars: Vec<Scalar> = (0..64).map(|_| random_scalar(&mut random).unwrap()).collect();
    for options in [2u8, 5, 30] {
        let shapes = [shape(0, options, 1)];
        let layout = Layout::new(0, &shapes).unwrap();
        let calls = 200 / (u32::from(options) + 1);
        let keys = Keypair::<Peer>::generate(&mut random);
        let params = ChoiceParams::single(keys.public().clone(), usize::from(options));
        let (mut ours_random, mut peers_random, mut after_random) = (rng(2), rng(3), rng(4));
        let mut ours = || time(calls, || polls.encrypt(&layout, &[2], &mut ours_random));
        let mut peers = || time(calls.div_ceil(6), || PeerChoice::single(&params, 1, &mut peers_random));
        let mut one = || polls.multiplication(&scalars);
        let mut after = || after_choice(polls, &layout, calls, &mut after_random);
        let [(whole, _), (_, peer), (multiplication, _), (rest, part)] =
            rounds([&mut ours, &mut peers, &mut one, &mut after]);
        let operations = multiplication * multiplications(&shapes);
        let name = format!("encrypt/{options}");
        line(&name, whole, "us", "elastic-elgamal", peer);
        line(&name, whole, "us", "operations", whole / operations);
        let name = format!("encrypt_after_choice/{options}");
        line(&name, rest, "us", "elastic-elgamal", peer * whole / rest);
        line(&name, rest, "us", "operations", rest / operations);
        line(&name, rest, "us", "encrypt", part);
    }
    // The 25 contests of host-sim/elections/physical_ballot_def_3.json: options, and votes.
    let county = [3, 2, 3, 3, 2, 2, 2, 6, 4].into_iter().chain([2; 16]);
    let shapes: Vec<ContestShape> = (0u16..)
        .zip(county)
        .map(|(i, options)| shape(i, options, if options == 6 { 3 } else { 1 }))
        .collect();
    let layout = Layout::new(0, &shapes).unwrap();
    let mut ours = || time(1, || polls.encrypt(&layout, &[2; 25], &mut random));
    let mut one = || polls.multiplication(&scalars);
    let [(whole, _), (multiplication, _)] = rounds([&mut ours, &mut one]);
    line("encrypt/county", whole / 1e3, "ms", "limit of 50 ms", 50e3 / whole);
    line(
        "encrypt/county",
        whole,
        "us",
        "operations",
        whole / multiplication / multiplications(&shapes),
    );
}

/// Only what comes after the choice; what is prepared before is not timed.
fn after_choice(polls: &Polls, layout: &Layout<'_>, calls: u32, random: &mut ChaCha20Rng) -> f64 {
    let election = polls.election();
    let mut slots: Vec<PreparedSelection> = Vec::new();
    slots.resize_with(layout.selections(), || PreparedSelection::EMPTY);
    let mut sums = [PreparedSum::EMPTY];
    let mut out = vec![0; layout.ballot_len()];
    let mut secrets = no_secrets(layout.selections());
    let mut total = 0.0;
    for _ in 0..calls {
        ballot::prepare_contest(&election, &layout.shapes()[0], &mut slots, &mut sums[0], random).unwrap();
        total += time(1, || {
            ballot::encrypt_prepared(
                &election,
                1,
                layout,
                &[2],
                random,
                &mut slots,
                &mut sums,
                &mut out,
                &mut secrets,
            )
            .unwrap()
        });
    }
    total / f64::from(calls)
}

fn verifying(polls: &Polls) {
    let shapes = [shape(0, 5, 1)];
    let layout = Layout::new(0, &shapes).unwrap();
    let mut random = rng(5);
    let ballots: Vec<Vec<u8>> = (0..1000u32)
        .map(|i| polls.encrypt(&layout, &[1 << (i % 5)], &mut random))
        .collect();
    let views: Vec<BallotView<'_>> = ballots.iter().map(|b| BallotView::new(layout, b).unwrap()).collect();
    let keys = Keypair::<Peer>::generate(&mut random);
    let params = ChoiceParams::single(keys.public().clone(), 5);
    let choice = PeerChoice::single(&params, 1, &mut random);
    let election = polls.election();
    let mut terms = vec![Term::EMPTY; 38_000];
    let mut buckets = vec![Bucket::EMPTY; 2048];
    for count in [1usize, 64, 1000] {
        let contests = f64::from(u32::try_from(count).unwrap());
        let mut ours = || match count {
            1 => time(20, || ballot::verify(&election, layout, &ballots[0]).unwrap()),
            _ => {
                let all = time(1, || {
                    verify_batch(&election, &views[..count], &mut Scratch::new(&mut terms, &mut buckets)).unwrap();
                });
                all / contests
            }
        };
        let mut peers = || time(10, || choice.verify(&params).unwrap());
        let [(value, _), (_, peer)] = rounds([&mut ours, &mut peers]);
        line(&format!("verify/{count}"), value, "us", "elastic-elgamal", peer);
    }
    // Adding up reads the points from their bytes on both sides.
    let sent: Vec<[[u8; 33]; 2]> = (choice.choices_unchecked().iter())
        .map(|sent| {
            let mut bytes = [[0; 33]; 2];
            Peer::serialize_element(sent.random_element(), &mut bytes[0]);
            Peer::serialize_element(sent.blinded_element(), &mut bytes[1]);
            bytes
        })
        .collect();
    let read = |bytes: &[u8; 33]| Peer::deserialize_element(bytes).unwrap();
    let mut sums = vec![SelectionSum::EMPTY; layout.selections()];
    let mut peers_sums = [Ciphertext::<Peer>::zero(); 5];
    let mut ours = || {
        let contest = views[0].contests().next().unwrap();
        time(100, || add_contest(&mut sums, &contest).unwrap()) / 6.0
    };
    let mut peers = || {
        time(100, || {
            for (sum, [alpha, beta]) in peers_sums.iter_mut().zip(&sent) {
                *sum += Ciphertext::from_elements(read(alpha), read(beta));
            }
        }) / 5.0
    };
    let [(value, _), (_, peer)] = rounds([&mut ours, &mut peers]);
    line("accumulate", value, "us", "elastic-elgamal", peer);
}

/// The desk's check of a box of 1,000 ballots on one processor and on all of them, by the clock.
fn on_cores() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/draft/formats.json")).expect("the vectors are JSON");
    let bytes = |name: &str| hex::decode(vectors[name].as_str().unwrap()).unwrap();
    let (manifest, keys, hash) = (bytes("manifest"), bytes("keys"), bytes("election_hash"));
    let manifest = Manifest::parse(&manifest).unwrap();
    let joint = Keys::read(&keys).unwrap().joint.0;
    let crypto = Crypto::new(&manifest, hash.try_into().unwrap(), &joint).unwrap();
    let (election, layout) = (crypto.election().unwrap(), crypto.layout(0).unwrap());
    let choices = vec![1; layout.shapes().len()];
    let mut random = rng(12);
    let ballots: Vec<Vec<u8>> = (0..1000)
        .map(|_| {
            let mut out = vec![0; layout.ballot_len()];
            let mut secrets = no_secrets(layout.selections());
            ballot::encrypt(&election, 1, &layout, &choices, &mut random, &mut out, &mut secrets).unwrap();
            out
        })
        .collect();
    let items: Vec<Item<'_>> = (ballots.iter())
        .map(|ballot| Item {
            kiosk: [0; 32],
            epoch: 0,
            tag: [0; 32],
            ballot,
        })
        .collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let check = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (items, crypto) = (&items, &crypto);
        move || {
            let start = Instant::now();
            pool.install(|| check_proofs("ballots", items, crypto, &silent))
                .unwrap();
            start.elapsed().as_secs_f64() * 1e6 / 1000.0
        }
    };
    let (mut all, mut one) = (check(cores), check(1));
    let [(value, _), (_, ratio)] = rounds([&mut all, &mut one]);
    line("verify/1000/cores", value, "us", "one core", ratio);
}

/// The distributed key generation of the peer, without signatures, sealing or files.
fn peers_ceremony(params: Params, random: &mut ChaCha20Rng) -> Vec<ActiveParticipant<Peer>> {
    let mut first: Vec<_> = (0..params.shares)
        .map(|i| ParticipantCollectingCommitments::<Peer>::new(params, i, random))
        .collect();
    let commitments: Vec<_> = first.iter().map(|p| p.commitment()).collect();
    for (i, participant) in first.iter_mut().enumerate() {
        for (j, commitment) in commitments.iter().enumerate().filter(|(j, _)| *j != i) {
            participant.insert_commitment(j, *commitment);
        }
    }
    let mut second: Vec<_> = first.into_iter().map(|p| p.finish_commitment_phase()).collect();
    let infos: Vec<_> = second.iter().map(|p| p.public_info().into_owned()).collect();
    for (i, participant) in second.iter_mut().enumerate() {
        for (j, info) in infos.iter().enumerate().filter(|(j, _)| *j != i) {
            participant.insert_public_polynomial(j, info.clone()).unwrap();
        }
    }
    let mut third: Vec<_> = second.into_iter().map(|p| p.finish_polynomials_phase()).collect();
    for i in 0..params.shares {
        for j in (0..params.shares).filter(|j| *j != i) {
            let share = third[i].secret_share_for_participant(j);
            third[j].insert_secret_share(i, share).unwrap();
        }
    }
    third.into_iter().map(|p| p.complete().unwrap()).collect()
}

/// 3 of 5 trustees make a key, then three of them decrypt one sum; all proofs are made and checked.
fn trustees() {
    let params = Params::new(5, 3);
    let people = Trustees::new(3, 5, 1);
    let mut random = rng(6);
    let mut ours = || time(1, || people.run(2));
    let mut peers = || time(1, || peers_ceremony(params, &mut random));
    let [(value, _), (_, peer)] = rounds([&mut ours, &mut peers]);
    line("ceremony", value, "us", "elastic-elgamal", peer);

    let run = people.run(2);
    let keys: &PublicKeys = &run.outcome.keys;
    let polls = Polls::new(keys.joint);
    let shapes = [shape(0, 5, 1)];
    let layout = Layout::new(0, &shapes).unwrap();
    let mut random = rng(7);
    let mut sums = vec![SelectionSum::EMPTY; layout.selections()];
    for _ in 0..100 {
        let ballot = polls.encrypt(&layout, &[1], &mut random);
        let view = BallotView::new(layout, &ballot).unwrap();
        add_contest(&mut sums, &view.contests().next().unwrap()).unwrap();
    }
    let (a, b) = sums[0].points().unwrap();
    let hash = [7; 32];
    let statement = Statement {
        election: &hash,
        contest: 0,
        selection: 0,
        a,
        b,
    };
    let secrets: &[TrusteeSecret] = &run.secrets[..3];
    let mut memory = [Baby::EMPTY; 64];
    let dlog = Dlog::new(&keys.joint, &mut memory);
    let mut ours_random = rng(8);
    let mut ours = || {
        time(3, || {
            let parts: Vec<_> = secrets
                .iter()
                .map(|s| s.decrypt(&statement, &mut ours_random).unwrap())
                .collect();
            assert_eq!(dlog.find(&open_sum(keys, &statement, &parts).unwrap(), 100), Some(100));
        })
    };
    let mut peers_random = rng(9);
    let participants = peers_ceremony(params, &mut peers_random);
    let key_set = participants[0].key_set().clone();
    let encrypted = key_set.shared_key().encrypt(100u64, &mut peers_random);
    let table = DiscreteLogTable::<Peer>::new(0..=100);
    let mut peers = || {
        time(3, || {
            let shares: Vec<_> = participants[..3]
                .iter()
                .enumerate()
                .map(|(i, participant)| {
                    let (share, proof) = participant.decrypt_share(encrypted, &mut peers_random);
                    let candidate = share.to_bytes();
                    let candidate = elastic_elgamal::CandidateDecryption::from_bytes(&candidate).unwrap();
                    (i, key_set.verify_share(candidate, encrypted, i, &proof).unwrap())
                })
                .collect();
            let combined = params.combine_shares(shares).unwrap();
            assert_eq!(combined.decrypt(encrypted, &table), Some(100));
        })
    };
    let [(value, _), (_, peer)] = rounds([&mut ours, &mut peers]);
    line("decrypt", value, "us", "elastic-elgamal", peer);
}

fn main() {
    let secret = random_scalar(&mut rng(10)).unwrap();
    let polls = Polls::new(Point::from_projective(&(ProjectivePoint::GENERATOR * secret)).unwrap());
    backends::compare(&mut rng(11));
    encrypting(&polls);
    verifying(&polls);
    on_cores();
    trustees();
}
