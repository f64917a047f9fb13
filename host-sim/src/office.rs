//! The election desk as the simulator uses it: the functions of `staff`, with everything kept in memory.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use chain::Chain;
use election::hash::{Digest, hash};
use election::ledger::Genesis;
use election::ledger::frame::MAX_REPLY;
use election::manifest::{CheckedManifest, election_hash};
use election::sign::{PublicKey, Signer};
use election::tag::ElectionSecret;
use election::tally::TrusteeSecret;
use kiosk::ballot_box::{Label, Layout, Role, format};
use staff::anchor::{AnchorReport, anchor};
use staff::ceremony;
use staff::definition::Texts;
use staff::medium::{BallotBox, Content};
use staff::progress::Progress;
use staff::tally::{self, Tallied};
use staff::{medium, package, provision};

use crate::town::Town;
use crate::validators::{Ledger, Validators};
use crate::world::media::Memory;
use crate::world::seed::{Seed, bytes};

/// Bytes of a medium's sector.
const SECTOR: u32 = 512;
/// The trustees; [`THRESHOLD`] of them decrypt.
const TRUSTEES: [&str; 3] = ["選挙管理委員会", "大学", "監査人"];
const THRESHOLD: u8 = 2;

/// The desk of one election.
pub struct Office<'m> {
    /// The manifest.
    pub manifest: &'m CheckedManifest<'m>,
    /// Election hash.
    pub election: Digest,
    key: ceremony::InMemory,
    genesis: Vec<u8>,
    authority: Signer,
    secret: ElectionSecret,
    seed: Seed,
    #[cfg(feature = "window")]
    pictures: bool,
    /// Fonts for what the panel's own lacks.
    #[cfg(feature = "window")]
    fonts: Vec<std::path::PathBuf>,
    /// What packages say.
    clips: Option<Vec<u8>>,
}

/// Hash of the software that simulated kiosks show: there is no image to be hashed, so it says what it is.
#[must_use]
pub fn software() -> Digest {
    hash("ippyo/1/sim/software", &[env!("CARGO_PKG_VERSION").as_bytes()])
}

/// What a station is called.
#[must_use]
pub fn station_name(manifest: &CheckedManifest<'_>, station: u16) -> Texts {
    manifest
        .languages
        .iter()
        .map_while(Result::ok)
        .map(|language| {
            let name = if language.starts_with("ja") {
                format!("第{station}投票所")
            } else {
                format!("Polling station {station}")
            };
            (language.to_owned(), name)
        })
        .collect()
}

impl<'m> Office<'m> {
    /// Holds the key ceremony, draws the election secret, and writes the genesis of the ledger. Gives the ledger too.
    ///
    /// # Errors
    /// As the desk's functions.
    pub fn new(manifest: &'m CheckedManifest<'m>, town: &Town, validators: u8, seed: Seed) -> Result<(Self, Ledger)> {
        let key = ceremony::in_memory(&TRUSTEES, THRESHOLD, &mut seed.rng("ceremony", 0))?;
        let joint = election::keys::Keys::read(&key.keys)
            .map_err(|error| anyhow::anyhow!("keys.bin: {error}"))?
            .joint
            .0;
        let election = election_hash(manifest.bytes(), &joint);
        let mut rng = seed.rng("validators", 0);
        let validators: Vec<Signer> = (0..validators).map(|_| Signer::generate(&mut rng)).collect();
        let public: Vec<PublicKey> = validators.iter().map(Signer::public_key).collect();
        let genesis = staff::genesis::build(&election, &town.roster(), &public)?;
        let chain = Chain::in_memory(&genesis, validators).map_err(|error| anyhow::anyhow!("the chain: {error}"))?;
        let office = Self {
            manifest,
            election,
            key,
            genesis,
            authority: Signer::generate(&mut seed.rng("authority", 0)),
            secret: ElectionSecret::generate(&mut seed.rng("election secret", 0)),
            seed,
            #[cfg(feature = "window")]
            pictures: false,
            #[cfg(feature = "window")]
            fonts: Vec::new(),
            clips: None,
        };
        Ok((office, Ledger::Embedded(Box::new(chain))))
    }

    /// The same validators as processes of their own, on a consensus engine.
    ///
    /// # Errors
    /// As [`Validators::start`].
    pub fn validators(&self, count: u8) -> Result<Ledger> {
        let mut rng = self.seed.rng("validators", 0);
        let keys: Vec<Signer> = (0..count).map(|_| Signer::generate(&mut rng)).collect();
        Ok(Ledger::Processes(Box::new(Validators::start(&self.genesis, &keys)?)))
    }

    /// Packages have the names of the election as signed pictures, as a town hall's have: where a person looks at the panel.
    #[cfg(feature = "window")]
    #[must_use]
    pub fn with_pictures(mut self) -> Self {
        self.pictures = true;
        self
    }

    /// What the panel's own font lacks is drawn from these, and then from the font of full repertoire if it is installed.
    #[cfg(feature = "window")]
    #[must_use]
    pub fn with_fonts(mut self, fonts: &[std::path::PathBuf]) -> Self {
        self.fonts = fonts.to_vec();
        self
    }

    /// Packages have this speech.
    #[cfg(feature = "window")]
    #[must_use]
    pub fn with_speech(mut self, section: Option<Vec<u8>>) -> Self {
        self.clips = section;
        self
    }

    /// The authority's public key.
    #[must_use]
    pub fn authority(&self) -> PublicKey {
        self.authority.public_key()
    }

    /// The signed package of a station.
    ///
    /// # Errors
    /// As [`package::build`].
    pub fn package(&self, station: u16, serial: u32, roll: &[u8], certificates: &[Vec<u8>]) -> Result<Vec<u8>> {
        let commitment = self.secret.commitment(&self.election);
        let name = station_name(self.manifest, station);
        #[cfg(feature = "window")]
        let drawn = if self.pictures || staff::screens::check(self.manifest, &name, None).is_err() {
            let fallback = staff::screens::Fallback::debian();
            let fonts = staff::screens::Fonts::for_names(&self.fonts, self.manifest, &name, &fallback)?;
            Some(staff::screens::draw(self.manifest, &name, &fonts)?.section)
        } else {
            None
        };
        #[cfg(not(feature = "window"))]
        let drawn: Option<Vec<u8>> = None;
        Ok(package::build(
            &package::Input {
                manifest: self.manifest.bytes(),
                keys: &self.key.keys,
                genesis: &self.genesis,
                secret: &commitment,
                station,
                name: &name,
                roll,
                authorities: certificates,
                serial,
                pictures: drawn.as_deref(),
                clips: self.clips.as_deref(),
            },
            &self.authority,
        )?)
    }

    /// A formatted pair of media for a kiosk and an epoch.
    ///
    /// # Errors
    /// If the election does not fit a medium.
    pub fn media(&self, kiosk: &Digest, station: u16, epoch: u8, votes: u32, spoiled: u32) -> Result<[Memory; 2]> {
        let layout =
            Layout::plan(self.manifest, SECTOR, votes, spoiled).context("this election does not fit a medium")?;
        let pair = bytes(&mut self.seed.rng(&format!("pair {}", hex::encode(kiosk)), u64::from(epoch)));
        let medium = |role: Role| -> Result<Memory> {
            let mut medium = Memory::new(usize::try_from(layout.size())?, SECTOR);
            let label = Label {
                election: self.election,
                kiosk: *kiosk,
                station,
                epoch,
                pair,
                role: role as u8,
                layout,
                takeover: None,
            };
            embassy_futures::block_on(format(&mut medium, &label, &mut [0; SECTOR as usize]))
                .map_err(|error| anyhow::anyhow!("formatting a medium: {error}"))?;
            Ok(medium)
        };
        Ok([medium(Role::Original)?, medium(Role::Duplicate)?])
    }

    /// The election secret sealed to a registered kiosk.
    ///
    /// # Errors
    /// As [`provision::provision`].
    pub fn seal(&self, registration: &[u8], station: u16) -> Result<Vec<u8>> {
        let genesis = Genesis::read(&self.genesis).map_err(|error| anyhow::anyhow!("genesis: {error}"))?;
        let commitment = self.secret.commitment(&self.election);
        let mut rng = self.seed.rng(&format!("sealing {}", hex::encode(registration)), 0);
        let done = provision::provision(&genesis, registration, &self.secret, &commitment, station, &mut rng)?;
        Ok(done.sealed.to_vec())
    }

    /// Reads a medium.
    ///
    /// # Errors
    /// As [`medium::read`].
    pub fn read(&self, medium: &Memory, name: &str) -> staff::Outcome<Content> {
        medium::read(medium.clone(), name, &staff::progress::silent)
    }

    /// Anchors what a medium holds.
    ///
    /// # Errors
    /// As [`anchor`].
    pub fn anchor(&self, content: &Content, registration: &[u8], chain: &mut Ledger) -> Result<AnchorReport> {
        self.anchor_with(content, &[registration.to_vec()], chain)
    }

    /// Anchors what a medium holds; `first` are the registrations of all kiosks that wrote on it.
    ///
    /// # Errors
    /// As [`anchor`].
    pub fn anchor_with(&self, content: &Content, first: &[Vec<u8>], chain: &mut Ledger) -> Result<AnchorReport> {
        let mut gateway = |request: &[u8]| {
            let mut reply = [0; MAX_REPLY];
            Ok(chain.answer(request, &mut reply).to_vec())
        };
        Ok(anchor(
            content,
            first,
            &self.genesis,
            &mut gateway,
            &staff::progress::silent,
        )?)
    }

    /// Tallies, with two of the three trustees, and writes the record.
    ///
    /// # Errors
    /// As [`Office::count`], and what writing gives.
    pub fn tally(&self, input: &TallyInput<'_>, out: &Path, progress: Progress<'_>) -> Result<Tallied> {
        let tallied = self.count(input, progress)?;
        tallied.record.write(out)?;
        Ok(tallied)
    }

    /// Tallies, with two of the three trustees.
    ///
    /// # Errors
    /// As [`tally::prepare`] and [`tally::finish`].
    pub fn count(&self, input: &TallyInput<'_>, progress: Progress<'_>) -> Result<Tallied> {
        let prepared = tally::prepare(
            tally::Input {
                manifest: self.manifest.bytes(),
                keys: &self.key.keys,
                ceremony: &self.key.transcript,
                genesis: &self.genesis,
                chain: input.chain,
                boxes: input.boxes,
                late: input.late,
                words: input.words,
                reception: Some(input.reception),
                reissued: None,
                generated: input.generated,
            },
            progress,
        )?;
        let trustees: Vec<&TrusteeSecret> = self.key.secrets.iter().take(usize::from(THRESHOLD)).collect();
        let mut parts = Vec::new();
        for trustee in trustees {
            let mut rng = self.seed.rng("decryption", u64::from(trustee.trustee()));
            parts.push(tally::decrypt(&prepared, trustee, &mut rng)?);
        }
        Ok(tally::finish(&prepared, &parts, &self.authority, progress)?)
    }
}

/// What comes to the desk after the last epoch.
pub struct TallyInput<'t> {
    /// chain.bin.
    pub chain: &'t [u8],
    /// Closed pairs.
    pub boxes: &'t [BallotBox],
    /// What turned up late.
    pub late: &'t [Content],
    /// Closing words by kiosk id.
    pub words: &'t BTreeMap<Digest, String>,
    /// reception.json.
    pub reception: &'t [u8],
    /// When, RFC 3339.
    pub generated: &'t str,
}
