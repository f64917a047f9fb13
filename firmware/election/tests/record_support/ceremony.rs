//! The trustees' ceremony from the formulas of section 3.

use chacha20::ChaCha20Rng;
use election::group::{ProjectivePoint, Scalar, random_scalar, scalar_bytes};
use election::hash::{Digest, hash, hash_to_scalar};
use election::keys::{Keys, TrusteeKey};
use election::signed::Signed;
use election::wire::{Bytes, Seq};
use serde::Serialize;

use super::{bytes_of, encoded, seq_of, signer};

/// 2 of 3 trustees, from section 3.
pub struct Trustees {
    pub keys: Vec<u8>,
    pub transcript: Vec<u8>,
    pub joint: ProjectivePoint,
    /// s_l
    pub shares: Vec<Scalar>,
}

const THRESHOLD: usize = 2;
const TRUSTEES: usize = 3;

#[derive(Serialize)]
struct Ceremony<'a> {
    version: u16,
    id: Digest,
    threshold: u8,
    trustees: Seq<'a, Trustee<'a>>,
}

#[derive(Serialize)]
struct Trustee<'a> {
    name: &'a str,
    signing: Bytes<33>,
    sealing: Bytes<33>,
}

pub(super) fn ceremony(rng: &mut ChaCha20Rng) -> Trustees {
    let names = ["Akagi", "Beppu", "Chiba"];
    let trustees = seq_of((0..TRUSTEES).map(|i| Trustee {
        name: names[i],
        signing: Bytes(signer(40 + i as u8).public_key()),
        sealing: Bytes(signer(50 + i as u8).public_key()),
    }));
    let ceremony = bytes_of(&Ceremony {
        version: 1,
        id: [7; 32],
        threshold: THRESHOLD as u8,
        trustees: Seq::from_bytes(&trustees),
    });
    let id = hash("ippyo/1/ceremony", &[&ceremony]);
    let signed = |trustee: usize, kind: u8, body: Vec<u8>| {
        let message = [&[kind][..], &body].concat();
        let signature = signer(40 + trustee as u8)
            .sign("ippyo/1/sign/ceremony", &message)
            .unwrap();
        (body, Bytes(signature))
    };
    let coefficients: Vec<Vec<Scalar>> = (0..TRUSTEES)
        .map(|_| (0..THRESHOLD).map(|_| random_scalar(rng).unwrap()).collect())
        .collect();
    let g = ProjectivePoint::GENERATOR;
    let mut reveals = Vec::new();
    let mut commits = Vec::new();
    for (i, polynomial) in coefficients.iter().enumerate() {
        let number = [i as u8 + 1];
        let list: Vec<u8> = polynomial
            .iter()
            .enumerate()
            .flat_map(|(j, a)| {
                let c_ij = encoded(g * a);
                let u = random_scalar(rng).unwrap();
                let label = "ippyo/1/ceremony/knowledge";
                let c = hash_to_scalar(label, &[&id, &number, &[j as u8], &c_ij, &encoded(g * u)]);
                let v = u - c * a;
                [&c_ij[..], &scalar_bytes(&c), &scalar_bytes(&v)].concat()
            })
            .collect();
        let body = [&id[..], &number, &bytes_of(&list.len()), &list].concat();
        let commit = [&id[..], &number, &hash("ippyo/1/ceremony/reveal", &[&body])].concat();
        reveals.push(signed(i, 2, body));
        commits.push(signed(i, 1, commit));
    }
    let joint: ProjectivePoint = coefficients.iter().map(|polynomial| g * polynomial[0]).sum();
    let shares: Vec<Scalar> = (1..=TRUSTEES)
        .map(|l| {
            let l = Scalar::from(l as u64);
            coefficients
                .iter()
                .map(|polynomial| polynomial.iter().rev().fold(Scalar::ZERO, |sum, a| sum * l + a))
                .sum()
        })
        .collect();
    let parts: Vec<&[u8]> = commits.iter().chain(&reveals).map(|(body, _)| &body[..]).collect();
    let transcript = hash("ippyo/1/ceremony/transcript", &parts);
    let accepts: Vec<_> = (0..TRUSTEES)
        .map(|i| signed(i, 4, [&id[..], &[i as u8 + 1], &transcript, &encoded(joint)].concat()))
        .collect();
    let list = |messages: &[(Vec<u8>, Bytes<64>)]| {
        let items = messages.iter().map(|(body, signature)| Signed {
            body,
            signature: *signature,
        });
        let items = seq_of(items);
        [bytes_of(&items.len()), items].concat()
    };
    let keys = seq_of((0..TRUSTEES).map(|i| TrusteeKey {
        name: names[i],
        share: Bytes(encoded(g * shares[i])),
    }));
    Trustees {
        keys: bytes_of(&Keys {
            threshold: THRESHOLD as u8,
            joint: Bytes(encoded(joint)),
            trustees: Seq::from_bytes(&keys),
        }),
        transcript: [
            bytes_of(&ceremony.len()),
            ceremony,
            list(&commits),
            list(&reveals),
            list(&accepts),
        ]
        .concat(),
        joint,
        shares,
    }
}
