//! Trustees who choose their key late, claim what they do not know, or deal a bad share: each is named.

use election::ceremony::{
    Coefficient, Commit, Commits, Complaint, Dealer, Kind, MAX_SIGNED_LEN, Reason, Reveal, Reveals, Share,
    ShareMessage, own_share, read_complaint,
};
use election::group::{Point, ProjectivePoint, random_scalar};
use election::hash::{hash, hash_to_scalar};
use election::seal;
use election::wire::{self, Bytes, Seq};

use crate::crypto_support::trustees::*;
use crate::crypto_support::{point, rng};
use crate::refused;

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
