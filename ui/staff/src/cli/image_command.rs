//! `image`: updates of kiosks' software, from a built image to an exchange drive.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::print;
use crate::problem::{Kind, Outcome, Problem};
use crate::{image, keyfile};

/// `image`.
#[derive(Subcommand)]
pub enum ImageCommand {
    /// Signs a built image and puts it onto an exchange drive, for kiosks before opening
    Sign(Sign),
    /// Says what image is on a drive, and whether kiosks of this authority would take it
    Show(Show),
}

/// `image sign`.
#[derive(Args)]
#[command(
    after_help = "Writes update/image.bin, root.squashfs, root.tree and kiosk.efi on the drive. The drive's label has to be IPPYO-EXCH. \
                        Exit code 0: written. 1: the files do not belong together, or are another software than --software says. 2: they \
                        could not be read, or the drive not written."
)]
pub struct Sign {
    /// Folder of the built image (`firmware/linux/image/build --out`)
    #[arg(long)]
    image: PathBuf,
    /// The authority's secret key
    #[arg(long)]
    authority: PathBuf,
    /// The software hash that a second person has built or checked; another one is refused
    #[arg(long)]
    software: String,
    /// The drive's folder
    #[arg(long)]
    out: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

/// `image show`.
#[derive(Args)]
#[command(
    after_help = "Exit code 0: the image is whole and signed by this authority. 1: it is not. 2: it could not be read."
)]
pub struct Show {
    /// The drive's folder
    drive: PathBuf,
    /// The authority's public key in hex, as `authority new` prints it
    #[arg(long)]
    authority: String,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

impl ImageCommand {
    pub fn run(self) -> Outcome<()> {
        let (json, shown) = match self {
            Self::Sign(command) => (command.json, command.sign()?),
            Self::Show(command) => {
                let authority = keyfile::parse_public(&command.authority, "--authority")?;
                (command.json, image::show(&command.drive, &authority)?)
            }
        };
        print(json, &shown, |shown| {
            format!(
                "version {}\nsoftware {}\nimage    {}\n{} bytes\n",
                shown.version,
                hex::encode(shown.software),
                hex::encode(shown.image),
                shown.bytes
            )
        })
    }
}

impl Sign {
    fn sign(self) -> Outcome<image::Shown> {
        let built = image::read(&self.image)?;
        let software = hex::encode(built.image.root);
        let wanted = &self.software;
        if wanted.trim().to_lowercase() != software {
            return Err(Problem::new(
                Kind::Refused,
                self.image.display(),
                format!("is the software {software}, not {wanted}"),
            ));
        }
        let authority = keyfile::read_signer(&self.authority)?;
        image::sign(&built, &authority, &self.out)
    }
}
