//! The validators change: a kiosk that knows its genesis follows what the old ones decided, and nothing else, whatever a gateway answers.

use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use election::hash::{Digest, sha256};
use election::ledger::frame::{Reply, Request, read_request, write_reply};
use election::ledger::{CommitSignature, Followed, Genesis, Raw, SetChange, Transaction, Validators};
use election::sign::Signer;
use election::wire::Seq;
use embassy_futures::block_on;

use super::{decided, desk};
use crate::ports::{Uplink, UplinkError};
use crate::run::uplink::Line;

/// Validators by number.
fn keys(numbers: core::ops::Range<u8>) -> Vec<Signer> {
    numbers
        .map(|number| Signer::from_bytes(&sha256(&[number])).unwrap())
        .collect()
}

fn public(keys: &[Signer]) -> Vec<u8> {
    keys.iter().flat_map(Signer::public_key).collect()
}

/// The genesis that names these.
fn genesis(validators: &[Signer]) -> Vec<u8> {
    let package = desk::package(election::manifest::Mode::Consultation, 1);
    let package = election::package::Package::open(&package, &desk::authority().public_key()).unwrap();
    let keys = public(validators);
    desk::encoded(&Genesis {
        validators: Validators::from_bytes(&keys),
        ..package.genesis
    })
}

/// A change of number `number` from `old` to `new`, signed by these of the old ones.
fn change(chain: Digest, number: u32, old: &[Signer], new: &[Signer], who: &[u8]) -> Vec<u8> {
    let (before, after) = (public(old), public(new));
    let body = SetChange {
        chain,
        number,
        from: 10 * u64::from(number),
        previous: Validators::from_bytes(&before).hash(),
        validators: Validators::from_bytes(&after),
    };
    let votes: Vec<CommitSignature> = who
        .iter()
        .map(|index| body.sign(*index, &old[usize::from(*index)]).unwrap())
        .collect();
    let votes = desk::list(&votes);
    desk::encoded(&Transaction::Validators {
        body,
        signatures: Seq::from_bytes(&votes),
    })
}

/// The gateway's answer: a transaction in a block of its own, decided by these of a set.
fn answer(chain: Digest, height: u64, transaction: &[u8], set: &[Signer], who: &[u8]) -> Vec<u8> {
    let proof = decided::proof(chain, height, transaction, set, who);
    reply(&Reply::Change {
        transaction: Raw(transaction),
        proof: election::wire::decode(&proof).unwrap(),
    })
}

fn reply(reply: &Reply<'_>) -> Vec<u8> {
    let mut buffer = vec![0; 8192];
    write_reply(reply, &mut buffer).unwrap().to_vec()
}

/// A gateway that answers what it was told to, and notes which change it was asked for. Without an answer there is no network.
struct Gateway {
    answers: VecDeque<Vec<u8>>,
    asked: Vec<u32>,
}

impl Uplink for Gateway {
    async fn exchange(&mut self, request: &[u8], reply: &mut [u8]) -> Result<usize, UplinkError> {
        match read_request(request) {
            Ok(Request::Change(number)) => self.asked.push(number),
            _ => panic!("a kiosk that follows asks for changes only"),
        }
        let answer = self.answers.pop_front().ok_or(UplinkError)?;
        let part = answer.len().min(reply.len());
        reply[..part].copy_from_slice(&answer[..part]);
        // A port that lies about the length of what it wrote must do no harm either.
        Ok(answer.len())
    }
}

/// A kiosk that follows: what each answer does to the set it believes.
struct Kiosk<'g> {
    line: Line<'g>,
    gateway: Gateway,
}

impl Kiosk<'_> {
    /// Asks once, gets `answer` (none: no network), and gives whether it followed and what it asked for.
    fn ask(&mut self, answer: Option<Vec<u8>>) -> (bool, u32) {
        self.gateway.answers.extend(answer);
        let followed = block_on(self.line.follow(&mut self.gateway));
        assert!(self.gateway.answers.is_empty());
        (followed, self.gateway.asked.pop().unwrap())
    }

    fn believes(&self, set: &[Signer]) -> bool {
        let keys = public(set);
        self.line.followed.validators() == Validators::from_bytes(&keys)
    }
}

#[test]
fn f10_a_kiosk_follows_changes_of_the_validators_that_the_old_ones_decided_and_no_other() {
    let (first, second, third, strangers) = (keys(0..4), keys(1..5), keys(2..6), keys(50..54));
    let genesis = genesis(&first);
    let genesis = Genesis::read(&genesis).unwrap();
    let chain = genesis.chain_id();
    let (mut request, mut room) = (vec![0; 64], vec![0; 4096]);
    let mut kiosk = Kiosk {
        line: Line {
            request: &mut request,
            reply: &mut room,
            followed: Followed::new(&genesis),
        },
        gateway: Gateway {
            answers: VecDeque::new(),
            asked: Vec::new(),
        },
    };
    let to_second = change(chain, 1, &first, &second, &[0, 2, 3]);
    let to_third = change(chain, 2, &second, &third, &[0, 1, 2]);
    let honest = answer(chain, 2, &to_second, &first, &[0, 1, 2]);
    let further = answer(chain, 12, &to_third, &second, &[1, 2, 3]);
    let few = change(chain, 1, &first, &second, &[0, 2]);
    let wrong_number = change(chain, 2, &first, &second, &[0, 2, 3]);
    let other_chain = change([9; 32], 1, &first, &second, &[0, 2, 3]);
    let by_strangers = change(chain, 1, &strangers, &second, &[0, 1, 2]);
    let lies = [
        ("no network", None),
        ("nothing", Some(vec![])),
        ("noise", Some(vec![0xa5; 700])),
        ("a length beyond the buffer", Some(vec![1; 9000])),
        ("not yet", Some(reply(&Reply::NotYet))),
        ("cannot", Some(reply(&Reply::Unavailable))),
        ("cut", Some(honest[..honest.len() - 1].to_vec())),
        (
            "decided by two of four",
            Some(answer(chain, 2, &to_second, &first, &[0, 1])),
        ),
        (
            "decided by one three times",
            Some(answer(chain, 2, &to_second, &first, &[1, 1, 1])),
        ),
        (
            "decided by the new ones themselves",
            Some(answer(chain, 2, &to_second, &second, &[0, 1, 2, 3])),
        ),
        (
            "decided by strangers",
            Some(answer(chain, 2, &by_strangers, &strangers, &[0, 1, 2, 3])),
        ),
        (
            "on another chain",
            Some(answer([9; 32], 2, &other_chain, &first, &[0, 1, 2])),
        ),
        (
            "of another chain in a block of this one",
            Some(answer(chain, 2, &other_chain, &first, &[0, 1, 2])),
        ),
        (
            "decided, but signed by two only",
            Some(answer(chain, 2, &few, &first, &[0, 1, 2])),
        ),
        (
            "decided, but of another number",
            Some(answer(chain, 2, &wrong_number, &first, &[0, 1, 2])),
        ),
        (
            "decided, but signed by strangers",
            Some(answer(chain, 2, &by_strangers, &first, &[0, 1, 2])),
        ),
        ("too late", Some(answer(chain, 10, &to_second, &first, &[0, 1, 2]))),
        (
            "decided, but no transaction at all",
            Some(answer(chain, 2, b"noise", &first, &[0, 1, 2])),
        ),
        ("the change after the next", Some(further.clone())),
    ];
    for (what, lie) in &lies {
        assert_eq!(kiosk.ask(lie.clone()), (false, 1), "{what}");
        assert!(kiosk.believes(&first), "{what}");
    }
    // The truth after all these lies, one change after the other.
    assert_eq!(kiosk.ask(Some(honest.clone())), (true, 1));
    assert!(kiosk.believes(&second));
    // Led on and then lied to, it goes back to the genesis, which nobody can take from it, and gets there again.
    for (what, lie) in lies.iter().filter(|(what, _)| *what != "the change after the next") {
        assert_eq!(kiosk.ask(lie.clone()), (false, 2), "{what}");
        assert!(kiosk.believes(&first), "{what}");
        assert_eq!(kiosk.ask(Some(honest.clone())), (true, 1), "{what}");
    }
    assert_eq!(kiosk.ask(Some(further)), (true, 2));
    assert!(kiosk.believes(&third));
    // The first change replayed leads nowhere.
    assert_eq!(kiosk.ask(Some(honest)), (false, 3));
    assert!(kiosk.believes(&first));
}
