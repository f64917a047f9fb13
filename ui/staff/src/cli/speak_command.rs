//! `speak`: renders what an election's screens say.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::print;
use super::station_commands::parse_name;
use crate::problem::{Kind, Outcome, Problem};
use crate::speak::{self, Debian};
use crate::{desk, files, progress};

/// Everything that an election's screens say, as clips for packages
#[derive(Args)]
pub struct Speak {
    /// manifest.bin
    #[arg(long)]
    manifest: PathBuf,
    /// Name of a station, `ja=...,en=...`, as in `package build`; repeat for every station that will use these clips
    #[arg(long = "name", required = true)]
    names: Vec<String>,
    /// Only this language of the panel, for a quick look; repeat. Packages need all of them
    #[arg(long = "lang", value_name = "LANG")]
    languages: Vec<String>,
    /// Dictionary of Open JTalk
    #[arg(long, value_name = "DIR")]
    dictionary: Option<PathBuf>,
    /// Voice of Open JTalk
    #[arg(long, value_name = "FILE")]
    voice: Option<PathBuf>,
    /// Section to write, for `package build --speech`
    #[arg(long)]
    out: PathBuf,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Spoken {
    clips: usize,
    seconds: u32,
    bytes: usize,
    languages: Vec<&'static str>,
    stations: usize,
}

impl Speak {
    pub fn run(self) -> Outcome<()> {
        let bytes = desk::read_manifest(&self.manifest)?;
        let manifest = desk::parse_manifest(&bytes, &self.manifest)?;
        let languages = speak::languages(&self.languages)?;
        let stations = self
            .names
            .iter()
            .map(|name| parse_name(name))
            .collect::<Outcome<Vec<_>>>()?;
        let mut debian = Debian::default();
        if let Some(dictionary) = self.dictionary {
            debian.dictionary = dictionary;
        }
        if let Some(voice) = self.voice {
            debian.voice = voice;
        }
        debian.ready()?;
        let script = speak::script(&manifest, &stations, &languages);
        let rendered = speak::render(&script, &debian, &progress::on_standard_error())?;
        let clips = election::clips::Clips::read(&rendered.section)
            .map_err(|error| Problem::new(Kind::Refused, "speech", error))?;
        for station in &stations {
            speak::check(&manifest, station, &clips, &languages)?;
        }
        files::write(&self.out, &rendered.section)?;
        let report = Spoken {
            clips: rendered.clips,
            seconds: rendered.seconds,
            bytes: rendered.section.len(),
            languages: languages.iter().map(|language| language.tag).collect(),
            stations: stations.len(),
        };
        print(self.json, &report, |report| {
            format!(
                "{} clips, {} s of speech, {} bytes, in {}",
                report.clips,
                report.seconds,
                report.bytes,
                report.languages.join(", ")
            )
        })
    }
}
