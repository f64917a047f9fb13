//! Frames and everything in them, from whoever can reach a socket.

use election::ledger::frame::{
    MAX_REPLY, MAX_REQUEST, Reply, Request, VERSION, read_reply, read_request, write_reply, write_request,
};
use election::ledger::{
    BatchRow, Block, Certificate, CommitProof, Decided, Genesis, KioskRow, Raw, Refusal, Rules, StaffRefusal, Tables,
    Transaction,
};
use election::wire::{self, Seq, WireError};
use proptest::prelude::*;

use crate::fixture::{batch, encode, key, world};

#[test]
fn frames_come_back_as_they_were_written() {
    let transaction = world(1).register(&key(1), 1);
    let mut out = [0; 1_000];
    for request in [
        Request::Submit(Raw(&transaction)),
        Request::Proof([7; 32]),
        Request::Tip,
    ] {
        let bytes = write_request(&request, &mut out).unwrap();
        assert_eq!(bytes[0], VERSION);
        assert_eq!(read_request(bytes), Ok(request));
    }
    let header = world(1).block(&[]).0;
    let proof = CommitProof {
        header,
        round: 0,
        signatures: Seq::from_bytes(&[]),
        index: 0,
        count: 1,
        path: Seq::from_bytes(&[]),
    };
    let fork = Refusal::Fork {
        number: 70_000,
        on_ledger: [9; 32],
    };
    for reply in [
        Reply::Accepted([1; 32]),
        Reply::Refused(fork),
        Reply::Refused(Refusal::Staff(StaffRefusal::OneCardTwice)),
        Reply::Proof(proof),
        Reply::NotYet,
        Reply::Tip {
            height: 1 << 40,
            block: [2; 32],
        },
        Reply::Unreadable,
        Reply::Unavailable,
    ] {
        let bytes = write_reply(&reply, &mut out).unwrap();
        assert_eq!(read_reply(bytes), Ok(reply));
    }
}

#[test]
fn the_numbers_of_refusals_are_those_of_the_page() {
    let digest = [3; 32];
    let all = [
        Refusal::TooLong,
        Refusal::Encoding,
        Refusal::Election,
        Refusal::Staff(StaffRefusal::NotTwo),
        Refusal::Key,
        Refusal::Registered,
        Refusal::UnknownKiosk,
        Refusal::Revoked,
        Refusal::TakenOver,
        Refusal::Closed,
        Refusal::Batch,
        Refusal::Signature,
        Refusal::Gap { expected: 0, got: 0 },
        Refusal::Fork {
            number: 0,
            on_ledger: digest,
        },
        Refusal::Repeated,
        Refusal::Predecessor { expected: digest },
        Refusal::SameKiosk,
        Refusal::Station,
        Refusal::SpareInUse,
        Refusal::UnknownPredecessor,
        Refusal::Full,
    ];
    for (refusal, number) in all.iter().zip(0u8..) {
        assert_eq!(encode(refusal)[0], number, "{refusal}");
    }
    let staff = [
        StaffRefusal::NotTwo,
        StaffRefusal::OneCardTwice,
        StaffRefusal::Order,
        StaffRefusal::UnknownCard,
        StaffRefusal::Role,
        StaffRefusal::Signature,
    ];
    for (refusal, number) in staff.iter().zip(0u8..) {
        assert_eq!(encode(refusal), [number], "{refusal}");
    }
}

#[test]
fn frames_of_another_version_or_above_the_bound_are_refused() {
    let mut out = [0; 100];
    let mut bytes = write_request(&Request::Tip, &mut out).unwrap().to_vec();
    bytes[0] = 2;
    assert_eq!(read_request(&bytes), Err(WireError::OutOfBounds));
    assert_eq!(read_request(&[]), Err(WireError::Malformed));
    assert_eq!(read_request(&vec![1; MAX_REQUEST + 1]), Err(WireError::OutOfBounds));
    assert_eq!(read_reply(&vec![1; MAX_REPLY + 1]), Err(WireError::OutOfBounds));
    assert_eq!(write_reply(&Reply::NotYet, &mut []), Err(WireError::BufferTooSmall));
}

/// Reads bytes as everything a ledger reads; none of it may panic.
fn swallow(bytes: &[u8]) {
    let world = world(4);
    let genesis = world.genesis();
    let (mut kiosks, mut batches) = ([KioskRow::EMPTY; 2], [BatchRow::EMPTY; 2]);
    let mut rules = Rules::new(genesis, Tables::new(&mut kiosks, &mut batches));
    rules
        .apply(&Transaction::read(&world.register(&key(1), 1)).unwrap())
        .unwrap();
    if let Ok(transaction) = Transaction::read(bytes) {
        let _ = rules.apply(&transaction);
    }
    let _ = Genesis::read(bytes).map(|genesis| genesis.chain_id());
    if let Ok(block) = Block::read(bytes) {
        let _ = block.check(&genesis.chain_id(), 1, &genesis.chain_id(), &genesis.validators.hash());
    }
    if let Ok(decided) = wire::decode::<Decided<'_>>(bytes) {
        let _ = decided.certificate.verify(&world.block(&[]).0, genesis.validators);
    }
    let proof = match read_reply(bytes) {
        Ok(Reply::Proof(proof)) => Some(proof),
        _ => wire::decode::<CommitProof<'_>>(bytes).ok(),
    };
    if let Some(proof) = proof {
        let verdict = proof.verify(&genesis.chain_id(), genesis.validators, b"transaction");
        assert!(verdict.is_err(), "a proof out of nothing");
    }
    let _ = read_request(bytes);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn hostile_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        swallow(&bytes);
    }

    #[test]
    fn broken_frames_genesis_and_blocks_are_refused(kind in 0usize..4, at in any::<proptest::sample::Index>(), change in 1u8..=255, cut in any::<bool>()) {
        let world = world(4);
        let transactions = [world.register(&key(2), 1), batch(&key(1), 0, [0; 32], &["a"], None).0];
        let (header, block) = world.block(&transactions);
        let votes = world.votes(&header, 0, &[0, 1, 2]);
        let signatures = Seq::from_bytes(&votes);
        let certificate = Certificate { height: 1, round: 0, block: header.hash(), signatures };
        let mut out = [0; 1_000];
        let mut bytes = match kind {
            0 => world.genesis.clone(),
            1 => block,
            2 => encode(&Decided { block: Raw(&block), certificate }),
            _ => {
                let path = Seq::from_bytes(&[5; 32]);
                let proof = CommitProof { header, round: 0, signatures, index: 0, count: 2, path };
                write_reply(&Reply::Proof(proof), &mut out).unwrap().to_vec()
            }
        };
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= change;
        }
        swallow(&bytes);
        // A genesis may still be a good one: another election's. It is never this chain's.
        if let Ok(genesis) = Genesis::read(&bytes) {
            prop_assert_ne!(genesis.chain_id(), world.genesis().chain_id());
        }
        if let Ok(block) = Block::read(&bytes) {
            prop_assert_ne!(block.check(&world.genesis().chain_id(), 1, &world.genesis().chain_id(), &header.validators), Ok(header.hash()));
        }
    }

    /// Bytes that are nearly right reach further than random ones.
    #[test]
    fn broken_transactions_are_refused(kind in 0usize..4, at in any::<proptest::sample::Index>(), change in 1u8..=255, cut in any::<bool>()) {
        let world = world(4);
        let good = match kind {
            0 => world.register(&key(2), 1),
            1 => world.revoke(&key(1), "lost"),
            2 => world.takeover(&key(1), &key(2), [0; 32]),
            _ => batch(&key(1), 0, [0; 32], &["a", "b"], None).0,
        };
        let at = at.index(good.len());
        let mut bytes = good.clone();
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= change;
        }
        swallow(&bytes);
        let (mut kiosks, mut batches) = ([KioskRow::EMPTY; 4], [BatchRow::EMPTY; 2]);
        let mut rules = Rules::new(world.genesis(), Tables::new(&mut kiosks, &mut batches));
        for kiosk in [1, 2].into_iter().filter(|kiosk| kind != 0 || *kiosk == 1) {
            rules.apply(&Transaction::read(&world.register(&key(kiosk), 1)).unwrap()).unwrap();
        }
        // Every byte of a transaction is signed or checked: no other bytes apply in its place.
        if let Ok(transaction) = Transaction::read(&bytes) {
            prop_assert!(rules.apply(&transaction).is_err());
        }
        prop_assert!(rules.apply(&Transaction::read(&good).unwrap()).is_ok());
    }
}
