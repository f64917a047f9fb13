//! Whether everything a voter must read stands whole on the panels that stations have, at the smallest text size at least.

use std::collections::BTreeSet;

use election::manifest::{CheckedManifest, Contest};
use kiosk::form::Form;
use kiosk::screen::{ContestScreen, Review, Screen};
use kiosk::session::Selected;
use panel::metrics::{Config, Metrics, REFERENCE};
use panel::scene::{Block, Scene};
use panel::words::LANGUAGES;
use panel::{Settings, TextSize, compose, layout};

use crate::problem::{Kind, Outcome, Problem};

/// Lays every screen out that shows the definition's texts, in every language, on every panel of [`REFERENCE`].
///
/// # Errors
/// The first text that does not fit, with its contest, its option where one is to blame, and the panel.
pub fn fits(manifest: &CheckedManifest<'_>) -> Outcome<()> {
    let panels: Vec<(Config, Metrics)> = REFERENCE
        .into_iter()
        .filter_map(|config| Some((config, Metrics::new(config).ok()?)))
        .collect();
    for contest in manifest.contests() {
        let scenes = [
            compose::scene(&Screen::Contest(screen(contest, Selected::NONE))),
            compose::scene(&Screen::Overvote(screen(contest, most(&contest)))),
        ];
        for scene in &scenes {
            if let Some(where_) = narrow(scene, &panels) {
                return Err(problem(&blame(&contest, scene, &panels), &where_));
            }
        }
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
        let selected: Vec<Selected> = form.contests().map(|item| most(&item.contest)).collect();
        let scene = compose::scene(&Screen::Review(Review {
            form,
            selected: &selected,
        }));
        if let Some(where_) = narrow(&scene, &panels) {
            return Err(problem(
                &format!("the review of ballot style {}", form.style().id),
                &where_,
            ));
        }
    }
    Ok(())
}

fn problem(place: &str, where_: &str) -> Problem {
    Problem::new(
        Kind::Refused,
        place,
        format!("does not fit {where_}, not even at the smallest text size"),
    )
    .advice("shorten the text, or leave out what is not needed on the ballot")
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

/// The first language and panel on which a scene does not fit.
fn narrow(scene: &Scene, panels: &[(Config, Metrics)]) -> Option<String> {
    for (config, metrics) in panels {
        for (number, language) in LANGUAGES.iter().enumerate() {
            let settings = Settings {
                language: number,
                size: TextSize::Small,
                theme: 0,
            };
            if layout::page(scene, settings, metrics, 0).overflow {
                return Some(format!(
                    "a panel of {}x{} pixels and {} mm in the language \"{}\"",
                    config.width, config.height, config.diagonal_mm, language.tag
                ));
            }
        }
    }
    None
}

/// Whose text it is: the first option that does not fit alone, else the contest.
fn blame(contest: &Contest<'_>, scene: &Scene, panels: &[(Config, Metrics)]) -> String {
    for (number, option) in contest.options.iter().map_while(Result::ok).enumerate() {
        let mut alone = scene.clone();
        let mut place = 0;
        alone.body.retain(|block| {
            let is_option = matches!(block, Block::Option { .. });
            place += usize::from(is_option);
            is_option && place == number + 1
        });
        let mut without = alone.clone();
        without.body.clear();
        if narrow(&without, panels).is_none() && narrow(&alone, panels).is_some() {
            return format!("contest {}, option {}", contest.id, option.id);
        }
    }
    format!("contest {}", contest.id)
}
