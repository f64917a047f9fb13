//! A chain that has gone on for long before the nodes start: empty blocks, each decided by three of four.

use std::time::{Duration, Instant};

use chain::Ledger;
use chain::engine::signer::Memory;
use chain::engine::store::Store;
use chain::validator::{OwnedCertificate, Validator};
use election::ledger::{Decided, Raw};

use crate::fixture::encode;
use crate::net::Net;

/// Gives nodes 0, 1 and 2, which have not started, a chain of `blocks`; node 3 has nothing. How long making and keeping the blocks took.
pub fn write(net: &Net, blocks: u64) -> Duration {
    let first = net.folder(0).join("chain.redb");
    let mut ledger = Ledger::new(&net.world.genesis).unwrap();
    let store = Store::open(&first, ledger.id()).unwrap();
    let mut validators: Vec<Validator> = net.world.validators[..3]
        .iter()
        .map(|key| Validator::new(key.clone(), net.world.genesis().validators).unwrap())
        .collect();
    let begun = Instant::now();
    for height in 1..=blocks {
        let proposal = ledger.propose([]).unwrap();
        let votes = validators
            .iter_mut()
            .map(|validator| validator.precommit(&proposal.header, 0).unwrap())
            .collect();
        let certificate = OwnedCertificate::assemble(&proposal.header, 0, votes).unwrap();
        let decided = encode(&Decided {
            block: Raw(&proposal.block),
            certificate: certificate.view(),
        });
        ledger.apply(&proposal.block, &certificate.view()).unwrap();
        store.decide(height, &decided).unwrap();
    }
    let taken = begun.elapsed();
    drop(store);
    for node in [0, 1, 2] {
        // These keys have signed, if not by these programs: their memory is there.
        Memory::open(&net.folder(node).join("signed.bin"), true).unwrap();
    }
    for node in [1, 2] {
        std::fs::copy(&first, net.folder(node).join("chain.redb")).unwrap();
    }
    taken
}
