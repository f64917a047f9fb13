//! A whole ceremony in memory, with the same messages: for the simulator. Real trustees never share a machine.

use election::ceremony::{
    Ceremony, CeremonyError, Commits, Dealer, MAX_SIGNED_LEN, Outcome as Agreed, Reveals, Setup, Share, Trustee,
    check_accepts, own_share,
};
use election::seal::SealingSecret;
use election::sign::Signer;
use election::tally::TrusteeSecret;
use election::wire::{Bytes, Seq};
use rand_core::CryptoRng;

use super::folder::{Messages, decode_signed, encode, named};
use crate::encode::{seq_of, to_bytes};
use crate::problem::{Kind, Outcome, Problem};

/// The outcome of a ceremony in memory.
pub struct InMemory {
    /// keys.bin.
    pub keys: Vec<u8>,
    /// ceremony.bin.
    pub transcript: Vec<u8>,
    /// The trustees' parts.
    pub secrets: Vec<TrusteeSecret>,
    /// The keys they sign their messages with.
    pub signers: Vec<Signer>,
}

/// A whole ceremony in memory, with the same messages: for the simulator.
///
/// # Errors
/// A name or a threshold that does not hold.
pub fn in_memory<R: CryptoRng + ?Sized>(names: &[&str], threshold: u8, rng: &mut R) -> Outcome<InMemory> {
    let plain = |error: CeremonyError| named(error, None, "ceremony");
    let signers: Vec<Signer> = names.iter().map(|_| Signer::generate(rng)).collect();
    let sealing = names
        .iter()
        .map(|_| SealingSecret::generate(rng).map_err(|error| Problem::new(Kind::Refused, "ceremony", error)))
        .collect::<Outcome<Vec<_>>>()?;
    let list = seq_of(
        names
            .iter()
            .zip(signers.iter().zip(&sealing))
            .map(|(name, (signer, sealing))| Trustee {
                name,
                signing: Bytes(signer.public_key()),
                sealing: Bytes(sealing.public_key()),
            }),
    )?;
    let mut id = [0; 32];
    rng.fill_bytes(&mut id);
    let definition = to_bytes(&Ceremony {
        version: 1,
        id,
        threshold,
        trustees: Seq::from_bytes(&list),
    })?;
    let setup = Setup::read(&definition).map_err(plain)?;
    let dealers = (1..=setup.count())
        .map(|me| Dealer::generate(&setup, me, rng).map_err(plain))
        .collect::<Outcome<Vec<_>>>()?;
    let mut out = [0; MAX_SIGNED_LEN];
    let mut commits = Messages::default();
    for (dealer, signer) in dealers.iter().zip(&signers) {
        commits
            .0
            .push(dealer.commit(&setup, signer, &mut out).map_err(plain)?.to_vec());
    }
    let first = Commits::collect(&setup, commits.signed()?).map_err(plain)?;
    let mut reveals = Messages::default();
    for (dealer, signer) in dealers.iter().zip(&signers) {
        reveals
            .0
            .push(dealer.reveal(&setup, &first, signer, &mut out).map_err(plain)?.to_vec());
    }
    let second = Reveals::collect(&setup, &first, reveals.signed()?).map_err(plain)?;
    let outcome = Agreed::new(&setup, &first, &second).map_err(plain)?;
    let mut accepts = Messages::default();
    let mut secrets = Vec::new();
    for (me, (dealer, (signer, sealing))) in (1u8..).zip(dealers.iter().zip(signers.iter().zip(&sealing))) {
        let mut shares = Vec::new();
        for (sender, signer) in dealers
            .iter()
            .zip(&signers)
            .filter(|(sender, _)| sender.trustee() != me)
        {
            let message = sender
                .share(&setup, &second, me, signer, rng, &mut out)
                .map_err(plain)?
                .to_vec();
            let signed = decode_signed(&message, "share", sender.trustee())?;
            shares.push(Share::open(&setup, &second, me, sealing, &signed).map_err(plain)?);
        }
        let secret = own_share(&setup, &outcome, dealer, &shares).map_err(plain)?;
        accepts.0.push(
            dealer
                .accept(&setup, &outcome, &secret, signer, &mut out)
                .map_err(plain)?
                .to_vec(),
        );
        secrets.push(secret);
    }
    check_accepts(&setup, &outcome, accepts.signed()?).map_err(plain)?;
    let (keys, transcript) = encode(&setup, &outcome, &commits, &reveals, &accepts)?;
    Ok(InMemory {
        keys,
        transcript,
        secrets,
        signers,
    })
}
