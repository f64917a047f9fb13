//! One polling station set up by the desk's commands: election, package, staff and voters with cards, a chain behind a gateway on TCP. What a desk would
//! do by hand, the program `staff` does here, as its user calls it.

use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use card::Slot;
use chacha20::ChaCha20Rng;
use chain::Chain;
use chain::gateway::limits::Limits;
use chain::gateway::server::Server;
use chain::storage::MemoryStorage;
use election::sign::Signer;
use host_sim::cards::{CardAuthority, Chip, Days, JpkiAuthority, VirtualJpki, VirtualPiv};
use rand_core::SeedableRng as _;
use serde_json::Value;

use crate::programs;
use crate::tree;

/// A card that can be put into a reader.
pub type AnyCard = Box<dyn Chip + Send>;

/// Somebody with a card.
pub struct Person {
    /// In the pocket; `None` while it is in a reader.
    pub card: Option<AnyCard>,
    /// Its PIN.
    pub pin: String,
}

/// The station.
pub struct Station {
    /// Everything the desk has.
    pub folder: PathBuf,
    /// The authority's public key, hex.
    pub authority: String,
    /// Two people who may do everything.
    pub staff: Vec<Person>,
    /// Voters on the roll.
    pub voters: Vec<Person>,
    /// Who issues PIV cards.
    pub municipality: CardAuthority,
    /// The signed package.
    pub package: Vec<u8>,
    chain: Arc<Mutex<Chain<MemoryStorage>>>,
    gateway: Server,
}

/// Randomness that is the same every time.
#[must_use]
pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// Days on which every card of a station is valid.
///
/// # Errors
/// None: these days exist.
pub fn days() -> Result<Days> {
    Ok(Days::new(20_100_101, 20_301_231)?)
}

/// Runs a command of the desk that prints JSON.
///
/// # Errors
/// It refuses, or prints something else.
pub fn desk(arguments: &[&str]) -> Result<Value> {
    let said = programs::run("staff", arguments)?;
    ensure!(said.code == Some(0), "staff {arguments:?}: {}", said.err);
    if said.out.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&said.out).with_context(|| format!("staff {arguments:?}: {}", said.out))
}

impl Station {
    /// Sets one up in `folder`: so many voters with municipal PIV cards, then so many with My Number cards, all of the ballot style `style`.
    ///
    /// # Errors
    /// As the desk's commands.
    pub fn new(folder: &Path, election: &str, style: &str, piv: usize, jpki: usize) -> Result<Self> {
        let at = |name: &str| folder.join(name).display().to_string();
        let definition = tree::root().join(format!("host-sim/elections/{election}.json"));
        let definition = definition.display().to_string();
        desk(&["import", &definition, "--out", &at("manifest.bin"), "--json"])?;
        desk(&["ceremony", "local", "--out", &at("ceremony"), "--json"])?;
        let authority = desk(&["authority", "new", "--out", &at("authority.key"), "--json"])?;
        let authority = authority["public_key"].as_str().context("no key")?.to_owned();
        desk(&["secret", "new", "--out", &at("election.secret")])?;

        let (people, issuers) = cards(folder, style, piv, jpki)?;
        let validators: Vec<Signer> = (0..4).map(|seed| Signer::generate(&mut rng(900 + seed))).collect();
        let list: Vec<String> = validators.iter().map(|key| hex::encode(key.public_key())).collect();
        fs::write(folder.join("validators.txt"), list.join("\n"))?;
        let keys = at("ceremony/shared/keys.bin");
        let (manifest, genesis, roll) = (at("manifest.bin"), at("genesis.bin"), at("roll.bin"));
        desk(&[
            "genesis",
            "--manifest",
            &manifest,
            "--keys",
            &keys,
            "--staff",
            &at("staff.csv"),
            "--validators",
            &at("validators.txt"),
            "--out",
            &genesis,
            "--json",
        ])?;
        desk(&[
            "roll",
            "build",
            &at("roll.csv"),
            "--manifest",
            &manifest,
            "--out",
            &roll,
            "--json",
        ])?;
        let mut call = vec![
            "package",
            "build",
            "--manifest",
            &manifest,
            "--keys",
            &keys,
            "--genesis",
            &genesis,
            "--station",
            "1",
            "--name",
            "ja=第1投票所,en=Polling station 1",
            "--roll",
            &roll,
            "--json",
        ];
        let (secret, key, out) = (at("election.secret"), at("authority.key"), at("package-1.bin"));
        call.extend(["--secret", &secret, "--authority", &key, "--out", &out]);
        for issuer in &issuers.certificates {
            call.extend(["--card-authority", issuer]);
        }
        desk(&call)?;
        let (package, genesis) = (fs::read(&out)?, fs::read(&genesis)?);

        let chain = Chain::in_memory(&genesis, validators).map_err(|error| anyhow::anyhow!("the chain: {error}"))?;
        let chain = Arc::new(Mutex::new(chain));
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let gateway = Server::start(listener, chain.clone(), Limits::default())?;
        let (staff, voters) = people;
        Ok(Self {
            folder: folder.to_path_buf(),
            authority,
            staff,
            voters,
            municipality: issuers.municipality,
            package,
            chain,
            gateway,
        })
    }

    /// Where the validators' gateway is.
    #[must_use]
    pub fn gateway(&self) -> String {
        self.gateway.address().to_string()
    }

    /// Height of the chain, and its bytes as the desk counts from them.
    ///
    /// # Errors
    /// The chain's storage fails.
    pub fn chain(&self) -> Result<(u64, Vec<u8>)> {
        let mut chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        let height = chain.ledger().height();
        let bytes = chain.export().map_err(|error| anyhow::anyhow!("the chain: {error}"))?;
        Ok((height, bytes))
    }

    /// What the desk does with a kiosk's registration: a pair of media into the two folders, and E sealed to the kiosk.
    ///
    /// # Errors
    /// As the desk's commands.
    pub fn provision(&self, registration: &Path, media: [&Path; 2], secret: &Path, votes: u32) -> Result<()> {
        let at = |name: &str| self.folder.join(name).display().to_string();
        let [registration, original, duplicate, out] =
            [registration, media[0], media[1], secret].map(|path| path.display().to_string());
        let package = at("package-1.bin");
        let kiosk = [
            "--registration",
            &registration,
            "--package",
            &package,
            "--authority",
            &self.authority,
        ];
        // The secret first: a kiosk that finds its media goes on at once.
        let mut seal = vec!["provision"];
        seal.extend(kiosk);
        let e = at("election.secret");
        seal.extend(["--secret", &e, "--out", &out, "--json"]);
        desk(&seal)?;
        let mut prepare = vec!["media"];
        prepare.extend(kiosk);
        let votes = votes.to_string();
        prepare.extend([
            "--votes",
            &votes,
            "--challenges",
            "8",
            "--original",
            &original,
            "--duplicate",
            &duplicate,
            "--json",
        ]);
        desk(&prepare)?;
        Ok(())
    }

    /// Counts: media and words in, a record out; what the desk reports.
    ///
    /// # Errors
    /// As `staff tally`.
    pub fn tally(&self, media: [&Path; 2], closing: &str, record: &Path) -> Result<Value> {
        let at = |name: &str| self.folder.join(name).display().to_string();
        fs::write(self.folder.join("chain.bin"), self.chain()?.1)?;
        let pair = format!("{},{}", media[0].display(), media[1].display());
        let names = [
            "manifest.bin",
            "ceremony/shared/keys.bin",
            "ceremony/shared/ceremony.bin",
            "genesis.bin",
            "chain.bin",
            "authority.key",
            "election.secret",
            "ceremony/trustee-1",
            "ceremony/trustee-3",
        ];
        let [
            manifest,
            keys,
            ceremony,
            genesis,
            chain,
            authority,
            secret,
            first,
            third,
        ] = names.map(at);
        let record = record.display().to_string();
        desk(&[
            "tally",
            "--manifest",
            &manifest,
            "--keys",
            &keys,
            "--ceremony",
            &ceremony,
            "--genesis",
            &genesis,
            "--chain",
            &chain,
            "--media",
            &pair,
            "--authority",
            &authority,
            "--secret",
            &secret,
            "--trustee",
            &first,
            "--trustee",
            &third,
            "--closing",
            closing,
            "--out",
            &record,
            "--json",
        ])
    }
}

struct Issuers {
    municipality: CardAuthority,
    /// Paths of all issuers' certificates.
    certificates: Vec<String>,
}

type People = (Vec<Person>, Vec<Person>);

/// Issues cards, and writes the tables that the desk reads: staff.csv, roll.csv, certificates.
fn cards(folder: &Path, style: &str, piv: usize, jpki: usize) -> Result<(People, Issuers)> {
    let municipality = CardAuthority::new("Ippyo tests: municipality", days()?, &mut rng(1))?;
    let mut certificates = vec![write(folder, "municipality.der", municipality.certificate())?];
    let mut table = String::from("key,roles,name\n");
    let mut staff = Vec::new();
    for (number, name) in (1_u64..).zip(["投票管理者", "投票立会人"]) {
        let pin = format!("11000{number}");
        let card: VirtualPiv = municipality.issue_staff(name, &pin, days()?, &mut rng(100 + number))?;
        let path = write(
            folder,
            &format!("staff-{number}.der"),
            card.certificate(Slot::Authentication),
        )?;
        writeln!(table, "{path},polls+provision,{name}")?;
        staff.push(Person {
            card: Some(Box::new(card)),
            pin,
        });
    }
    fs::write(folder.join("staff.csv"), table)?;
    let mut table = String::from("key,style\n");
    let mut voters = Vec::new();
    for number in 0..piv {
        let pin = format!("22{number:04}");
        let card = municipality.issue_voter(&pin, days()?, &mut rng(1_000 + number as u64))?;
        let path = write(
            folder,
            &format!("voter-{number}.der"),
            card.certificate(Slot::KeyManagement),
        )?;
        writeln!(table, "{path},{style}")?;
        voters.push(Person {
            card: Some(Box::new(card)),
            pin,
        });
    }
    if jpki > 0 {
        let ministry = JpkiAuthority::new("Ippyo tests: ministry", days()?, &mut rng(2))?;
        certificates.push(write(folder, "ministry.der", ministry.certificate())?);
        for number in 0..jpki {
            let pin = format!("33{number:02}");
            let card: VirtualJpki = ministry.issue(&pin, days()?, &mut rng(2_000 + number as u64))?;
            let path = write(folder, &format!("my-number-{number}.der"), card.certificate())?;
            writeln!(table, "{path},{style}")?;
            voters.push(Person {
                card: Some(Box::new(card)),
                pin,
            });
        }
    }
    fs::write(folder.join("roll.csv"), table)?;
    Ok((
        (staff, voters),
        Issuers {
            municipality,
            certificates,
        },
    ))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<String> {
    let path = folder.join(name);
    fs::write(&path, bytes)?;
    Ok(path.display().to_string())
}
