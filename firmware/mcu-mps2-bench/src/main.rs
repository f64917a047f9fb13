//! Counts instructions of the ballot cryptography on a Cortex-M33 and prints one JSON line a figure by semihosting.
//!
//! The machine runs one instruction a nanosecond of its own time, and its timer ticks every 50 of them: counts, not times of a
//! real chip (flash wait states and dual issue are not there). The randomness is a stand-in with a fixed seed; nothing here is
//! shipped.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use chacha20::ChaCha20Rng;
use cortex_m_rt::entry;
use cortex_m_semihosting::{debug, hprintln};
use election::ballot::{
    self, ContestShape, Election, Layout, PreparedSelection, PreparedSum, Secret, encrypt, encrypt_prepared,
    prepare_contest,
};
use election::group::{Point, hash_to_curve, random_scalar};
use election::hash::{Digest, sha256};
use election::ledger::{BlockHeader, CommitProof, CommitSignature, ProofError, Validators, precommit};
use election::merkle;
use election::sign::{self, Signer};
use election::table::{FixedBase, Table, Table4, Table6};
use election::wire::{self, Bytes, Seq, SeqWriter};
use rand_core::SeedableRng as _;

/// Windows of 5 bits: 52 additions.
type Table5 = Table<52, 16>;

/// A timer of the machine, counting down at 20 MHz.
const TIMER: *mut u32 = 0x5000_0000 as *mut u32;
/// Instructions a tick.
const TICK: u32 = 50;

const CONTEST: [ContestShape; 1] = [ContestShape {
    contest: 0,
    options: 5,
    votes: 1,
}];
/// m + n.
const SELECTIONS: usize = 6;

fn start_timer() {
    // Control, value, reload: from the top, without interrupts.
    unsafe {
        TIMER.add(1).write_volatile(u32::MAX);
        TIMER.add(2).write_volatile(u32::MAX);
        TIMER.write_volatile(1);
    }
}

fn now() -> u32 {
    unsafe { TIMER.add(1).read_volatile() }
}

/// Counts and prints what a call takes.
fn count<T>(name: &str, call: impl FnOnce() -> T) -> T {
    let before = now();
    let result = black_box(call());
    let instructions = u64::from(before.wrapping_sub(now())) * u64::from(TICK);
    let (whole, part) = (instructions / 1_000_000, instructions / 1_000 % 1_000);
    hprintln!(
        "{{\"name\":\"{}\",\"value\":{}.{:03},\"unit\":\"Minstructions\"}}",
        name,
        whole,
        part
    );
    result
}

/// Multiplication, encryption whole and prepared, verification with tables of one size.
fn ballots(bits: &str, bytes: usize, g: FixedBase<'_>, k: FixedBase<'_>) {
    hprintln!(
        "{{\"name\":\"tables\",\"value\":{},\"unit\":\"bytes of RAM for G and K, {} bits\"}}",
        2 * bytes,
        bits
    );
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let election = Election::new([1; 32], g, k).expect("an election");
    let layout = Layout::new(0, &CONTEST).expect("a layout");
    let mut out = [0; 2048];
    let out = out.get_mut(..layout.ballot_len()).expect("room");
    let mut secrets = [const { Secret::EMPTY }; SELECTIONS];
    let scalar = random_scalar(&mut rng).expect("a scalar");
    count("multiplication", || election.joint().mul(&scalar));
    count("encrypt/5", || {
        encrypt(&election, 1, &layout, &[2], &mut rng, out, &mut secrets)
    })
    .expect("encrypted");
    let mut slots = [const { PreparedSelection::EMPTY }; SELECTIONS];
    let mut sums = [PreparedSum::EMPTY];
    count("prepare/5", || {
        prepare_contest(&election, &CONTEST[0], &mut slots, &mut sums[0], &mut rng)
    })
    .expect("prepared");
    count("encrypt_after_choice/5", || {
        encrypt_prepared(
            &election,
            1,
            &layout,
            &[2],
            &mut rng,
            &mut slots,
            &mut sums,
            out,
            &mut secrets,
        )
    })
    .expect("encrypted");
    count("verify/1", || ballot::verify(&election, layout, out).map(|_| ())).expect("holds");
}

/// One signature made and checked; commit proofs of four and of ten validators.
fn signatures() {
    let signer = Signer::from_bytes(&[7; 32]).expect("a key");
    let key = signer.public_key();
    let signature = count("sign", || signer.sign("ippyo/1/bench", b"message")).expect("signed");
    count("verify_signature", || {
        sign::verify(&key, "ippyo/1/bench", b"message", &signature)
    })
    .expect("holds");

    proofs::<4>("verify_commit_proof", 3);
    proofs::<10>("verify_commit_proof_of_10", 7);
}

/// What a kiosk does with a proof, as a function of its own: `size.py` adds up the code that it and all it calls take.
#[inline(never)]
#[unsafe(no_mangle)]
fn kiosk_verifies(
    proof: &[u8],
    chain: &Digest,
    validators: Validators<'_>,
    transaction: &[u8],
) -> Result<(), ProofError> {
    let proof: CommitProof<'_> = wire::decode(proof).map_err(|_| ProofError::Path)?;
    proof.verify(chain, validators, transaction)
}

/// One commit proof of so many validators, some of whom signed.
fn proofs<const COUNT: usize>(name: &str, signed: usize) {
    let signers: [Signer; COUNT] = core::array::from_fn(|i| Signer::from_bytes(&sha256(&[i as u8])).expect("a key"));
    let mut keys = [0; 10 * 33];
    for (place, signer) in keys.chunks_exact_mut(33).zip(&signers) {
        place.copy_from_slice(&signer.public_key());
    }
    let validators = Validators::from_bytes(keys.get(..COUNT * 33).expect("room"));
    let chain: Digest = [3; 32];
    // The last of eight transactions.
    let leaf = |index: u32| merkle::leaf(&index.to_be_bytes());
    let header = BlockHeader {
        version: 1,
        chain,
        height: 9,
        previous: [4; 32],
        transactions: merkle::root((0..8).map(leaf)),
        validators: validators.hash(),
    };
    let message = precommit(&chain, header.height, 0, &header.hash());
    let mut votes = [0; 1024];
    let mut writer = SeqWriter::new(&mut votes);
    for (validator, signer) in (0u8..).zip(&signers).take(signed) {
        let signature = Bytes(signer.sign_prehash(&sha256(&message)).expect("signed"));
        writer.push(&CommitSignature { validator, signature }).expect("room");
    }
    let signatures = writer.finish();
    let path = merkle::path(7, 8, leaf).expect("a path");
    let proof = CommitProof {
        header,
        round: 0,
        signatures,
        index: 7,
        count: 8,
        path: Seq::from_bytes(path.as_flattened()),
    };
    let mut bytes = [0; 1024];
    let bytes = wire::encode(&proof, &mut bytes).expect("room");
    hprintln!(
        "{{\"name\":\"proof of {} validators\",\"value\":{},\"unit\":\"bytes\"}}",
        COUNT,
        bytes.len()
    );
    count(name, || kiosk_verifies(bytes, &chain, validators, &7u32.to_be_bytes())).expect("holds");
}

#[entry]
fn main() -> ! {
    start_timer();
    let joint = hash_to_curve(b"a key nobody knows", b"").expect("a point");
    let generator = Point::GENERATOR;
    macro_rules! with_tables {
        ($bits:literal, $table:ty) => {{
            let g = cortex_m::singleton!(: $table = <$table>::EMPTY).expect("once");
            let k = cortex_m::singleton!(: $table = <$table>::EMPTY).expect("once");
            count(concat!("build_table/", $bits), || {
                g.build(&generator);
            });
            k.build(&joint);
            ballots($bits, size_of::<$table>(), g.get().expect("built"), k.get().expect("built"));
        }};
    }
    with_tables!("4", Table4);
    with_tables!("5", Table5);
    with_tables!("6", Table6);
    signatures();
    debug::exit(debug::EXIT_SUCCESS);
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("{}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::bkpt();
    }
}
