//! `by-ear`: somebody who sees nothing votes at the real panel, with headphones and three keys, in front of the shipped loop; then polls are closed, the
//! desk counts, and the record is judged. What was heard is a WAV file and a list.

mod recorder;
mod voter;

use std::path::PathBuf;
use std::pin::Pin;
use std::rc::Rc;

use anyhow::{Context as _, Result, ensure};
use election::clips::Clips;
use election::manifest::Manifest;
use kiosk::form::Form;
use kiosk::ports::TooLarge;
use kiosk::screen::{Screen, Touch};
use panel::audio::{Piece, Speech, pieces};
use panel::render::Headless;
use panel::words::{LANGUAGES, Language, Say};
use serde::Serialize;
use staff::import::{Options, import_bytes};
use staff::speak::{self, Debian, Script, Sound, Synthesiser};

use crate::bundled;
use crate::cli::temporary;
use crate::report::{Report, Stages};
use crate::scenario::{BadInput, Scenario};
use crate::screens::Glass;
use crate::stations::attend;
use crate::voters::staff::Task;
use crate::window::setup::Station;
use crate::window::witness::Witness;
use crate::world::booth::{Glass as RealPanel, Noticed};
use crate::world::view::View;

pub use recorder::{Heard, Recorder};
pub use voter::{Diary, Mind, Voter};

/// Somebody who sees nothing votes with headphones and three keys; WAV file, list of clips, verified record
#[derive(Clone, Debug, clap::Args)]
pub struct ByEar {
    /// A bundled election, or a NIST SP 1500-20 ballot definition in JSON
    #[arg(long, value_name = "NAME|FILE", default_value = "kaga-consultation")]
    pub election: String,
    /// The panel, and the language that is heard
    #[command(flatten)]
    pub glass: Glass,
    /// How many voters, each with other wishes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=12))]
    pub voters: u32,
    /// What is heard goes to this WAV file, and the list of clips beside it, ending in .jsonl
    #[arg(long, value_name = "FILE")]
    pub audio: Option<PathBuf>,
    /// Speech that `staff speak` has rendered for this election; without it, it is rendered now, in a minute or two
    #[arg(long, value_name = "FILE", conflicts_with = "hum")]
    pub speech: Option<PathBuf>,
    /// Hums instead of speaking: in a moment, and without the programs that speak
    #[arg(long)]
    pub hum: bool,
    /// Where the election record goes, a new or empty folder; a temporary one otherwise
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// How it went.
#[derive(Debug, Serialize)]
pub struct Told {
    /// What each voter heard and did.
    pub voters: Vec<Diary>,
    /// What each wished.
    pub wishes: Vec<Vec<String>>,
    /// The tracking codes that stood on the screen, for comparison with what was spelled.
    pub codes: Vec<String>,
    /// Bytes of speech in the package.
    pub speech: usize,
    /// The count, and whether it is what they chose.
    pub report: Report,
}

impl Told {
    /// Whether the record verifies and says what the voters wished.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.report.holds()
            && self.voters.len() == self.codes.len()
            && self
                .voters
                .iter()
                .zip(&self.codes)
                .all(|(diary, code)| diary.code == *code)
            && self
                .voters
                .iter()
                .zip(&self.wishes)
                .all(|(diary, wishes)| diary.chosen.len() == wishes.len() && diary.reviewed.len() == wishes.len())
    }
}

/// A tone for each clip: for runs in which only order matters.
struct Hum;

impl Synthesiser for Hum {
    fn speak(&self, piece: &Piece) -> staff::problem::Outcome<Sound> {
        let [first, second, ..] = piece.key().0;
        let period = 40 + usize::from(first % 64);
        let length = 3_200 + usize::from(second) * 4;
        Ok(Sound {
            rate: election::clips::RATE,
            samples: (0..length)
                .map(|at| if at % period < period / 2 { 3_000 } else { -3_000 })
                .collect(),
        })
    }
}

/// What an election's screens say, for the simulator: section and script.
///
/// # Errors
/// As `staff speak`.
pub fn speech(
    scenario: &Scenario,
    stations: u16,
    file: Option<&std::path::Path>,
    hum: bool,
) -> Result<(Vec<u8>, Script)> {
    let imported = import_bytes(&scenario.definition, &Options::default())?;
    let manifest = Manifest::parse(&imported.manifest).map_err(|error| anyhow::anyhow!("the manifest: {error}"))?;
    let names: Vec<_> = (1..=stations)
        .map(|number| crate::office::station_name(&manifest, number))
        .collect();
    let script = speak::script(&manifest, &names, &speak::languages(&[])?);
    let progress = staff::progress::on_standard_error();
    let section = match file {
        Some(path) => staff::files::read(path, election::clips::MAX_SECTION as u64)?,
        None if hum => speak::render(&script, &Hum, &staff::progress::silent)?.section,
        None => {
            let debian = Debian::default();
            debian.ready()?;
            speak::render(&script, &debian, &progress)?.section
        }
    };
    let clips = Clips::read(&section).map_err(|error| BadInput(format!("--speech: {error}")))?;
    for name in &names {
        speak::check(&manifest, name, &clips, &speak::languages(&[])?)?;
    }
    Ok((section, script))
}

/// The panel in memory, in the booth.
struct Fitted(Rc<Headless>);

impl RealPanel for Fitted {
    fn show(&self, screen: &Screen<'_>) {
        self.0.panel.show(screen);
    }

    fn pictures(&self, pictures: &election::pictures::Pictures<'_>) -> Result<(), TooLarge> {
        self.0.panel.pictures(pictures)
    }

    fn clips(&self, clips: Option<&Clips<'_>>) {
        self.0.panel.clips(clips);
    }

    fn next(&self) -> Pin<Box<dyn Future<Output = Touch> + '_>> {
        Box::pin(self.0.panel.next())
    }
}

impl ByEar {
    /// Plays it; what is to be printed, and whether it holds.
    ///
    /// # Errors
    /// [`BadInput`], or something is not heard that has to be.
    pub fn run(&self) -> Result<(String, bool)> {
        let told = self.play()?;
        let text = if self.json {
            serde_json::to_string_pretty(&told)?
        } else {
            tell(&told, self.audio.as_deref())
        };
        Ok((text, told.holds()))
    }

    /// The whole day.
    ///
    /// # Errors
    /// As [`ByEar::run`].
    pub fn play(&self) -> Result<Told> {
        let (config, settings) = (self.glass.config()?, self.glass.settings()?);
        let language: &'static Language = LANGUAGES.get(settings.language).context("no language")?;
        let definition = bundled::load(&self.election).map_err(|error| BadInput(format!("{error:#}")))?;
        let scenario = Scenario::new(definition)
            .voters(self.voters)
            .batch(1)
            .outages(Vec::new());
        let (section, script) = speech(&scenario, 1, self.speech.as_deref(), self.hum)?;
        let out = match &self.out {
            Some(out) => out.clone(),
            None => temporary()?,
        };
        staff::files::empty_folder(&out)?;
        let station = Station::new(&scenario, Some(section.clone()))?;
        let time = station.world.executor.time().clone();
        let now = time.clone();
        let recorder = Recorder::new(&script, self.audio.as_deref(), move || now.now())?;
        let headless = Rc::new(Headless::new(config)?);
        headless.panel.set_home(settings);
        headless.panel.connect_sound(Box::new(recorder.clone()), false);
        let witness = Rc::new(std::cell::RefCell::new(Witness::new(
            station.papers.clone(),
            station.number,
            0,
        )));
        let codes = Rc::new(std::cell::RefCell::new(Vec::new()));
        let (seen, shown) = (witness.clone(), codes.clone());
        station.machine.booth.fit(
            Rc::new(Fitted(headless.clone())),
            Rc::new(move |noticed| match noticed {
                Noticed::View(view) => {
                    if let View::CastOrChallenge { code, .. } = view {
                        let text: String = election::ballot::code_text(code).to_string();
                        let text = text.replace('-', "");
                        let mut shown = shown.borrow_mut();
                        // The same screen again is the same code.
                        if shown.last() != Some(&text) {
                            shown.push(text);
                        }
                    }
                    seen.borrow_mut().sees(view);
                }
                Noticed::Touch(touch, view) => seen.borrow_mut().touched(touch, view),
                Noticed::Lamp(_) | Noticed::Sound(_) => {}
            }),
        );
        let machine = station.machine.clone();
        station.world.executor.run(async move {
            // What is on the panel was drawn before there was one.
            machine.switch_off().await;
            machine.switch_on();
        })?;
        staff_at(&station, Task::Open(0))?;
        let (mut diaries, mut wishes) = (Vec::new(), Vec::new());
        for number in 0..usize::try_from(self.voters)? {
            let held = station
                .deck
                .iter()
                .filter(|held| held.voter.is_some())
                .nth(number)
                .context("a card")?;
            let (citizen, style) = held.voter.context("a voter")?;
            let mind = Mind {
                wishes: self::wishes(&scenario, style, number, language)?,
                pin: held.pin.clone(),
                slips: number == 0,
            };
            witness.borrow_mut().inserted(citizen, style);
            let booth = station.machine.booth.clone();
            let mut voter = Voter::new(
                headless.clone(),
                recorder.clone(),
                time.clone(),
                booth.clone(),
                language,
            );
            wishes.push(mind.wishes.clone());
            let (card, seen) = (held.card.clone(), witness.clone());
            let pulls = move || seen.borrow_mut().pulled(&booth.view());
            let diary = station.world.executor.run(async move {
                voter.vote(&mind, card, pulls).await?;
                Ok::<_, anyhow::Error>(voter.diary)
            })??;
            diaries.push(diary);
        }
        staff_at(&station, Task::Close)?;
        recorder.finish()?;
        let mut station = station;
        let count = station.count(&scenario, &mut witness.borrow_mut())?;
        let report = count.report(&scenario, &out, &staff::progress::silent, Stages::new())?;
        Ok(Told {
            voters: diaries,
            wishes,
            codes: codes.take(),
            speech: section.len(),
            report,
        })
    }
}

/// Some of the names of each contest, as they are said: as many as there are votes for the first voter, other ones for others. Names that stand there
/// twice cannot be told apart by their sound alone, so nobody wishes for them.
fn wishes(scenario: &Scenario, style: u16, number: usize, language: &Language) -> Result<Vec<String>> {
    let imported = import_bytes(&scenario.definition, &Options::default())?;
    let manifest = Manifest::parse(&imported.manifest).map_err(|error| anyhow::anyhow!("the manifest: {error}"))?;
    let form = Form::new(manifest, style).context("no such ballot style")?;
    let mut ballot: Vec<(u8, Vec<String>)> = Vec::new();
    for item in form.contests() {
        let said = |name: Say| {
            pieces(&Speech::Say(name), language, &|_| true)
                .into_iter()
                .map(|piece| piece.text)
        };
        let options = item.contest.options.iter().map_while(Result::ok);
        ballot.push((
            item.contest.votes,
            options.flat_map(|option| said(Say::from(option.name))).collect(),
        ));
    }
    let all: Vec<String> = ballot.iter().flat_map(|(_, names)| names.clone()).collect();
    let once = |name: &String| all.iter().filter(|other| *other == name).count() == 1;
    let mut out = Vec::new();
    for (votes, names) in &ballot {
        let from = number * 2 % names.len().max(1);
        let turned = names.iter().cycle().skip(from).take(names.len());
        out.extend(turned.filter(|name| once(name)).take(usize::from(*votes)).cloned());
    }
    ensure!(!out.is_empty(), "no name on this ballot can be told by its sound");
    Ok(out)
}

/// Two people with their cards, who see.
fn staff_at(station: &Station, task: Task) -> Result<()> {
    let rng = station.world.seed.rng(&format!("staff by ear {task:?}"), 0);
    attend(&station.world, &station.machine, &station.crew, task, rng)
}

fn tell(told: &Told, audio: Option<&std::path::Path>) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for (number, (diary, wishes)) in (1..).zip(told.voters.iter().zip(&told.wishes)) {
        let _ = writeln!(
            out,
            "voter {number}: {} keys, {} clips, {} s; wished {}; heard in the review {}; code {}",
            diary.keys,
            diary.clips,
            diary.seconds,
            wishes.join(", "),
            diary.reviewed.join(", "),
            diary.code
        );
    }
    if let Some(audio) = audio {
        let _ = writeln!(out, "what was heard: {} and .jsonl beside it", audio.display());
    }
    let report = &told.report;
    let _ = writeln!(
        out,
        "{} bytes of speech in the package; recorded {}, counted {}; {}",
        told.speech,
        report.recorded,
        report.counted,
        if told.holds() {
            "the record verifies, and says what they wished"
        } else {
            "IT DOES NOT HOLD"
        }
    );
    let _ = write!(out, "record: {}", report.record.display());
    out
}
