//! What the cryptographic tests share: an election with a known key, and a prover of its own.
//!
//! The prover is written from SPEC.md, section 4, not from the crate: it can also lie, which the crate's cannot.
#![allow(dead_code, reason = "each test file uses its part")]

use chacha20::ChaCha20Rng;
use election::ballot::{ContestShape, Election, Layout, Secret};
use election::group::{Point, ProjectivePoint, Scalar, random_scalar};
use election::hash::{Digest, hash_to_scalar};
use election::table::Table6;
use rand_core::SeedableRng as _;

pub fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub fn point(p: ProjectivePoint) -> Point {
    Point::from_projective(&p).unwrap()
}

pub const fn shape(contest: u16, options: u8, votes: u8) -> ContestShape {
    ContestShape {
        contest,
        options,
        votes,
    }
}

/// Choose 1 of 5, 3 of 7, yes or not, 15 of 60.
pub const SHAPES: [ContestShape; 4] = [shape(0, 5, 1), shape(3, 7, 3), shape(9, 1, 1), shape(200, 60, 15)];
/// Without the largest contest.
pub const SMALL: [ContestShape; 3] = [shape(0, 5, 1), shape(3, 7, 3), shape(9, 1, 1)];
/// The smallest style there is.
pub const TINY: [ContestShape; 1] = [shape(0, 2, 1)];

pub struct World {
    pub secret: Scalar,
    pub joint: Point,
    pub hash: Digest,
    g: Box<Table6>,
    k: Box<Table6>,
}

impl World {
    pub fn new(seed: u8) -> Self {
        let secret = random_scalar(&mut rng(seed)).unwrap();
        let joint = point(ProjectivePoint::GENERATOR * secret);
        Self::with_key(secret, joint, [seed; 32])
    }

    pub fn with_key(secret: Scalar, joint: Point, hash: Digest) -> Self {
        Self {
            secret,
            joint,
            hash,
            g: Box::new(Table6::new(&Point::GENERATOR)),
            k: Box::new(Table6::new(&joint)),
        }
    }

    pub fn election(&self) -> Election<'_> {
        self.election_with(self.hash)
    }

    pub fn election_with(&self, hash: Digest) -> Election<'_> {
        Election::new(hash, self.g.get().unwrap(), self.k.get().unwrap()).unwrap()
    }

    /// The vote in a ciphertext, by the secret key: 0..=15.
    pub fn decrypt(&self, alpha: &[u8; 33], beta: &[u8; 33]) -> Option<u8> {
        let (alpha, beta) = (Point::from_bytes(alpha).unwrap(), Point::from_bytes(beta).unwrap());
        let message = beta.projective() - alpha.projective() * self.secret;
        (0..=15).find(|vote| self.joint.projective() * Scalar::from(u32::from(*vote)) == message)
    }
}

pub fn no_secrets(count: usize) -> Vec<Secret> {
    (0..count).map(|_| Secret::EMPTY).collect()
}

/// A ballot with its code and secrets.
pub struct Cast {
    pub bytes: Vec<u8>,
    pub code: Digest,
    pub secrets: Vec<Secret>,
}

pub fn cast(world: &World, station: u16, layout: &Layout<'_>, choices: &[u64], seed: u8) -> Cast {
    let mut bytes = vec![0; layout.ballot_len()];
    let mut secrets = no_secrets(layout.selections());
    let code = election::ballot::encrypt(
        &world.election(),
        station,
        layout,
        choices,
        &mut rng(seed),
        &mut bytes,
        &mut secrets,
    )
    .unwrap();
    Cast { bytes, code, secrets }
}

/// A prover that encrypts whatever integers it is given and proves as if the votes were `claimed` (0 or 1 each) and
/// their sum n.
pub struct Prover<'w> {
    pub world: &'w World,
    pub style: u16,
    pub id: [u8; 32],
    pub rng: ChaCha20Rng,
}

impl Prover<'_> {
    pub fn header(&self) -> Vec<u8> {
        [&[1][..], &self.style.to_be_bytes(), &self.id].concat()
    }

    pub fn contest(&mut self, shape: &ContestShape, votes: &[Scalar], claimed: &[bool]) -> Vec<u8> {
        let (g, k) = (ProjectivePoint::GENERATOR, self.world.joint.projective());
        let mut draw = || random_scalar(&mut self.rng).unwrap();
        let mut out = Vec::new();
        let (mut sum_r, mut sum_a, mut sum_b) = (Scalar::ZERO, ProjectivePoint::IDENTITY, ProjectivePoint::IDENTITY);
        for (index, (vote, claim)) in votes.iter().zip(claimed).enumerate() {
            let (r, u, w, x) = (draw(), draw(), draw(), draw());
            let (alpha, beta) = (g * r, k * (*vote + r));
            let (real, other) = ((g * u, k * u), (g * w, k * x));
            let c_other = if *claim { x - w } else { w - x };
            let v_other = w - c_other * r;
            let [(a0, b0), (a1, b1)] = if *claim { [other, real] } else { [real, other] };
            let points: Vec<[u8; 33]> = [alpha, beta, a0, b0, a1, b1].map(|p| point(p).to_bytes()).to_vec();
            let c = hash_to_scalar(
                "ippyo/1/ballot/selection",
                &[
                    &self.world.hash,
                    &self.id,
                    &self.style.to_be_bytes(),
                    &shape.contest.to_be_bytes(),
                    &[u8::try_from(index).unwrap()],
                    &points[0],
                    &points[1],
                    &points[2],
                    &points[3],
                    &points[4],
                    &points[5],
                ],
            );
            let c_real = c - c_other;
            let v_real = u - c_real * r;
            let (c0, v0, v1) = if *claim {
                (c_other, v_other, v_real)
            } else {
                (c_real, v_real, v_other)
            };
            points.iter().for_each(|p| out.extend(p));
            [c0, v0, v1].iter().for_each(|s| out.extend(s.to_bytes()));
            sum_r += r;
            sum_a += alpha;
            sum_b += beta;
        }
        let u = draw();
        let [a, b] = [g * u, k * u].map(|p| point(p).to_bytes());
        let c = hash_to_scalar(
            "ippyo/1/ballot/sum",
            &[
                &self.world.hash,
                &self.id,
                &self.style.to_be_bytes(),
                &shape.contest.to_be_bytes(),
                &[shape.votes],
                &point(sum_a).to_bytes(),
                &point(sum_b).to_bytes(),
                &a,
                &b,
            ],
        );
        out.extend(a);
        out.extend(b);
        out.extend((u - c * sum_r).to_bytes());
        out
    }
}

/// Trustees with their keys, and what they send in an honest ceremony.
pub mod trustees {
    use election::ceremony::{
        Ceremony, Commits, Dealer, Kind, MAX_SIGNED_LEN, Outcome, Reveals, Setup, Share, Trustee, own_share,
    };
    use election::seal::SealingSecret;
    use election::sign::Signer;
    use election::signed::Signed;
    use election::tally::TrusteeSecret;
    use election::wire::{self, Bytes, Seq};

    pub type Message = Vec<u8>;

    pub fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
        let mut out = vec![0; 20_000];
        wire::encode(value, &mut out).unwrap().to_vec()
    }

    pub fn signed(message: &Message) -> Signed<'_> {
        wire::decode(message).unwrap()
    }

    pub fn all(messages: &[Message]) -> Vec<Signed<'_>> {
        messages.iter().map(signed).collect()
    }

    pub struct Trustees {
        pub bytes: Vec<u8>,
        pub signers: Vec<Signer>,
        pub sealers: Vec<SealingSecret>,
    }

    impl Trustees {
        pub fn new(k: u8, n: u8, seed: u8) -> Self {
            let mut rng = super::rng(seed);
            let signers: Vec<_> = (0..n).map(|_| Signer::generate(&mut rng)).collect();
            let sealers: Vec<_> = (0..n).map(|_| SealingSecret::generate(&mut rng).unwrap()).collect();
            let mut list = Vec::new();
            for (index, (signer, sealer)) in signers.iter().zip(&sealers).enumerate() {
                list.extend(encoded(&Trustee {
                    name: &format!("Trustee {}", index + 1),
                    signing: Bytes(signer.public_key()),
                    sealing: Bytes(sealer.public_key()),
                }));
            }
            let bytes = encoded(&Ceremony {
                version: 1,
                id: [seed; 32],
                threshold: k,
                trustees: Seq::from_bytes(&list),
            });
            Self {
                bytes,
                signers,
                sealers,
            }
        }

        pub fn setup(&self) -> Setup<'_> {
            Setup::read(&self.bytes).unwrap()
        }

        /// What trustee `l` would send with this body, by its own key: for attacks.
        pub fn forge<T: serde::Serialize>(&self, l: usize, kind: Kind, body: &T) -> Message {
            let body = encoded(body);
            let message = [&[kind as u8][..], &body].concat();
            encoded(&Signed {
                body: &body,
                signature: Bytes(self.signers[l - 1].sign("ippyo/1/sign/ceremony", &message).unwrap()),
            })
        }

        pub fn dealers(&self, seed: u8) -> Vec<Dealer> {
            let setup = self.setup();
            let mut rng = super::rng(seed);
            (1..=setup.count())
                .map(|me| Dealer::generate(&setup, me, &mut rng).unwrap())
                .collect()
        }

        pub fn commits(&self, dealers: &[Dealer]) -> Vec<Message> {
            self.each(dealers, |dealer, signer, out| {
                dealer.commit(&self.setup(), signer, out).unwrap().to_vec()
            })
        }

        pub fn reveals(&self, dealers: &[Dealer], commits: &[Message]) -> Vec<Message> {
            let setup = self.setup();
            let commits = Commits::collect(&setup, all(commits)).unwrap();
            self.each(dealers, |dealer, signer, out| {
                dealer.reveal(&setup, &commits, signer, out).unwrap().to_vec()
            })
        }

        fn each(
            &self,
            dealers: &[Dealer],
            mut send: impl FnMut(&Dealer, &Signer, &mut [u8]) -> Message,
        ) -> Vec<Message> {
            dealers
                .iter()
                .zip(&self.signers)
                .map(|(dealer, signer)| send(dealer, signer, &mut [0; MAX_SIGNED_LEN]))
                .collect()
        }

        pub fn run(&self, seed: u8) -> Run {
            let setup = self.setup();
            let dealers = self.dealers(seed);
            let commits = self.commits(&dealers);
            let reveals = self.reveals(&dealers, &commits);
            let (outcome, secrets, accepts) = {
                let commits = Commits::collect(&setup, all(&commits)).unwrap();
                let reveals = Reveals::collect(&setup, &commits, all(&reveals)).unwrap();
                let outcome = Outcome::new(&setup, &commits, &reveals).unwrap();
                let mut rng = super::rng(seed ^ 255);
                let mut secrets = Vec::new();
                for dealer in &dealers {
                    let me = dealer.trustee();
                    let mut shares = Vec::new();
                    for from in dealers.iter().filter(|from| from.trustee() != me) {
                        let signer = &self.signers[usize::from(from.trustee()) - 1];
                        let mut out = [0; MAX_SIGNED_LEN];
                        let message = from
                            .share(&setup, &reveals, me, signer, &mut rng, &mut out)
                            .unwrap()
                            .to_vec();
                        let key = &self.sealers[usize::from(me) - 1];
                        shares.push(Share::open(&setup, &reveals, me, key, &signed(&message)).unwrap());
                    }
                    secrets.push(own_share(&setup, &outcome, dealer, &shares).unwrap());
                }
                let accepts = self.each(&dealers, |dealer, signer, out| {
                    let secret = &secrets[usize::from(dealer.trustee()) - 1];
                    dealer.accept(&setup, &outcome, secret, signer, out).unwrap().to_vec()
                });
                (outcome, secrets, accepts)
            };
            Run {
                commits,
                reveals,
                accepts,
                dealers,
                secrets,
                outcome,
            }
        }
    }

    pub struct Run {
        pub commits: Vec<Message>,
        pub reveals: Vec<Message>,
        pub accepts: Vec<Message>,
        pub dealers: Vec<Dealer>,
        pub secrets: Vec<TrusteeSecret>,
        pub outcome: Outcome,
    }

    impl Run {
        pub fn transcript(&self, trustees: &Trustees) -> Vec<u8> {
            let (commits, reveals, accepts) = (self.commits.concat(), self.reveals.concat(), self.accepts.concat());
            encoded(&election::ceremony::Transcript {
                ceremony: &trustees.bytes,
                commits: Seq::from_bytes(&commits),
                reveals: Seq::from_bytes(&reveals),
                accepts: Seq::from_bytes(&accepts),
            })
        }

        pub fn keys(&self, trustees: &Trustees) -> Vec<u8> {
            let mut buffer = [0; 1000];
            encoded(&election::ceremony::keys(&trustees.setup(), &self.outcome, &mut buffer).unwrap())
        }
    }
}
