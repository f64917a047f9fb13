//! Frozen bytes of the ledger's formats: tests/vectors/draft/ledger.json, hex.
//!
//! If this test fails, the format has changed: that needs a reason and a new draft (IPPYO_WRITE_VECTORS=1 writes it).

use election::ledger::{Certificate, CommitProof, Decided, Raw, transaction_hash};
use election::merkle;
use election::wire::Seq;

use crate::fixture::{batch, digest, encode, id, key, world};

#[test]
fn encodings_hashes_and_signatures_are_frozen() {
    let world = world(4);
    let genesis = world.genesis();
    let (first, first_hash) = batch(&key(1), 0, [0; 32], &["a", "b", "c"], None);
    let (last, last_hash) = batch(&key(2), 0, first_hash, &["d"], Some(digest("closing")));
    let transactions = vec![
        world.register(&key(1), 7),
        world.register(&key(2), 7),
        first,
        world.takeover(&key(1), &key(2), first_hash),
        last,
        world.revoke(&key(1), "落下して破損"),
    ];
    let (header, block) = world.block(&transactions);
    let votes = world.votes(&header, 2, &[0, 2, 3]);
    let decided = encode(&Decided {
        block: Raw(&block),
        certificate: Certificate {
            height: 1,
            round: 2,
            block: header.hash(),
            signatures: Seq::from_bytes(&votes),
        },
    });
    let path = merkle::path(4, 6, |at| merkle::leaf(&transactions[at as usize]))
        .unwrap()
        .concat();
    let proof = CommitProof {
        header,
        round: 2,
        signatures: Seq::from_bytes(&votes),
        index: 4,
        count: 6,
        path: Seq::from_bytes(&path),
    };
    assert_eq!(
        proof.verify(&genesis.chain_id(), genesis.validators, &transactions[4]),
        Ok(())
    );
    let values: Vec<(String, Vec<u8>)> = [
        ("genesis", world.genesis.clone()),
        ("chain_id", genesis.chain_id().to_vec()),
        ("validator_set_hash", genesis.validators.hash().to_vec()),
        ("kiosk_id_1", id(&key(1)).to_vec()),
        ("kiosk_id_2", id(&key(2)).to_vec()),
        ("batch_hash_1", first_hash.to_vec()),
        ("batch_hash_2", last_hash.to_vec()),
        ("transactions_root", header.transactions.to_vec()),
        ("block_hash", header.hash().to_vec()),
        ("decided", decided),
        ("commit_proof_of_transaction_4", encode(&proof)),
    ]
    .into_iter()
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .chain(transactions.iter().zip(0..).flat_map(|(bytes, number)| {
        [
            (format!("transaction_{number}"), bytes.clone()),
            (format!("transaction_{number}_hash"), transaction_hash(bytes).to_vec()),
        ]
    }))
    .collect();
    let lines: Vec<String> = values
        .iter()
        .map(|(name, bytes)| format!("  \"{name}\": \"{}\"", hex::encode(bytes)))
        .collect();
    let text = format!("{{\n{}\n}}\n", lines.join(",\n"));

    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/draft/ledger.json");
    if std::env::var_os("IPPYO_WRITE_VECTORS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let frozen = std::fs::read_to_string(&file).unwrap();
    assert!(
        frozen == text,
        "the ledger's bytes differ from tests/vectors/draft/ledger.json"
    );
}
