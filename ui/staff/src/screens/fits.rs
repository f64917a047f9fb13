//! Whether everything that people must read of a definition stands whole on the panels that stations have, at the smallest text size
//! at least. A text that does not is refused, by its name, with the screen, the panel, the language and the size.

use std::collections::BTreeSet;

use election::manifest::{CheckedManifest, Contest, Texts as Named};
use election::wire::Seq;
use kiosk::form::Form;
use kiosk::screen::{ContestScreen, OpeningScreen, Review, Screen, StaffScreen, ZeroReport};
use kiosk::session::Selected;
use panel::metrics::{Config, Metrics, REFERENCE};
use panel::scene::{Block, Scene};
use panel::words::{LANGUAGES, Say};
use panel::{Settings, TextSize, compose, layout};

use crate::definition::Texts;
use crate::encode::seq_of;
use crate::problem::{Kind, Outcome, Problem};

/// A screen, and whose texts are on it.
struct Shown {
    scene: Scene,
    texts: Vec<(String, Say)>,
    /// It stands on one page: nobody turns pages of a screen that waits for a card.
    whole: bool,
}

/// So many texts are named of those that have no room together.
const MOST: usize = 4;

/// A panel, language and text size.
struct Place<'p> {
    config: &'p Config,
    metrics: &'p Metrics,
    language: usize,
    size: TextSize,
}

/// Lays every screen out that shows texts of the definition or the station's name, in every language, on every panel of [`REFERENCE`].
/// What fits at the smallest text size fits at any that is set: a panel takes the largest that does (`layout::page`). Gives a note for each
/// text that is so long that some panel takes a smaller size than the one a voter meets first.
///
/// # Errors
/// The first text that does not fit: its name, the screen, the panel, the language, the size.
pub fn fits(manifest: &CheckedManifest<'_>, station: &Texts) -> Outcome<Vec<String>> {
    let station = seq_of(
        station
            .iter()
            .map(|(language, text)| election::manifest::Text { language, text }),
    )?;
    let panels: Vec<(Config, Metrics)> = REFERENCE
        .into_iter()
        .filter_map(|config| Some((config, Metrics::new(config).ok()?)))
        .collect();
    let mut notes = Vec::new();
    let mut refused = None;
    every(manifest, Seq::from_bytes(&station), &mut |shown| {
        if refused.is_some() {
            return;
        }
        if let Some(place) = first(&panels, TextSize::Small, |place| !fit(&shown.scene, shown.whole, place)) {
            refused = Some(problem(&shown, &place));
        } else if let Some(place) = first(&panels, TextSize::Normal, |place| !usual(&shown.scene, place)) {
            let blame = blame(&shown, |scene| usual(scene, &place));
            notes.push(format!(
                "{blame}: so long that the screen \"{}\" is set in the smallest text on {}",
                shown.scene.name,
                place.say()
            ));
        }
    })?;
    notes.dedup();
    refused.map_or(Ok(notes), Err)
}

impl Place<'_> {
    fn say(&self) -> String {
        format!(
            "a panel of {}x{} pixels and {} mm in the language \"{}\"",
            self.config.width,
            self.config.height,
            self.config.diagonal_mm,
            LANGUAGES.get(self.language).map_or("", |language| language.tag)
        )
    }

    fn settings(&self) -> Settings {
        Settings {
            language: self.language,
            size: self.size,
            theme: 0,
        }
    }
}

/// The first panel and language of which something holds.
fn first<'p>(panels: &'p [(Config, Metrics)], size: TextSize, holds: impl Fn(&Place<'p>) -> bool) -> Option<Place<'p>> {
    panels
        .iter()
        .flat_map(|(config, metrics)| {
            (0..LANGUAGES.len()).map(move |language| Place {
                config,
                metrics,
                language,
                size,
            })
        })
        .find(|place| holds(place))
}

/// Whether every page of a screen has room for what is on it.
fn fit(scene: &Scene, whole: bool, place: &Place<'_>) -> bool {
    let page = |number| layout::page(scene, place.settings(), place.metrics, number);
    let first = page(0);
    let lost = first.overflow || whole && first.count > 1;
    !lost && (1..first.count).all(|number| !page(number).overflow)
}

/// Whether a screen is set in the size that was set.
fn usual(scene: &Scene, place: &Place<'_>) -> bool {
    let page = layout::page(scene, place.settings(), place.metrics, 0);
    !page.overflow && page.size == Some(place.size)
}

fn problem(shown: &Shown, place: &Place<'_>) -> Problem {
    let pages = if shown.whole { "one page of " } else { "" };
    Problem::new(
        Kind::Refused,
        blame(shown, |scene| fit(scene, shown.whole, place)),
        format!(
            "does not fit the screen \"{}\" on {pages}{}, not even at the smallest text size",
            shown.scene.name,
            place.say()
        ),
    )
    .advice("shorten the text, or leave out what is not needed on the ballot")
}

/// Whose texts it is: those that do not fit even alone; where each alone does, all of them together.
fn blame(shown: &Shown, fits: impl Fn(&Scene) -> bool) -> String {
    let alone = |own: &Say| {
        let mut scene = shown.scene.clone();
        for (_, other) in shown.texts.iter().filter(|(_, other)| other != own) {
            replace(&mut scene, other);
        }
        !fits(&scene)
    };
    let mut names: Vec<&str> = shown
        .texts
        .iter()
        .filter(|(_, own)| alone(own))
        .map(|(name, _)| &**name)
        .collect();
    if names.is_empty() {
        names = shown.texts.iter().map(|(name, _)| &**name).collect();
    }
    let more = names.len().saturating_sub(MOST);
    names.truncate(MOST);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    names.join("; ") + &more
}

/// Puts a text of one letter wherever a text stands.
fn replace(scene: &mut Scene, own: &Say) {
    let one = |say: &mut Say| {
        if say == own {
            *say = Say::plain("一");
        }
    };
    one(&mut scene.title);
    scene.above.iter_mut().chain(&mut scene.status).for_each(one);
    for block in &mut scene.body {
        match block {
            Block::Text(say) | Block::Alarm(say) | Block::Heading(say) | Block::Name(say) | Block::Small(say) => {
                one(say)
            }
            Block::Option { name, sub, .. } => [Some(name), sub.as_mut()].into_iter().flatten().for_each(one),
            Block::Row {
                label, values, note, ..
            } => label.iter_mut().chain(values).chain(note).for_each(one),
            Block::Pair(label, value) => [label, value].into_iter().for_each(one),
            Block::Qr(_, lines) | Block::Groups(lines) | Block::Words(lines) => lines.iter_mut().for_each(one),
        }
    }
}

/// Every screen with a text of the definition. A test walks all screens there are and holds that none is left out.
fn every(manifest: &CheckedManifest<'_>, station: Named<'_>, show: &mut dyn FnMut(Shown)) -> Outcome<()> {
    let mut show = |screen: &Screen<'_>, texts: &[(String, Named<'_>)]| {
        show(Shown {
            scene: compose::scene(screen),
            texts: texts
                .iter()
                .filter(|(_, named)| !named.is_empty())
                .map(|(name, named)| (name.clone(), Say::from(*named)))
                .collect(),
            whole: matches!(screen, Screen::Idle { .. }),
        });
    };
    let both = [
        ("the election's name".to_owned(), manifest.name),
        ("the station's name".to_owned(), station),
    ];
    let idle = Screen::Idle {
        election: manifest.name,
        station,
    };
    show(&idle, &both);
    let hash = [0xa5; 32];
    let zero = ZeroReport {
        election: manifest.name,
        station,
        epoch: 0,
        hash: &hash,
        package: &hash,
        software: &hash,
        kiosk: &hash,
        recorded: 0,
        capacity: u32::MAX,
        voters: u32::MAX,
        key_unprotected: true,
    };
    show(&Screen::Staff(StaffScreen::ZeroReport(zero)), &both);
    let epochs: Vec<(String, Named<'_>)> = (0..)
        .zip(manifest.epochs.iter().map_while(Result::ok))
        .map(|(number, epoch)| (format!("epoch {number}, name"), epoch.name))
        .collect();
    let choose = StaffScreen::ChooseEpoch {
        epochs: manifest.epochs,
        wrong: true,
    };
    show(&Screen::Staff(choose), &epochs);
    for contest in manifest.contests() {
        let texts = texts(&contest);
        show(&Screen::Contest(screen(contest, Selected::NONE)), &texts);
        show(&Screen::Overvote(screen(contest, most(&contest))), &texts);
        let selections = contest.options.count() + usize::from(contest.votes);
        // What a QR code holds of a contest (SPEC.md, section 6): its length decides its size on the screen.
        let payload = vec![0xa5; 4 + 32 + 2 + selections * 33];
        let opening = OpeningScreen {
            contest,
            index: 1,
            count: 99,
            selected: most(&contest),
            code: &hash,
            payload: &payload,
        };
        show(&Screen::Opening(opening), &texts);
    }
    // Reviews of the same contests are the same review.
    let mut seen = BTreeSet::new();
    for style in 0..manifest.style_count() {
        let Some(form) = Form::new(*manifest, style) else {
            continue;
        };
        if !seen.insert(form.contests().map(|item| item.number).collect::<Vec<_>>()) {
            continue;
        }
        let texts: Vec<_> = form.contests().flat_map(|item| texts(&item.contest)).collect();
        let full: Vec<Selected> = form.contests().map(|item| most(&item.contest)).collect();
        let none: Vec<Selected> = full.iter().map(|_| Selected::NONE).collect();
        for selected in [&full, &none] {
            show(&Screen::Review(Review { form, selected }), &texts);
        }
    }
    Ok(())
}

/// A contest's texts, by their names.
fn texts<'a>(contest: &Contest<'a>) -> Vec<(String, Named<'a>)> {
    let id = contest.id;
    let mut out = vec![
        (format!("contest {id}, name"), contest.name),
        (format!("contest {id}, text"), contest.text),
    ];
    for option in contest.options.iter().map_while(Result::ok) {
        out.push((format!("contest {id}, option {}, name", option.id), option.name));
        out.push((format!("contest {id}, option {}, party", option.id), option.party));
    }
    out
}

fn screen(contest: Contest<'_>, selected: Selected) -> ContestScreen<'_> {
    ContestScreen {
        contest,
        order: &[],
        index: 1,
        count: 99,
        selected,
        votes_left: contest.votes.saturating_sub(selected.count()),
    }
}

/// As many options as there are votes.
fn most(contest: &Contest<'_>) -> Selected {
    (0..contest.votes).fold(Selected::NONE, Selected::toggled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use election::manifest::Manifest;

    /// Whatever screen shows a text of the definition is laid out here: a new one that is forgotten fails this.
    #[test]
    fn u3_no_screen_with_texts_of_the_election_is_left_out() {
        let definition = include_bytes!("../../../../host-sim/elections/kaga-consultation.json");
        let options = crate::import::Options {
            policy: election::manifest::Policy::Last,
            ..crate::import::Options::default()
        };
        let bytes = crate::import::import_bytes(definition, &options).unwrap().manifest;
        let manifest = Manifest::parse(&bytes).unwrap();
        let mut laid = BTreeSet::new();
        every(&manifest, manifest.name, &mut |shown| {
            laid.insert(shown.scene.name);
        })
        .unwrap();
        let mut with_texts = BTreeSet::new();
        let language = &LANGUAGES[0];
        panel::render::every(&Form::new(manifest, 0).unwrap(), &mut |_, screen| {
            let scene = compose::scene(screen);
            if !scene.definition(language).is_empty() {
                with_texts.insert(scene.name);
            }
        });
        assert!(with_texts.len() >= 7, "{with_texts:?}");
        assert_eq!(laid, with_texts);
    }
}
