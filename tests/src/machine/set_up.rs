//! What stands on the table before the power comes: a station set up by the desk, a machine with its configuration, and the exchange drive
//! with the package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use election::sign::PublicKey;

use super::drive::Drive;
use super::{ADDRESS, Machine, PORTS_TOML, WORLD};
use crate::station::Station;

/// The referendum, and its one ballot style.
const ELECTION: &str = "tsukuba-2015-referendum";
const STYLE: &str = "style-1";
/// Folders of the table: the desk's, what `staff media` makes, what came from the kiosk, what came back in the end.
const FOLDERS: [&str; 5] = ["desk", "original", "duplicate", "came", "back"];

/// All of it.
pub struct SetUp {
    folder: PathBuf,
    /// The station and its people.
    pub station: Station,
    /// Its package.
    pub package: Vec<u8>,
    /// The authority that has signed it.
    pub authority: PublicKey,
    /// The machine, off.
    pub machine: Machine,
    /// The drive with the package.
    pub exchange: Drive,
}

impl SetUp {
    /// In this folder: a station with so many voters of each kind of card, and a machine with the disk of the image in `image`.
    ///
    /// # Errors
    /// A tool is missing, or the image.
    pub fn new(folder: &Path, image: &Path, piv: usize, jpki: usize) -> Result<Self> {
        let at = |name: &str| folder.join(name);
        for name in FOLDERS {
            fs::create_dir(at(name))?;
        }
        let station = Station::new(&at("desk"), ELECTION, STYLE, piv, jpki)?;
        let package = station.package.clone();
        let authority = <PublicKey>::try_from(hex::decode(&station.authority)?)
            .ok()
            .context("a key of another length")?;
        let machine = Machine::new(&at("machine"), &image.join("kiosk.disk"))?;
        configure(&machine.disk(), folder, &station)?;
        let exchange = Drive::new(folder, "exchange", "IPPYO-EXCH", 24)?;
        fs::write(at("package-1.bin"), &package)?;
        exchange.put(&at("package-1.bin"), "package-1.bin")?;
        Ok(Self {
            folder: folder.to_path_buf(),
            station,
            package,
            authority,
            machine,
            exchange,
        })
    }

    /// A place on the table.
    #[must_use]
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// The device configuration of a machine at this station.
///
/// # Errors
/// There is no such partition.
pub fn configure(disk: &Path, folder: &Path, station: &Station) -> Result<()> {
    let authority = &station.authority;
    let gateway = station.gateway();
    let (_, port) = gateway.rsplit_once(':').context("a gateway without a port")?;
    let text = format!(
        "station = 1\nauthority = \"{authority}\"\nstate = \"/state/kiosk\"\nexchange = \"/media/exchange\"\n\
         [panel]\nwidth = 1280\nheight = 800\ndiagonal_mm = 257\n\
         [media]\noriginal = \"/media/original\"\nduplicate = \"/media/duplicate\"\n\
         [randomness]\nsecond = \"/dev/hwrng\"\n[tpm]\ndevice = \"/dev/tpmrm0\"\n\
         [uplink]\ngateways = [\"{WORLD}:{port}\"]\naddress = \"{ADDRESS}\"\n{PORTS_TOML}"
    );
    put_configuration(disk, folder, &text)
}

/// Puts a device configuration where staff put it: on the disk's first partition. `folder` is for the file on its way.
///
/// # Errors
/// There is no such partition.
pub fn put_configuration(disk: &Path, folder: &Path, text: &str) -> Result<()> {
    let file = folder.join("kiosk.toml");
    fs::write(&file, text)?;
    let said = Command::new("mcopy")
        .env("MTOOLS_SKIP_CHECK", "1")
        .args(["-o", "-i", &format!("{}@@1M", disk.display())])
        .arg(&file)
        .arg("::kiosk.toml")
        .status()?;
    ensure!(said.success(), "mcopy");
    Ok(())
}
