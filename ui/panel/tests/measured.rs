//! What a finger and an eye get, as a table in README.md (V2, V3, V4): sizes from the layout of every page of every screen in every
//! language, contrast from the pixels. `IPPYO_UPDATE_TABLE=1` writes the table.
#![cfg(feature = "std")]

mod common;

use std::fmt::Write as _;

use kiosk::form::Form;
use kiosk::screen::Screen;
use panel::layout::{Style, page};
use panel::metrics::{Metrics, TextSize};
use panel::practice::Practice;
use panel::render::{Headless, every, measure, own};
use panel::scene::Scene;
use panel::words::LANGUAGES;
use panel::{Config, Settings};

const PANELS: [(&str, Config); 4] = [
    (
        "800x480, 7.0 inches",
        Config {
            width: 800,
            height: 480,
            diagonal_mm: 178,
        },
    ),
    (
        "1024x600, 10.1 inches",
        Config {
            width: 1024,
            height: 600,
            diagonal_mm: 257,
        },
    ),
    (
        "1280x800, 10.1 inches",
        Config {
            width: 1280,
            height: 800,
            diagonal_mm: 257,
        },
    ),
    (
        "1920x1080, 15.6 inches",
        Config {
            width: 1920,
            height: 1080,
            diagonal_mm: 396,
        },
    ),
];

/// Least and most contrast that V4 wants of each theme; what it is called in the table.
const THEMES: [(&str, f64, f64); 4] = [
    ("default", 10.0, 21.1),
    ("on white", 20.0, 21.1),
    ("on black", 17.5, 21.1),
    ("low contrast", 4.5, 8.0),
];

fn millimetres(micrometres: i64) -> String {
    format!("{}.{:02}", micrometres / 1_000, micrometres % 1_000 / 10)
}

fn scenes(form: &Form<'_>) -> Vec<Scene> {
    let contest = kiosk::screen::Screen::EndWithoutVote;
    let under = panel::compose::scene(&contest);
    let mut scenes = vec![panel::compose::settings_over(&under, Settings::default())];
    let buttons = |scene: &Scene| panel::compose::other(0, scene.buttons.clone());
    every(form, &mut |_, screen| scenes.push(panel::compose::scene(screen)));
    scenes.extend(Practice::every().iter().map(panel::compose::practice));
    // "Other" with all that any screen could put behind it.
    let most = scenes.iter().max_by_key(|scene| scene.buttons.len()).map(buttons);
    scenes.extend(most);
    scenes
}

/// V2, V3: a row for each panel, over every page of every screen in every language at the size a voter meets first.
fn sizes(form: &Form<'_>) -> String {
    let mut table = String::from(
        "| panel | pages | smallest touch area | smallest gap | smallest capital | capital of text |\n|---|---|---|---|---|---|\n",
    );
    let scenes = scenes(form);
    for (name, config) in PANELS {
        let metrics = Metrics::new(config).expect("a panel");
        let (mut pages, mut touch, mut gap, mut capital) = (0, i32::MAX, i32::MAX, i64::MAX);
        for (language, scene) in
            (0..LANGUAGES.len()).flat_map(|language| scenes.iter().map(move |scene| (language, scene)))
        {
            let settings = Settings {
                language,
                ..Settings::default()
            };
            for number in 0..page(scene, settings, &metrics, 0).count {
                let page = page(scene, settings, &metrics, number);
                pages += 1;
                let areas: Vec<_> = page
                    .areas
                    .iter()
                    .filter(|area| area.act.is_some() && area.style != Style::Invisible)
                    .collect();
                for (index, one) in areas.iter().enumerate() {
                    touch = touch.min(one.width).min(one.height);
                    for other in &areas[index + 1..] {
                        let across = (other.x - one.x - one.width).max(one.x - other.x - other.width);
                        let down = (other.y - one.y - one.height).max(one.y - other.y - other.height);
                        gap = gap.min(across.max(down));
                    }
                }
                for line in page
                    .texts
                    .iter()
                    .chain(&page.captions)
                    .filter(|line| !line.text.trim().is_empty())
                {
                    capital = capital.min(metrics.capital_um(line.em));
                }
            }
        }
        let (touch, gap) = (metrics.um(touch), metrics.um(gap));
        assert!(touch >= 12_700, "V2: {name}: {touch} um");
        assert!(gap >= 2_540, "V2: {name}: {gap} um");
        assert!(capital >= 3_500, "V3: {name}: {capital} um");
        let body = metrics.capital_um(metrics.type_of(TextSize::Normal).body);
        assert!(body >= 4_800, "V3: {name}: {body} um");
        let _ = writeln!(
            table,
            "| {name} | {pages} | {} mm | {} mm | {} mm | {} mm |",
            millimetres(touch),
            millimetres(gap),
            millimetres(capital),
            millimetres(body)
        );
    }
    table
}

/// V4, from pixels: default at least 10:1, on white 20:1, on black 17.5:1, low contrast between 4.5 and 8.
fn contrasts(form: &Form<'_>) -> String {
    // A theme a thread. One panel is enough for colours: large enough that strokes are whole pixels.
    let one = |theme: u8, form: &Form<'_>| {
        let headless = Headless::new(PANELS[2].1).expect("a panel in memory");
        let (name, least, most) = THEMES[usize::from(theme)];
        let mut found: Vec<f64> = Vec::new();
        let mut see = |name: &str, show: &dyn Fn()| {
            headless.panel.show(&Screen::Blank);
            show();
            headless.panel.set(Settings {
                theme,
                ..Settings::default()
            });
            let (width, _, pixels) = headless.pixels();
            if let Some(contrast) = measure(&headless.panel.page(), headless.panel.metrics(), width, &pixels).contrast {
                assert!(
                    (least..=most).contains(&contrast),
                    "V4: {name}, theme {theme}: {contrast}"
                );
                found.push(contrast);
            }
        };
        every(form, &mut |name, screen| see(name, &|| headless.panel.show(screen)));
        for practice in Practice::every() {
            see("practice", &|| headless.panel.practise(Some(practice)));
        }
        own(form, Settings::default(), &mut |name, show| {
            see(name, &|| show(&headless.panel))
        });
        assert!(found.len() > 60, "{} screens with text", found.len());
        let lowest = found.iter().copied().fold(f64::MAX, f64::min);
        let highest = found.iter().copied().fold(0.0, f64::max);
        let wanted = if theme == 3 { "4.5 to 8" } else { "" };
        let wanted = if wanted.is_empty() {
            format!("{least:.1}")
        } else {
            wanted.to_owned()
        };
        format!(
            "| {name} | {} | {lowest:.1}:1 | {highest:.1}:1 | {wanted} |\n",
            found.len()
        )
    };
    let rows: String = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|theme| scope.spawn(move || one(theme, form))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("measured"))
            .collect()
    });
    format!(
        "| colours | screens | lowest contrast | of a screen at best | wanted (V4) |\n|---|---|---|---|---|\n{rows}"
    )
}

#[test]
fn v2_v3_v4_the_measured_table_is_the_readmes() {
    const START: &str = "<!-- measured: tests/measured.rs writes this -->\n";
    const END: &str = "<!-- end -->";
    let form = Form::new(common::town(), 0).expect("the form is there");
    let table = format!("{}\n{}", sizes(&form), contrasts(&form));
    println!("{table}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("README.md is there");
    let (before, rest) = readme.split_once(START).expect("the marks are there");
    let (stored, after) = rest.split_once(END).expect("the marks are there");
    if std::env::var_os("IPPYO_UPDATE_TABLE").is_some() {
        std::fs::write(path, format!("{before}{START}{table}{END}{after}")).expect("README.md can be written");
        return;
    }
    assert_eq!(
        stored, table,
        "the table is not what was measured: IPPYO_UPDATE_TABLE=1"
    );
}
