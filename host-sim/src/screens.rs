//! `screens`: renders every screen of any election to pictures, for translators, designers and whoever wants to look.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use election::manifest::Manifest;
use election::pictures::Pictures;
use kiosk::form::Form;
use panel::words::LANGUAGES;
use panel::{Config, Settings};
use staff::import::{Options, import_bytes};

use crate::bundled;
use crate::scenario::BadInput;

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Across.
    pub width: u32,
    /// Down.
    pub height: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.parse::<u32>().ok().filter(|number| *number > 0);
        text.split_once(['x', 'X', '×'])
            .and_then(|(width, height)| {
                Some(Self {
                    width: number(width)?,
                    height: number(height)?,
                })
            })
            .ok_or_else(|| "a size is WIDTHxHEIGHT in pixels, such as 1280x800".to_owned())
    }
}

/// The panel that is pretended.
#[derive(Clone, Debug, clap::Args)]
pub struct Glass {
    /// Pixels of the panel
    #[arg(long, value_name = "WxH", default_value = "1280x800")]
    pub size: Size,
    /// Diagonal of the panel in inches
    #[arg(long, value_name = "INCHES", default_value_t = 10.1)]
    pub diagonal: f64,
    /// Language that a voter meets first: a name of a file in ui/panel/lang, such as ja, en, ja-easy, pt
    #[arg(long, value_name = "LANG", default_value = "ja")]
    pub lang: String,
}

impl Glass {
    /// The panel's numbers.
    ///
    /// # Errors
    /// [`BadInput`]: not a diagonal.
    pub fn config(&self) -> Result<Config> {
        let millimetres = (self.diagonal * 25.4).round();
        if !(1.0..100_000.0).contains(&millimetres) {
            return Err(BadInput("--diagonal: inches, such as 10.1".to_owned()).into());
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 1 and 100,000.
        let diagonal_mm = millimetres as u32;
        let config = Config {
            width: self.size.width,
            height: self.size.height,
            diagonal_mm,
        };
        panel::metrics::Metrics::new(config).map_err(|error| BadInput(format!("--size, --diagonal: {error}")))?;
        Ok(config)
    }

    /// What a voter meets first.
    ///
    /// # Errors
    /// [`BadInput`]: no such language; those there are.
    pub fn settings(&self) -> Result<Settings> {
        let language = LANGUAGES.iter().position(|language| language.tag == self.lang);
        let Some(language) = language else {
            let known: Vec<&str> = LANGUAGES.iter().map(|language| language.tag).collect();
            return Err(BadInput(format!(
                "--lang: there is no {}; there are {}",
                self.lang,
                known.join(", ")
            ))
            .into());
        };
        Ok(Settings {
            language,
            ..Settings::default()
        })
    }
}

/// Every screen of an election as pictures: PNG files, screens.json, contact-sheet.png
#[derive(clap::Args)]
pub struct Screens {
    /// A bundled election, or a NIST SP 1500-20 ballot definition in JSON
    #[arg(long, value_name = "NAME|FILE", default_value = "kaga-consultation")]
    election: String,
    /// Where the pictures go, a new or empty folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A font for characters of names that the panel's own font lacks; repeat, the first that has a character draws it
    #[arg(long = "font", value_name = "FILE")]
    fonts: Vec<PathBuf>,
    #[command(flatten)]
    glass: Glass,
    /// Prints the list: [{screen, png, touch_mm: [[w, h]], gap_mm, text_mm, contrast, overflow}]
    #[arg(long)]
    json: bool,
}

impl Screens {
    /// Renders them; what is to be printed, and whether everything has room on this panel and on those of stations.
    ///
    /// # Errors
    /// [`BadInput`], a desk's problem, or what the file system says.
    pub fn run(&self) -> Result<(String, bool)> {
        let (config, settings) = (self.glass.config()?, self.glass.settings()?);
        let definition = bundled::load(&self.election).map_err(|error| BadInput(format!("{error:#}")))?;
        let imported = import_bytes(&definition, &Options::default())?;
        let manifest = Manifest::parse(&imported.manifest).map_err(|error| anyhow::anyhow!("the manifest: {error}"))?;
        let styles = u16::try_from(manifest.styles.count()).unwrap_or(u16::MAX);
        let forms: Vec<Form<'_>> = (0..styles).map_while(|style| Form::new(manifest, style)).collect();
        // Names are drawn as a package's are, so that what is looked at is what a voter will see; what cannot be shown is refused by name.
        let station = station(&imported.definition);
        let fallback = staff::screens::Fallback::debian();
        let fonts = staff::screens::Fonts::for_names(&self.fonts, &manifest, &station, &fallback)?;
        let drawn = staff::screens::draw(&manifest, &station, &fonts)?;
        let pictures = Pictures::read(&drawn.section).map_err(|error| anyhow::anyhow!("the pictures: {error}"))?;
        staff::files::empty_folder(&self.out)?;
        let list = panel::render::render_all(&forms, Some(&pictures), config, settings, &self.out)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .with_context(|| self.out.display().to_string())?;
        for warning in &imported.warnings {
            eprintln!("warning: {warning}");
        }
        // On this panel in this language; and on the panels that stations have, in all languages, as `package build` refuses it.
        let mut problems: Vec<String> = list
            .iter()
            .filter(|one| one.overflow)
            .map(|one| {
                format!(
                    "{}: something has no room on this panel, not even at the smallest text size",
                    one.png
                )
            })
            .collect();
        match staff::screens::fits(&manifest, &station) {
            Ok(notes) => notes.iter().for_each(|note| eprintln!("note: {note}")),
            Err(problem) => problems.push(problem.to_string()),
        }
        let fits = problems.is_empty();
        for problem in &problems {
            eprintln!("{problem}");
        }
        if self.json {
            let list: Vec<_> = list.iter().map(panel::render::Rendered::json).collect();
            return Ok((serde_json::to_string_pretty(&list)?, fits));
        }
        let rare = if drawn.rare.is_empty() {
            String::new()
        } else {
            let names: Vec<&str> = fonts.list().skip(1).map(|(_, name)| name).collect();
            format!(
                "\nnot in the panel's own font, drawn from {}: {}",
                names.join(", "),
                drawn.rare.join(" ")
            )
        };
        let smallest = |value: fn(&panel::render::Measured) -> Option<f64>| {
            list.iter()
                .filter_map(|one| value(&one.measured))
                .min_by(f64::total_cmp)
        };
        let shown = |value: Option<f64>, unit: &str| {
            value.map_or_else(|| "none".to_owned(), |value| format!("{value:.1}{unit}"))
        };
        let side = |one: &panel::render::Measured| one.touch_mm.iter().flatten().copied().min_by(f64::total_cmp);
        let text = format!(
            "{} pictures in {} (contact-sheet.png shows all of them, screens.json lists them)\n\
             smallest touch area {}, smallest gap {}, smallest capital {}, lowest contrast {}{rare}",
            list.len(),
            self.out.display(),
            shown(smallest(side), " mm"),
            shown(smallest(|one| one.gap_mm), " mm"),
            shown(smallest(|one| one.text_mm), " mm"),
            shown(smallest(|one| one.contrast), ":1"),
        );
        Ok((text, fits))
    }
}

/// What a station is called on these pictures: as the first area of the definition, which `render_all` shows too.
fn station(definition: &staff::definition::Definition) -> staff::definition::Texts {
    let unit = definition.units.first().map(|unit| &unit.name);
    unit.unwrap_or(&definition.name).clone()
}
