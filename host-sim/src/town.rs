//! The municipal office: issues cards to voters and staff and writes the roll from them.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use card::{Pin, Piv, Slot};
use election::hash::Digest;
use election::ledger::role;
use election::manifest::CheckedManifest;
use election::record::{LABEL_RECEPTION, ReceptionCount};
use election::sign::{PublicKey, prehash};
use staff::genesis::Staff;
use staff::roll::{self, Roll};

use crate::cards::{CardAuthority, Days, JpkiAuthority, Profiles, SharedPrimes, VirtualCard, VirtualPiv};
use crate::voters::plan::{CardKind, Citizen};
use crate::voters::staff::{Badge, Crew};
use crate::world::reader::Card;
use crate::world::seed::{Draw as _, Seed};

/// Most pairs of staff: the roster of a ledger has room for 256 cards. From here on pairs walk between stations.
const PAIRS: u16 = 100;

/// A staff card and who holds it.
pub struct Official {
    /// The card.
    pub chip: Rc<RefCell<VirtualPiv>>,
    /// Its PIN.
    pub pin: String,
    /// For the genesis.
    pub entry: Staff,
}

/// A voter's card with its PIN.
pub struct Issued {
    /// The card.
    pub card: Card,
    /// Its PIN.
    pub pin: String,
    /// The card's key, hex: what stands in the roll's table.
    key: String,
}

/// The office.
pub struct Town {
    /// Certificates of those who issue cards, DER.
    pub certificates: Vec<Vec<u8>>,
    /// Pairs of staff who may do everything: one a station, up to [`PAIRS`].
    pub officials: Vec<[Official; 2]>,
    /// A card for everybody in the plan.
    pub cards: Vec<Issued>,
}

impl Town {
    /// Issues all cards, valid on the days of the election but for those that have run out.
    ///
    /// # Errors
    /// If the election's days leave no room for certificates.
    pub fn new(
        manifest: &CheckedManifest<'_>,
        plan: &[Citizen],
        stations: u16,
        profiles: Profiles,
        seed: Seed,
        mut each: impl FnMut(),
    ) -> Result<Self> {
        let mut rng = seed.rng("card authority", 0);
        let year = |day: u32, years: i64| -> Result<u32> {
            // The 28th exists in every year.
            let day = if day % 10_000 == 229 { day - 1 } else { day };
            Ok(u32::try_from(i64::from(day) + years * 10_000)?)
        };
        let (first, last) = (manifest.first_day, manifest.last_day);
        let long = Days::new(year(first, -20)?, year(last, 10)?)?;
        let valid = Days::new(year(first, -4)?, year(last, 5)?)?;
        let expired = Days::new(year(first, -12)?, year(first, -1)?)?;
        let authority = CardAuthority::new("Ippyo simulator: test cards", long, &mut rng)?;
        let mut official = |name: String| -> Result<Official> {
            let pin = pin(&mut rng);
            let chip = authority.issue_staff(&name, &pin, valid, &mut rng)?;
            Ok(Official {
                entry: Staff {
                    key: signing_key(&chip)?,
                    roles: role::POLLS | role::PROVISIONS,
                    name,
                },
                chip: Rc::new(RefCell::new(chip)),
                pin,
            })
        };
        let officials = (1..=stations.min(PAIRS))
            .map(|pair| {
                Ok([
                    official(format!("投票管理者 {pair}"))?,
                    official(format!("投票立会人 {pair}"))?,
                ])
            })
            .collect::<Result<_>>()?;
        let mut certificates = vec![authority.certificate().to_vec()];
        // The ministry issues My Number cards, where there are any.
        let mut ministry = None;
        let wanted = profiles.jpki_of(plan.len());
        if wanted > 0 {
            let mut rng = seed.rng("jpki authority", 0);
            let issuer = JpkiAuthority::new("Ippyo simulator: test My Number cards", long, &mut rng)?;
            certificates.push(issuer.certificate().to_vec());
            ministry = Some((issuer, SharedPrimes::new(wanted, &mut rng)?));
        }
        let mut cards = Vec::with_capacity(plan.len());
        for (number, citizen) in plan.iter().enumerate() {
            let mut rng = seed.rng("voter card", number as u64);
            let days = if citizen.card == CardKind::Expired {
                expired
            } else {
                valid
            };
            let (pin, chip): (String, VirtualCard) = match &mut ministry {
                Some((issuer, primes)) if profiles.jpki(number) => {
                    let pin = format!("{:04}", rng.below(10_000));
                    let chip = issuer.issue_for(primes.key()?, &pin, days, &mut rng)?;
                    (pin, chip.into())
                }
                _ => {
                    let pin = pin(&mut rng);
                    let chip = authority.issue_voter(&pin, days, &mut rng)?;
                    (pin, chip.into())
                }
            };
            let key = chip.roll_key().context("a card without a key")?;
            cards.push(Issued {
                key: hex::encode(key.as_bytes()),
                card: Card::new(chip),
                pin,
            });
            each();
        }
        Ok(Self {
            certificates,
            officials,
            cards,
        })
    }

    /// The roll of the whole municipality, through the desk's own table.
    ///
    /// # Errors
    /// As [`roll::parse_csv`].
    pub fn roll(&self, manifest: &CheckedManifest<'_>, plan: &[Citizen]) -> Result<Roll> {
        let mut table = String::from("key,style\n");
        for (citizen, card) in plan.iter().zip(&self.cards) {
            if citizen.card != CardKind::NotOnRoll {
                let style = manifest
                    .style(citizen.style)
                    .context("the plan has a style that is not there")?;
                writeln!(table, "{},{}", card.key, style.id)?;
            }
        }
        Ok(roll::parse_csv(table.as_bytes(), Path::new("."), manifest)?)
    }

    /// The pairs of staff with their cards in hand.
    #[must_use]
    pub fn crews(&self) -> Vec<Rc<Crew>> {
        self.officials
            .iter()
            .map(|pair| {
                Rc::new(Crew::new(pair.each_ref().map(|official| Badge {
                    card: Card::shared(official.chip.clone()),
                    pin: official.pin.clone(),
                })))
            })
            .collect()
    }

    /// The roster for the genesis.
    #[must_use]
    pub fn roster(&self) -> Vec<Staff> {
        self.officials
            .iter()
            .flatten()
            .map(|official| official.entry.clone())
            .collect()
    }

    /// `reception.json`: how many were let in, by station and epoch, signed by the first official's card.
    ///
    /// # Errors
    /// If the card does not sign.
    pub fn reception(&self, election: &Digest, counts: impl Iterator<Item = ((u16, u8), u32)>) -> Result<Vec<u8>> {
        let official = &self.officials[0][0];
        let key = official.entry.key;
        let mut list = Vec::new();
        for ((station, epoch), admissions) in counts {
            let message = ReceptionCount::message(election, station, epoch, admissions);
            let signature = sign(official, &prehash(LABEL_RECEPTION, &key, &message))?;
            list.push(ReceptionCount {
                station,
                epoch,
                admissions,
                key,
                signature,
            });
        }
        Ok(staff::reception::to_json(&list)?)
    }
}

fn sign(official: &Official, hash: &Digest) -> Result<[u8; 64]> {
    let mut chip = official.chip.borrow_mut();
    embassy_futures::block_on(async {
        let failed = |error| anyhow::anyhow!("the staff card does not sign: {error}");
        let mut piv = Piv::select(&mut *chip).await.map_err(failed)?;
        let pin = Pin::new(official.pin.as_bytes()).map_err(|error| anyhow::anyhow!("{error}"))?;
        piv.verify(&pin).await.map_err(failed)?;
        let signature = piv.sign(hash).await.map_err(failed)?;
        piv.forget().await.map_err(failed)?;
        Ok(signature)
    })
}

fn signing_key(chip: &VirtualPiv) -> Result<PublicKey> {
    chip.public_key(Slot::Authentication)
        .context("a card without a key")?
        .as_bytes()
        .try_into()
        .context("not a P-256 key")
}

/// Six digits.
fn pin(rng: &mut chacha20::ChaCha20Rng) -> String {
    format!("{:06}", rng.below(1_000_000))
}
