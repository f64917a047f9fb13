//! The key ceremony's laws and the attacks on it.

mod crypto_support;

use crypto_support::trustees::*;
use crypto_support::{point, rng};
use election::ceremony::{
    Accept, Ceremony, CeremonyError, Coefficient, Commit, Commits, Complaint, Dealer, Kind, MAX_SIGNED_LEN, Outcome,
    Reason, Reveal, Reveals, Setup, Share, ShareMessage, Trustee, check_accepts, own_share, read_complaint,
    verify_transcript,
};
use election::group::{Point, ProjectivePoint, Scalar, random_scalar, scalar};
use election::hash::{hash, hash_to_scalar};
use election::seal;
use election::wire::{self, Bytes, Seq};
use proptest::prelude::*;

fn refused(trustee: u8, reason: Reason) -> Option<CeremonyError> {
    Some(CeremonyError { trustee, reason })
}

/// Lagrange at 0 over the trustees' secrets.
fn interpolate(secrets: &[(u8, Scalar)]) -> Scalar {
    secrets
        .iter()
        .map(|(own, secret)| {
            let lambda = secrets
                .iter()
                .filter(|(other, _)| other != own)
                .fold(Scalar::ONE, |product, (other, _)| {
                    let (own, other) = (Scalar::from(u32::from(*own)), Scalar::from(u32::from(*other)));
                    product * other * (other - own).invert().unwrap()
                });
            *secret * lambda
        })
        .sum()
}

#[test]
fn every_k_of_n_makes_a_key_that_any_k_hold_and_no_fewer() {
    let sizes = (1..=5u8)
        .flat_map(|n| (1..=n).map(move |k| (k, n)))
        .chain([(5, 9), (9, 9), (1, 9)]);
    for (k, n) in sizes {
        let trustees = Trustees::new(k, n, 10 * n + k);
        let run = trustees.run(k);
        let keys = &run.outcome.keys;
        assert_eq!((keys.threshold, keys.shares.len()), (k, usize::from(n)));
        let secrets: Vec<_> = run
            .secrets
            .iter()
            .map(|secret| (secret.trustee(), scalar(&secret.to_bytes()).unwrap()))
            .collect();
        for (number, secret) in &secrets {
            assert_eq!(keys.share(*number), Some(&point(ProjectivePoint::GENERATOR * secret)));
        }
        let opens = |some: &[(u8, Scalar)]| point(ProjectivePoint::GENERATOR * interpolate(some)) == keys.joint;
        let size = usize::from(k);
        for some in secrets.windows(size) {
            assert!(opens(some), "{k} of {n}");
        }
        let reversed: Vec<_> = secrets.iter().rev().copied().collect();
        assert!(opens(&reversed[..size]));
        if size > 1 {
            assert!(secrets.windows(size - 1).all(|some| !opens(some)), "{k} of {n}");
        }
        assert_eq!(
            verify_transcript(&run.transcript(&trustees), &run.keys(&trustees)).as_ref(),
            Ok(&run.outcome)
        );
    }
}

/// The commit to a reveal, of the trustee it names.
fn commit_to(reveal: &Reveal<'_>) -> Commit {
    Commit {
        ceremony: reveal.ceremony,
        trustee: reveal.trustee,
        reveal: hash("ippyo/1/ceremony/reveal", &[&encoded(reveal)]),
    }
}

#[test]
fn p10_a_key_chosen_after_the_others_is_refused() {
    let trustees = Trustees::new(2, 3, 1);
    let setup = trustees.setup();
    let dealers = trustees.dealers(2);
    let honest = trustees.commits(&dealers);
    let reveals = trustees.reveals(&dealers, &honest);
    let coefficients = |message: &Message| -> Vec<Coefficient> {
        let reveal: Reveal<'_> = wire::decode(signed(message).body).unwrap();
        reveal.coefficients.iter().map(Result::unwrap).collect()
    };
    // Trustee 3 has seen the others' keys and wants the joint key to be x·G with an x of its own.
    let x = random_scalar(&mut rng(9)).unwrap();
    let others: ProjectivePoint = reveals[..2]
        .iter()
        .map(|message| {
            Point::from_bytes(&coefficients(message)[0].point.0)
                .unwrap()
                .projective()
        })
        .sum();
    let rogue = point(ProjectivePoint::GENERATOR * x - others);
    let mut list = coefficients(&reveals[2]);
    list[0].point = Bytes(rogue.to_bytes());
    let bytes: Vec<u8> = list.iter().flat_map(encoded).collect();
    let reveal = Reveal {
        ceremony: *setup.hash(),
        trustee: 3,
        coefficients: Seq::from_bytes(&bytes),
    };
    let mut attack = reveals.clone();
    attack[2] = trustees.forge(3, Kind::Reveal, &reveal);
    let collect = |commits: &[Message], reveals: &[Message]| {
        let collected = Commits::collect(&setup, all(commits)).unwrap();
        Reveals::collect(&setup, &collected, all(reveals)).err()
    };
    assert_eq!(collect(&honest, &attack), refused(3, Reason::NotCommitted));
    // Even if it could have committed to that: it does not know the coefficient.
    let mut commits = honest.clone();
    commits[2] = trustees.forge(3, Kind::Commit, &commit_to(&reveal));
    assert_eq!(collect(&commits, &attack), refused(3, Reason::Knowledge(0)));
    // Nor can it repeat trustee 1's coefficients with trustee 1's proofs.
    let bytes: Vec<u8> = coefficients(&reveals[0]).iter().flat_map(encoded).collect();
    let copy = Reveal {
        ceremony: *setup.hash(),
        trustee: 3,
        coefficients: Seq::from_bytes(&bytes),
    };
    attack[2] = trustees.forge(3, Kind::Reveal, &copy);
    let mut commits = honest.clone();
    commits[2] = trustees.forge(3, Kind::Commit, &commit_to(&copy));
    assert_eq!(collect(&commits, &attack), refused(3, Reason::Knowledge(0)));
}

#[test]
fn p10_nobody_reveals_before_all_have_committed() {
    let trustees = Trustees::new(2, 3, 1);
    let setup = trustees.setup();
    let dealers = trustees.dealers(2);
    let commits = trustees.commits(&dealers);
    assert_eq!(
        Commits::collect(&setup, all(&commits[..2])).err(),
        refused(3, Reason::Missing)
    );
    assert_eq!(
        Commits::collect(&setup, all(&commits[1..])).err(),
        refused(1, Reason::Missing)
    );
    let twice: Vec<_> = commits.iter().chain(&commits[1..2]).cloned().collect();
    assert_eq!(Commits::collect(&setup, all(&twice)).err(), refused(2, Reason::Twice));
    // A commit to another polynomial under my name: I do not reveal.
    let collected = Commits::collect(&setup, all(&commits)).unwrap();
    let other = Dealer::generate(&setup, 2, &mut rng(77)).unwrap();
    let mut out = [0; MAX_SIGNED_LEN];
    let error = other.reveal(&setup, &collected, &trustees.signers[1], &mut out);
    assert_eq!(error.err(), refused(2, Reason::NotCommitted));
}

#[test]
fn p10_the_proof_of_knowledge_binds_ceremony_trustee_index_and_point() {
    let trustees = Trustees::new(2, 2, 1);
    let setup = trustees.setup();
    let (u, a) = (random_scalar(&mut rng(1)).unwrap(), random_scalar(&mut rng(2)).unwrap());
    let (commitment, coefficient) = (
        point(ProjectivePoint::GENERATOR * u).to_bytes(),
        point(ProjectivePoint::GENERATOR * a).to_bytes(),
    );
    let attempt = |parts: [&[u8]; 5]| {
        let c = hash_to_scalar("ippyo/1/ceremony/knowledge", &parts);
        let one = Coefficient {
            point: Bytes(coefficient),
            challenge: c.to_bytes().into(),
            response: (u - c * a).to_bytes().into(),
        };
        // The second coefficient is right, so that only the first is judged.
        let c = hash_to_scalar(
            "ippyo/1/ceremony/knowledge",
            &[setup.hash(), &[1], &[1], &coefficient, &commitment],
        );
        let two = Coefficient {
            challenge: c.to_bytes().into(),
            response: (u - c * a).to_bytes().into(),
            ..one
        };
        let bytes = [encoded(&one), encoded(&two)].concat();
        let reveal = Reveal {
            ceremony: *setup.hash(),
            trustee: 1,
            coefficients: Seq::from_bytes(&bytes),
        };
        let dealers = trustees.dealers(2);
        let mut commits = trustees.commits(&dealers);
        let mut reveals = trustees.reveals(&dealers, &commits);
        commits[0] = trustees.forge(1, Kind::Commit, &commit_to(&reveal));
        reveals[0] = trustees.forge(1, Kind::Reveal, &reveal);
        let commits = Commits::collect(&setup, all(&commits)).unwrap();
        Reveals::collect(&setup, &commits, all(&reveals)).err()
    };
    let hash = *setup.hash();
    let mut other = hash;
    other[0] ^= 1;
    let bad = refused(1, Reason::Knowledge(0));
    assert_eq!(attempt([&hash, &[1], &[0], &coefficient, &commitment]), None);
    assert_eq!(attempt([&other, &[1], &[0], &coefficient, &commitment]), bad);
    assert_eq!(attempt([&hash, &[2], &[0], &coefficient, &commitment]), bad);
    assert_eq!(attempt([&hash, &[1], &[1], &coefficient, &commitment]), bad);
    assert_eq!(attempt([&hash, &[1], &[0], &commitment, &commitment]), bad);
    assert_eq!(attempt([&hash, &[1], &[0], &coefficient, &coefficient]), bad);
    assert_eq!(attempt([&hash, &[1], &[0], &[], &commitment]), bad);
}

#[test]
fn p11_a_bad_share_is_laid_to_its_sender() {
    let trustees = Trustees::new(2, 3, 1);
    let setup = trustees.setup();
    let run = trustees.run(2);
    let commits = Commits::collect(&setup, all(&run.commits)).unwrap();
    let reveals = Reveals::collect(&setup, &commits, all(&run.reveals)).unwrap();
    let key = &trustees.sealers[0];
    let share = |from: u8, to: u8, receiver: usize, value: [u8; 32], info: (u8, u8)| {
        let mut sealed = [0; 113];
        let info = [&b"ippyo/1/ceremony/share"[..], setup.hash(), &[info.0, info.1]].concat();
        seal::seal(
            &trustees.sealers[receiver - 1].public_key(),
            &info,
            &value,
            &mut rng(5),
            &mut sealed,
        )
        .unwrap();
        let message = ShareMessage {
            ceremony: *setup.hash(),
            from,
            to,
            encapsulated: Bytes(sealed[..65].try_into().unwrap()),
            sealed: Bytes(sealed[65..].try_into().unwrap()),
        };
        trustees.forge(usize::from(from), Kind::Share, &message)
    };
    let open = |message: &Message| Share::open(&setup, &reveals, 1, key, &signed(message)).err();
    // Honest, from the dealer.
    let mut out = [0; MAX_SIGNED_LEN];
    let honest = run.dealers[2].share(&setup, &reveals, 1, &trustees.signers[2], &mut rng(5), &mut out);
    let honest = honest.unwrap().to_vec();
    assert_eq!(open(&honest), None);
    // A wrong value; a value not below n; sealed to another; sealed for another pair.
    assert_eq!(open(&share(3, 1, 1, [1; 32], (3, 1))), refused(3, Reason::Share));
    assert_eq!(open(&share(3, 1, 1, [255; 32], (3, 1))), refused(3, Reason::Share));
    assert_eq!(open(&share(3, 1, 2, [1; 32], (3, 1))), refused(3, Reason::Sealed));
    assert_eq!(open(&share(3, 1, 1, [1; 32], (2, 1))), refused(3, Reason::Sealed));
    assert_eq!(open(&share(3, 2, 1, [1; 32], (3, 1))), refused(3, Reason::Stranger));
    // Somebody else's share under the name of 3: not signed by 3.
    let stolen = signed(&honest);
    let message: ShareMessage = wire::decode(stolen.body).unwrap();
    let renamed = trustees.forge(2, Kind::Share, &message);
    assert_eq!(open(&renamed), refused(3, Reason::Signature));
    // The complaint names the sender and ends the ceremony.
    let error = open(&share(3, 1, 1, [1; 32], (3, 1))).unwrap();
    let complaint = run.dealers[0].complain(&setup, &error, &trustees.signers[0], &mut out);
    let complaint = read_complaint(&setup, &signed(&complaint.unwrap().to_vec())).unwrap();
    assert_eq!((complaint.trustee, complaint.against, complaint.reason), (1, 3, 2));
    let nobody = Complaint {
        against: 4,
        ..complaint
    };
    assert_eq!(
        read_complaint(&setup, &signed(&trustees.forge(1, Kind::Complaint, &nobody))).err(),
        refused(1, Reason::Stranger)
    );
    // Missing and doubled shares.
    let from = |l: usize| {
        let mut out = [0; MAX_SIGNED_LEN];
        let signer = &trustees.signers[l - 1];
        let message = run.dealers[l - 1].share(&setup, &reveals, 1, signer, &mut rng(6), &mut out);
        Share::open(&setup, &reveals, 1, key, &signed(&message.unwrap().to_vec())).unwrap()
    };
    let own = |shares: &[Share]| own_share(&setup, &run.outcome, &run.dealers[0], shares).err();
    assert_eq!(own(&[from(2)]), refused(3, Reason::Missing));
    assert_eq!(own(&[from(3), from(2)]), None);
    assert_eq!(own(&[from(3), from(2), from(3)]), refused(3, Reason::Twice));
    let other = Dealer::generate(&setup, 1, &mut rng(8)).unwrap();
    assert_eq!(
        own_share(&setup, &run.outcome, &other, &[from(2), from(3)]).err(),
        refused(1, Reason::Share)
    );
}

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn p02_one_flipped_bit_in_transcript_or_keys_is_refused(at: prop::sample::Index, bit in 0u8..8) {
        let trustees = Trustees::new(2, 3, 1);
        let run = trustees.run(2);
        let (mut transcript, mut keys) = (run.transcript(&trustees), run.keys(&trustees));
        let at = at.index(transcript.len() + keys.len());
        match at.checked_sub(transcript.len()) {
            None => transcript[at] ^= 1 << bit,
            Some(at) => keys[at] ^= 1 << bit,
        }
        prop_assert!(verify_transcript(&transcript, &keys).is_err());
    }

    #[test]
    fn hostile_transcripts_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(verify_transcript(&bytes, &bytes).is_err());
        prop_assert!(Setup::read(&bytes).is_err());
    }
}
