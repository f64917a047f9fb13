//! A kiosk and a gateway that speak frames, and strangers who speak anything.

use chain::Chain;
use chain::gateway::handle;
use chain::storage::MemoryStorage;
use election::ledger::frame::{MAX_REPLY, MAX_REQUEST, Reply, Request, read_reply, write_request};
use election::ledger::{Raw, Refusal, transaction_hash};
use proptest::prelude::*;

use crate::fixture::{World, batch, key, world};

fn chain(world: &World) -> Chain<MemoryStorage> {
    Chain::in_memory(&world.genesis, world.validators.clone()).unwrap()
}

fn ask<'r>(chain: &mut Chain<MemoryStorage>, request: Request<'_>, reply: &'r mut [u8; MAX_REPLY]) -> Reply<'r> {
    let mut out = vec![0; 2_000];
    let request = write_request(&request, &mut out).unwrap();
    read_reply(handle(chain, request, reply)).unwrap()
}

#[test]
fn a_kiosk_gets_a_proof_it_can_check_itself() {
    let world = world(4);
    let genesis = world.genesis();
    let mut chain = chain(&world);
    let mut reply = [0; MAX_REPLY];
    let (bytes, _) = batch(&key(1), 0, [0; 32], &["a", "b"], None);
    let hash = transaction_hash(&bytes);
    let submit = Request::Submit(Raw(&bytes));
    assert_eq!(
        ask(&mut chain, submit, &mut reply),
        Reply::Refused(Refusal::UnknownKiosk)
    );
    assert_eq!(ask(&mut chain, Request::Proof(hash), &mut reply), Reply::NotYet);
    assert_eq!(
        ask(&mut chain, Request::Tip, &mut reply),
        Reply::Tip {
            height: 0,
            block: genesis.chain_id()
        }
    );
    chain.submit(&world.register(&key(1), 1)).unwrap();
    for _ in 0..2 {
        assert_eq!(ask(&mut chain, submit, &mut reply), Reply::Accepted(hash));
    }
    let Reply::Proof(proof) = ask(&mut chain, Request::Proof(hash), &mut reply) else {
        panic!("no proof")
    };
    assert_eq!(proof.verify(&genesis.chain_id(), genesis.validators, &bytes), Ok(()));
    let tip = chain.ledger().tip();
    assert_eq!(
        ask(&mut chain, Request::Tip, &mut reply),
        Reply::Tip { height: 2, block: tip }
    );
}

#[test]
fn a_frame_above_the_bound_is_not_read() {
    let mut chain = chain(&world(1));
    let mut reply = [0; MAX_REPLY];
    let answer = handle(&mut chain, &vec![1; MAX_REQUEST + 1], &mut reply);
    assert_eq!(read_reply(answer), Ok(Reply::Unreadable));
}

#[test]
fn a_gateway_that_cannot_write_says_so() {
    let world = world(4);
    // Two keys of four decide nothing.
    let mut chain = Chain::in_memory(&world.genesis, world.validators[..2].to_vec()).unwrap();
    let register = world.register(&key(1), 1);
    let mut reply = [0; MAX_REPLY];
    assert_eq!(
        ask(&mut chain, Request::Submit(Raw(&register)), &mut reply),
        Reply::Unavailable
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_asked_gets_one_readable_answer_and_moves_nothing(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        framed in any::<bool>(),
    ) {
        let mut chain = chain(&world(1));
        let mut request = vec![0; 400];
        let request = if framed {
            write_request(&Request::Submit(Raw(&bytes)), &mut request).unwrap()
        } else {
            &bytes
        };
        let mut reply = [0; MAX_REPLY];
        let answer = read_reply(handle(&mut chain, request, &mut reply)).unwrap();
        prop_assert!(!matches!(answer, Reply::Accepted(_) | Reply::Proof(_)));
        prop_assert_eq!(chain.ledger().height(), 0);
    }
}
