//! `line`: what an exchange drive is to other kiosks, for one that has only a serial line.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use kiosk::ports::Item;
use serde::Serialize;

use super::print;
use crate::problem::Outcome;
use crate::{files, line};

/// Longest file that is sent.
const LONGEST: u64 = 65_536;

/// `line`.
#[derive(Args)]
#[command(
    after_help = "Hold the kiosk's service button while it starts. Exit code 0: done. 1: the kiosk refuses. 2: nobody answers, or a file cannot be \
                        read or written."
)]
pub struct Line {
    /// Serial port, such as /dev/ttyACM0
    #[arg(long)]
    port: String,
    /// Report as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Asks which station's kiosk is there
    Who,
    /// Fetches what the kiosk made for the desk
    Get {
        /// What
        #[arg(value_enum)]
        item: Out,
        /// File to write
        #[arg(long)]
        out: PathBuf,
    },
    /// Gives the kiosk what the desk made for it
    Put {
        /// What
        #[arg(value_enum)]
        item: In,
        /// The file
        file: PathBuf,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Out {
    /// What the desk needs to register it
    Request,
    /// Its registration, signed by two staff cards
    Registration,
}

#[derive(Clone, Copy, ValueEnum)]
enum In {
    /// The election secret sealed to it (`provision`)
    Secret,
    /// A signed change of the roll
    Delta,
}

#[derive(Serialize)]
struct Said {
    station: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
}

impl Line {
    pub fn run(self) -> Outcome<()> {
        let mut desk = line::Desk::new(line::open(&self.port)?, &self.port);
        let station = desk.station()?;
        let bytes = match &self.what {
            What::Who => None,
            What::Get { item, out } => {
                let item = match item {
                    Out::Request => Item::Request,
                    Out::Registration => Item::Registration,
                };
                let bytes = desk.get(item)?;
                files::write(out, &bytes)?;
                Some(bytes.len())
            }
            What::Put { item, file } => {
                let item = match item {
                    In::Secret => Item::Secret,
                    In::Delta => Item::Delta,
                };
                let bytes = files::read(file, LONGEST)?;
                desk.put(item, &bytes)?;
                Some(bytes.len())
            }
        };
        print(self.json, &Said { station, bytes }, |said| match said.bytes {
            Some(bytes) => format!("kiosk of station {}: {bytes} bytes\n", said.station),
            None => format!("kiosk of station {}\n", said.station),
        })
    }
}
