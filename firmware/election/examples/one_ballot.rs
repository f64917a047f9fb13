//! Encrypts one ballot "choose up to 2 of 6" with the choice given as six digits 0 or 1, always with the same randomness. Run under
//! valgrind it shows whether instructions, branches or addresses depend on the choice (tests/tests/constant_time.rs).
//!
//! A second argument `leak` adds a branch on the choice: what watches has to see it. A third one, a digit, gives other randomness: nothing
//! may depend on the nonces either.

use chacha20::ChaCha20Rng;
use election::ballot::{
    ContestShape, Election, Layout, PreparedSelection, PreparedSum, Secret, encrypt, encrypt_prepared, prepare_contest,
};
use election::group::Point;
use election::table::Table4;
use rand_core::SeedableRng as _;

const CONTEST: [ContestShape; 1] = [ContestShape {
    contest: 0,
    options: 6,
    votes: 2,
}];

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let leak = std::env::args().nth(2).is_some_and(|second| second == "leak");
    assert_eq!(argument.len(), 6, "six digits 0 or 1");
    // No branch on a digit here either.
    let choice = argument.bytes().fold(0, |bits, digit| bits << 1 | u64::from(digit & 1));
    let seed = std::env::args()
        .nth(3)
        .and_then(|third| third.bytes().next())
        .unwrap_or(b'1');
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    let layout = Layout::new(0, &CONTEST).expect("a layout");
    let joint = election::group::hash_to_curve(b"a key nobody knows", b"").expect("a point");
    let (g, k) = (Box::new(Table4::new(&Point::GENERATOR)), Box::new(Table4::new(&joint)));
    let election = Election::new([1; 32], g.get().expect("filled"), k.get().expect("filled")).expect("an election");
    let mut out = vec![0; layout.ballot_len()];
    let mut secrets: Vec<Secret> = (0..layout.selections()).map(|_| Secret::EMPTY).collect();
    // Both ways of encrypting.
    encrypt(&election, 1, &layout, &[choice], &mut rng, &mut out, &mut secrets).expect("encrypted");
    let mut slots: Vec<PreparedSelection> = (0..layout.selections()).map(|_| PreparedSelection::EMPTY).collect();
    let mut sums = [PreparedSum::EMPTY];
    prepare_contest(&election, &CONTEST[0], &mut slots, &mut sums[0], &mut rng).expect("prepared");
    encrypt_prepared(
        &election,
        1,
        &layout,
        &[choice],
        &mut rng,
        &mut slots,
        &mut sums,
        &mut out,
        &mut secrets,
    )
    .expect("encrypted");
    if leak && choice & 1 == 1 {
        std::hint::black_box(election::hash::hash("ippyo/1/leak", &[&out]));
    }
    std::hint::black_box(out);
}
