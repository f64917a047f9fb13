//! Blocks between four validators, without an engine between them.

use tempfile::TempDir;

use super::*;
use crate::engine::context::BlockPart;
use crate::engine::node::tests::node;
use crate::engine::signer::Memory;
use crate::fixture::{World, key, world};

/// The validator of a number.
fn app(world: &World, number: u8) -> (TempDir, App) {
    let (folder, node) = node(world);
    let chain = *node.ledger().id();
    let memory = Memory::open(&folder.path().join("signed.bin"), true).unwrap();
    let signer = key(100 + number);
    let pen = Pen::new(chain, Address(signer.public_key()), signer, memory);
    let pace = Pace {
        empty: Duration::from_secs(30),
        propose: Duration::from_secs(1),
    };
    (folder, App::new(node, Judge::new(chain), pen, pace, |_| None).unwrap())
}

fn take(app: &mut App, pieces: impl IntoIterator<Item = BlockPart>) -> Vec<ProposedValue<Consortium>> {
    let taken = pieces.into_iter().filter_map(|piece| app.received(piece).unwrap());
    taken.collect()
}

/// The same block in another validator's name and with its signature.
fn renamed(app: &App, whole: &Whole) -> Vec<BlockPart> {
    let mut other = whole.clone();
    other.proposer = app.pen.address();
    let mut pieces: Vec<BlockPart> = other.pieces().collect();
    for piece in &mut pieces {
        app.pen.part(piece).unwrap();
    }
    pieces
}

#[test]
fn a_leaders_block_is_taken_and_any_validator_can_send_it_again_to_others() {
    let world = world(4);
    let ((_a, leader), (_b, mut second), (_c, mut third)) = (app(&world, 0), app(&world, 1), app(&world, 2));
    let (id, whole) = leader.own_block(1, 0).unwrap();
    // Under the name of who does not lead it is nothing.
    let stolen = renamed(&second, &whole);
    assert!(take(&mut third, stolen).is_empty());
    let taken = take(&mut second, whole.pieces());
    assert_eq!(taken.len(), 1);
    assert_eq!((taken[0].value.0, taken[0].validity), (id, Validity::Valid));
    assert!(take(&mut second, whole.pieces()).is_empty(), "once");
    // It was locked there in a late round, and the third has never seen it: it is sent again as the leader signed it.
    let again = second.again(1, 0, Round::Nil, &BlockId(id)).unwrap().unwrap();
    assert_eq!(again.proposer, leader.pen.address());
    assert_eq!(take(&mut third, again.pieces()).len(), 1);
    // Who leads a later round proposes it in its own name, with the round in which it was locked.
    let anew = second.again(1, 1, Round::new(0), &BlockId(id)).unwrap().unwrap();
    assert_eq!((anew.proposer, anew.valid_round), (second.pen.address(), Some(0)));
    let taken = take(&mut third, anew.pieces());
    assert_eq!((taken.len(), taken[0].value.0), (1, id));
    // And who was told of that only sends that.
    let relayed = third.again(1, 1, Round::new(0), &BlockId(id)).unwrap().unwrap();
    assert_eq!(relayed.proposer, second.pen.address());
}

#[test]
fn the_leader_finds_its_own_block_again_whoever_repeats_it() {
    let world = world(4);
    let ((folder, leader), (_b, second)) = (app(&world, 0), app(&world, 1));
    let (id, whole) = leader.own_block(1, 0).unwrap();
    // The row of the block under another name, as one who is believed would write it.
    let mut other = whole.clone();
    other.proposer = second.pen.address();
    leader
        .node
        .store()
        .keep(1, 0, &App::row(id, &other, true), &other.block)
        .unwrap();
    // A transaction has come since: a block made anew would be another one.
    assert!(matches!(
        leader.node.submit(&world.register(&key(1), 1), true),
        election::ledger::frame::Reply::Accepted(_)
    ));
    let (again, found) = leader.own_block(1, 0).unwrap();
    assert_eq!((again, found), (id, whole));
    drop(folder);
}

#[test]
fn a_leader_that_sends_a_third_block_and_junk_of_far_heights_leaves_room_for_others() {
    let world = world(4);
    let ((_a, leader), (_b, mut second)) = (app(&world, 0), app(&world, 1));
    let (_, whole) = leader.own_block(1, 0).unwrap();
    let signed = |height: u64, block: &[u8]| {
        let mut junk = whole.clone();
        (junk.height, junk.block) = (height, Bytes::copy_from_slice(block));
        renamed(&leader, &junk)
    };
    for height in (3..40).chain([u64::MAX]) {
        assert!(take(&mut second, signed(height, &whole.block)).is_empty());
    }
    assert!(second.parked.is_empty(), "nothing of a height that is not next is kept");
    // The height after the next has its places.
    assert!(take(&mut second, signed(2, b"no block")).is_empty());
    assert_eq!(second.parked.len(), 1);
    // Rubbish is judged, told to the engine as such, and its body is not kept.
    let mut bad = whole.block.to_vec();
    *bad.last_mut().unwrap() ^= 1;
    take(&mut second, signed(1, &bad));
    assert_eq!(take(&mut second, whole.pieces()).len(), 1, "the second of two");
    let kept = second.node.store().seen(1, 0, 9).unwrap();
    for (_, row) in kept {
        let body = second.node.store().body(1, &row.block).unwrap();
        assert_eq!(body.is_some(), row.valid);
    }
    assert!(take(&mut second, signed(1, &[0; 9])).is_empty(), "a third one");
    assert_eq!(second.node.counters.invalid_blocks.load(Ordering::Relaxed), 1);
}
