//! Setup, messages and transcript: whose they are, how many, in which order.

use election::ceremony::{
    Accept, Ceremony, Commit, Commits, Dealer, Kind, MAX_SIGNED_LEN, Outcome, Reason, Reveal, Reveals, Setup, Trustee,
    check_accepts, verify_transcript,
};
use election::group::Point;
use election::hash::hash;
use election::wire::{self, Bytes, Seq};

use crate::crypto_support::rng;
use crate::crypto_support::trustees::*;
use crate::refused;

#[test]
fn a_message_is_its_senders_of_its_kind_and_of_its_ceremony() {
    let trustees = Trustees::new(2, 3, 1);
    let setup = trustees.setup();
    let run = trustees.run(2);
    let with = |message: Message| {
        let mut commits = run.commits.clone();
        commits[1] = message;
        Commits::collect(&setup, all(&commits)).err()
    };
    let commit: Commit = wire::decode(signed(&run.commits[1]).body).unwrap();
    assert_eq!(with(run.commits[1].clone()), None);
    assert_eq!(
        with(trustees.forge(3, Kind::Commit, &commit)),
        refused(2, Reason::Signature)
    );
    assert_eq!(
        with(trustees.forge(2, Kind::Reveal, &commit)),
        refused(2, Reason::Signature)
    );
    let stranger = Commit { trustee: 4, ..commit };
    assert_eq!(
        with(trustees.forge(2, Kind::Commit, &stranger)),
        refused(0, Reason::Stranger)
    );
    let nobody = Commit { trustee: 0, ..commit };
    assert_eq!(
        with(trustees.forge(2, Kind::Commit, &nobody)),
        refused(0, Reason::Stranger)
    );
    let other = Commit {
        ceremony: [0; 32],
        ..commit
    };
    assert_eq!(
        with(trustees.forge(2, Kind::Commit, &other)),
        refused(2, Reason::OtherCeremony)
    );

    let accept: Accept = wire::decode(signed(&run.accepts[2]).body).unwrap();
    let accepts = |accept: &Accept| {
        let mut accepts = run.accepts.clone();
        accepts[2] = trustees.forge(3, Kind::Accept, accept);
        check_accepts(&setup, &run.outcome, all(&accepts)).err()
    };
    assert_eq!(accepts(&accept), None);
    let wrong = Accept {
        transcript: [1; 32],
        ..accept
    };
    assert_eq!(accepts(&wrong), refused(3, Reason::Accepted));
    let wrong = Accept {
        joint: Bytes(Point::GENERATOR.to_bytes()),
        ..accept
    };
    assert_eq!(accepts(&wrong), refused(3, Reason::Accepted));
    // Nobody can accept with another share than the own one.
    let mut out = [0; MAX_SIGNED_LEN];
    let error = run.dealers[0].accept(&setup, &run.outcome, &run.secrets[1], &trustees.signers[0], &mut out);
    assert_eq!(error.err(), refused(1, Reason::Share));
}

#[test]
fn p04_one_coefficient_too_many_or_too_few_is_refused() {
    let trustees = Trustees::new(2, 2, 1);
    let setup = trustees.setup();
    // The very same people with threshold 1 and 3 coefficients: made with dealers of other ceremonies is refused by the
    // proofs, so a list is cut and lengthened here.
    let dealers = trustees.dealers(2);
    let commits = trustees.commits(&dealers);
    let reveals = trustees.reveals(&dealers, &commits);
    let reveal: Reveal<'_> = wire::decode(signed(&reveals[1]).body).unwrap();
    let items: Vec<Vec<u8>> = reveal.coefficients.iter().map(|c| encoded(&c.unwrap())).collect();
    for list in [vec![], items[..1].to_vec(), [&items[..], &items[..1]].concat()] {
        let bytes = list.concat();
        let changed = Reveal {
            coefficients: Seq::from_bytes(&bytes),
            ..reveal
        };
        let mut commits = commits.clone();
        let mut reveals = reveals.clone();
        reveals[1] = trustees.forge(2, Kind::Reveal, &changed);
        commits[1] = trustees.forge(
            2,
            Kind::Commit,
            &Commit {
                ceremony: *setup.hash(),
                trustee: 2,
                reveal: hash("ippyo/1/ceremony/reveal", &[&encoded(&changed)]),
            },
        );
        let commits = Commits::collect(&setup, all(&commits)).unwrap();
        assert_eq!(
            Reveals::collect(&setup, &commits, all(&reveals)).err(),
            refused(2, Reason::Coefficients)
        );
    }
}

#[test]
fn each_rule_of_the_setup_is_refused_by_trustee() {
    let trustees = Trustees::new(2, 3, 1);
    let ceremony: Ceremony<'_> = wire::decode(&trustees.bytes).unwrap();
    let list: Vec<Trustee<'_>> = ceremony.trustees.iter().map(Result::unwrap).collect();
    let attempt = |ceremony: Ceremony<'_>, list: &[Trustee<'_>]| {
        let bytes = list.iter().flat_map(encoded).collect::<Vec<_>>();
        Setup::read(&encoded(&Ceremony {
            trustees: Seq::from_bytes(&bytes),
            ..ceremony
        }))
        .err()
    };
    let change = |index: usize, change: &dyn Fn(&mut Trustee<'_>)| {
        let mut list = list.clone();
        change(&mut list[index]);
        attempt(ceremony, &list)
    };
    assert_eq!(attempt(ceremony, &list), None);
    for threshold in [0, 4, 255] {
        assert_eq!(
            attempt(Ceremony { threshold, ..ceremony }, &list),
            refused(0, Reason::Threshold)
        );
    }
    assert_eq!(
        attempt(Ceremony { version: 2, ..ceremony }, &list),
        refused(0, Reason::Version)
    );
    assert_eq!(change(1, &|t| t.name = ""), refused(2, Reason::Name));
    assert_eq!(change(1, &|t| t.name = "Trustee 1"), refused(2, Reason::Name));
    assert_eq!(change(2, &|t| t.signing = list[0].signing), refused(3, Reason::Key));
    assert_eq!(change(2, &|t| t.sealing = list[0].sealing), refused(3, Reason::Key));
    assert_eq!(change(2, &|t| t.sealing = list[1].signing), refused(3, Reason::Key));
    assert_eq!(change(0, &|t| t.signing.0[0] = 4), refused(1, Reason::Key));
    assert_eq!(change(0, &|t| t.sealing.0 = [0; 33]), refused(1, Reason::Key));
    let ten = Trustees::new(1, 9, 3);
    let nine: Ceremony<'_> = wire::decode(&ten.bytes).unwrap();
    let mut list: Vec<Trustee<'_>> = nine.trustees.iter().map(Result::unwrap).collect();
    let other = Trustees::new(1, 1, 4);
    let one: Ceremony<'_> = wire::decode(&other.bytes).unwrap();
    list.push(Trustee {
        name: "Ten",
        ..one.trustees.get(0).unwrap().unwrap()
    });
    assert_eq!(attempt(nine, &list), refused(0, Reason::Threshold));
}

#[test]
fn a_dealer_read_back_sends_the_same() {
    let trustees = Trustees::new(3, 4, 1);
    let setup = trustees.setup();
    let dealers = trustees.dealers(2);
    let again: Vec<_> = dealers
        .iter()
        .map(|dealer| Dealer::from_bytes(&setup, dealer.trustee(), &dealer.to_bytes()).unwrap())
        .collect();
    let commits = trustees.commits(&dealers);
    assert_eq!(trustees.commits(&again), commits);
    assert_eq!(trustees.reveals(&again, &commits), trustees.reveals(&dealers, &commits));
    let bytes = dealers[0].to_bytes();
    for bad in [
        &bytes[..64],
        &[&bytes[..], &[1; 32]].concat(),
        &[0; 96],
        &[255; 96],
        &[],
    ] {
        assert_eq!(Dealer::from_bytes(&setup, 1, bad).err(), refused(1, Reason::Secret));
    }
    assert_eq!(
        Dealer::from_bytes(&setup, 5, &bytes).err(),
        refused(5, Reason::Stranger)
    );
    assert_eq!(
        Dealer::generate(&setup, 0, &mut rng(1)).err(),
        refused(0, Reason::Stranger)
    );
}

#[test]
fn a_transcript_has_one_order_and_stands_for_its_keys_only() {
    let trustees = Trustees::new(2, 3, 1);
    let run = trustees.run(2);
    let keys = run.keys(&trustees);
    let mut swapped = trustees.run(2);
    swapped.commits.swap(0, 1);
    assert_eq!(
        verify_transcript(&swapped.transcript(&trustees), &keys).err(),
        refused(0, Reason::Buffer)
    );
    let other = trustees.run(3);
    assert_eq!(
        verify_transcript(&run.transcript(&trustees), &other.keys(&trustees)).err(),
        refused(0, Reason::Keys)
    );
    // Accepts of another run of the same people.
    let mut mixed = trustees.run(2);
    mixed.accepts = other.accepts;
    assert_eq!(
        verify_transcript(&mixed.transcript(&trustees), &keys).err(),
        refused(1, Reason::Accepted)
    );
    let outcome: &Outcome = &run.outcome;
    assert_eq!(
        verify_transcript(&run.transcript(&trustees), &keys).as_ref(),
        Ok(outcome)
    );
}
