//! What a finger and an eye get, in millimetres, on every panel, in every language and text size (V2, V3, A16, U3).
//! Places come from the layout; that Slint draws them there is tests/screens.rs.
#![cfg(feature = "std")]

mod common;

use kiosk::form::Form;
use kiosk::screen::{ContestScreen, Screen, Touch};
use kiosk::session::Selected;
use panel::compose::{Repair, Wrong};
use panel::layout::{Page, Style, page};
use panel::metrics::{Metrics, TextSize};
use panel::scene::{Act, Scene};
use panel::words::LANGUAGES;
use panel::{Config, Settings};

/// The panels that are promised: 7, 10.1, 10.1 and 15.6 inches.
const PANELS: [Config; 4] = panel::metrics::REFERENCE;

/// A board's 5-inch panel: usable, in the sizes that fit.
const SMALL: Config = Config {
    width: 800,
    height: 480,
    diagonal_mm: 127,
};

fn scenes() -> Vec<(String, Scene)> {
    let form = Form::new(common::town(), 0).expect("the form is there");
    let mut scenes = Vec::new();
    panel::render::every(&form, &mut |name, screen| {
        scenes.push((name.to_string(), panel::compose::scene(screen)))
    });
    let under = scenes
        .iter()
        .find(|(name, _)| name == "contest-0")
        .map(|(_, scene)| scene);
    let settings = panel::compose::settings_over(under.expect("a contest"), Settings::default());
    scenes.push(("settings".into(), settings));
    let most = scenes.iter().max_by_key(|(_, scene)| scene.buttons.len());
    let buttons = most.map_or_else(Vec::new, |(_, scene)| scene.buttons.clone());
    scenes.push(("other".into(), panel::compose::other(0, buttons)));
    for practice in panel::practice::Practice::every() {
        let scene = panel::compose::practice(&practice);
        scenes.push((scene.name.to_string(), scene));
    }
    for what in [
        Wrong::Missing,
        Wrong::Unreadable,
        Wrong::Line(117),
        Wrong::Key("uplink.address"),
        Wrong::Part("randomness.second"),
    ] {
        let (file, said) = (
            "/config/kiosk.toml",
            "unknown field `staet`, expected one of ".repeat(20),
        );
        let repair = Repair {
            file,
            what,
            said: &said,
        };
        scenes.push((format!("repair {what:?}"), panel::compose::repair(&repair)));
    }
    scenes
}

fn every_page(scene: &Scene, settings: Settings, metrics: &Metrics) -> Vec<Page> {
    let first = page(scene, settings, metrics, 0);
    (0..first.count)
        .map(|index| page(scene, settings, metrics, index))
        .collect()
}

fn all(panels: &[Config], mut check: impl FnMut(&str, &Scene, Settings, &Metrics, &[Page])) {
    let scenes = scenes();
    for config in panels {
        let metrics = Metrics::new(*config).expect("a panel");
        for (language, tag) in LANGUAGES
            .iter()
            .enumerate()
            .map(|(index, language)| (index, language.tag))
        {
            for size in TextSize::ALL {
                // The large sizes on the smallest and on a usual panel: pages of the others are between.
                if size > TextSize::Normal && config.width != 1280 && config.diagonal_mm != 178 {
                    continue;
                }
                let settings = Settings {
                    language,
                    size,
                    theme: 0,
                };
                for (name, scene) in &scenes {
                    let place = format!("{name}, {tag}, {size:?}, {}x{}", config.width, config.height);
                    check(
                        &place,
                        scene,
                        settings,
                        &metrics,
                        &every_page(scene, settings, &metrics),
                    );
                }
            }
        }
    }
}

#[test]
fn v2_touch_areas_are_large_enough_and_apart() {
    let panels: Vec<Config> = PANELS.iter().copied().chain([SMALL]).collect();
    all(&panels, |place, _, _, metrics, pages| {
        for page in pages {
            let touchable: Vec<_> = page
                .areas
                .iter()
                .filter(|area| area.act.is_some() && area.style != Style::Invisible)
                .collect();
            for (index, one) in touchable.iter().enumerate() {
                assert!(
                    metrics.um(one.width) >= 12_700 && metrics.um(one.height) >= 12_700,
                    "{place}: {one:?}"
                );
                for other in &touchable[index + 1..] {
                    let across = (other.x - one.x - one.width).max(one.x - other.x - other.width);
                    let down = (other.y - one.y - one.height).max(one.y - other.y - other.height);
                    assert!(
                        metrics.um(across.max(down)) >= 2_540,
                        "{place}: {} and {}",
                        one.says,
                        other.says
                    );
                }
            }
        }
    });
}

#[test]
fn u3_nothing_is_cut_or_stands_on_something_else() {
    let panels: Vec<Config> = PANELS.iter().copied().chain([SMALL]).collect();
    let mut failures = Vec::new();
    all(&panels, |place, _, _, metrics, pages| {
        for page in pages {
            if page.overflow {
                failures.push(format!(
                    "{place}: page {} of {} does not fit",
                    page.index + 1,
                    page.count
                ));
            }
            // Texts stand on no button and on no other text.
            for (index, line) in page.texts.iter().enumerate() {
                let meets = |x: i32, y: i32, width: i32, height: i32| {
                    line.x < x + width
                        && x < line.x + panel::text::width(&line.text, line.em)
                        && line.y < y + height
                        && y < line.y + line.height
                };
                for area in page
                    .areas
                    .iter()
                    .filter(|area| area.act.is_some() && area.style != Style::Invisible)
                {
                    if line.align == panel::layout::Align::Left && meets(area.x, area.y, area.width, area.height) {
                        failures.push(format!("{place}: {:?} under {:?}", line.text, area.says));
                    }
                }
                for other in &page.texts[index + 1..] {
                    if line.align == panel::layout::Align::Left
                        && meets(other.x, other.y, other.width, other.height)
                        && !other.text.is_empty()
                    {
                        failures.push(format!("{place}: {:?} over {:?}", line.text, other.text));
                    }
                }
            }
        }
        let _ = metrics;
    });
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// V3: the four sizes are the standard's, the default is at least 4.8 mm, and no text on any screen is under 3.5 mm.
#[test]
fn v3_text_heights_are_the_standards() {
    const RANGES: [(i64, i64); 4] = [(3_500, 4_200), (4_800, 5_600), (6_400, 7_100), (8_500, 9_000)];
    assert_eq!(Settings::default().size, TextSize::Normal);
    for config in PANELS {
        let metrics = Metrics::new(config).expect("a panel");
        for (size, (least, most)) in TextSize::ALL.into_iter().zip(RANGES) {
            let height = metrics.capital_um(metrics.type_of(size).body);
            assert!(
                (least..=most).contains(&height),
                "{size:?} is {height} um on {config:?}"
            );
        }
    }
    all(&PANELS, |place, _, _, metrics, pages| {
        for line in pages.iter().flat_map(|page| page.texts.iter().chain(&page.captions)) {
            assert!(metrics.capital_um(line.em) >= 3_500, "{place}: {}", line.text);
        }
    });
}

/// V3: on the promised panels the default size is what is shown, on every screen; from 10 inches on the large size too.
#[test]
fn v3_the_size_that_was_set_is_the_size_that_is_shown() {
    let mut failures = Vec::new();
    all(&PANELS, |place, _, settings, metrics, pages| {
        let wanted = settings.size <= TextSize::Normal
            || (settings.size == TextSize::Large && metrics.um(metrics.height) > 130_000);
        for page in pages.iter().filter(|page| wanted && page.size != Some(settings.size)) {
            failures.push(format!("{place}: page {} is {:?}", page.index + 1, page.size));
        }
    });
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
}

/// A16: 1 to 60 options, equal in size, in the manifest's order, each exactly once over the pages, page n/m shown.
#[test]
fn a16_all_options_are_equal_and_on_some_page() {
    for count in 1..=60 {
        let manifest = common::manifest(&[("ja", "選挙")], &[common::ask(1, count, count % 2 == 0)]);
        let form = Form::new(manifest, 0).expect("the form is there");
        let item = form.contest(0).expect("the contest is there");
        let scene = panel::compose::scene(&Screen::Contest(ContestScreen {
            contest: item.contest,
            order: item.order,
            index: 0,
            count: 1,
            selected: Selected::NONE,
            votes_left: 1,
        }));
        for config in PANELS {
            let metrics = Metrics::new(config).expect("a panel");
            let pages = every_page(&scene, Settings::default(), &metrics);
            let options: Vec<_> = pages
                .iter()
                .flat_map(|page| &page.areas)
                .filter(|area| area.style == Style::Option)
                .collect();
            let acts: Vec<_> = options.iter().filter_map(|area| area.act).collect();
            let wanted: Vec<_> = (0..u8::try_from(count).unwrap())
                .map(|index| Act::Send(Touch::Option(index)))
                .collect();
            assert_eq!(acts, wanted, "{count} options on {config:?}");
            assert!(
                options
                    .iter()
                    .all(|area| (area.width, area.height) == (options[0].width, options[0].height))
            );
            for page in pages.iter().filter(|page| page.count > 1) {
                let number = format!("{}/{}", page.index + 1, page.count);
                assert!(
                    page.texts.iter().any(|line| line.text.contains(&number)),
                    "{number} on {config:?}"
                );
            }
        }
    }
}

/// What leads on comes on the last page only: nobody leaves a page unseen.
#[test]
fn a16_the_way_on_is_on_the_last_page() {
    all(&PANELS, |place, scene, _, _, pages| {
        use panel::scene::Part;
        let forward: Vec<Act> = scene
            .buttons
            .iter()
            .filter(|button| button.part == Part::Forward)
            .map(|button| button.act)
            .collect();
        for page in pages {
            let last = page.index + 1 == page.count;
            let has = page
                .areas
                .iter()
                .any(|area| area.act.is_some_and(|act| forward.contains(&act)));
            assert_eq!(has, last && !forward.is_empty(), "{place}: page {}", page.index + 1);
        }
    });
}

/// Every touch of a scene can be reached on some page, or behind "other".
#[test]
fn every_touch_is_reachable() {
    all(&PANELS, |place, scene, _, _, pages| {
        let reachable: Vec<Act> = pages
            .iter()
            .flat_map(|page| {
                page.areas
                    .iter()
                    .filter_map(|area| area.act)
                    .chain(page.rest.iter().map(|button| button.act))
            })
            .collect();
        for button in &scene.buttons {
            assert!(reachable.contains(&button.act), "{place}: {:?}", button.say);
        }
    });
}

/// What a voter has to do stands on the first page whatever the election and the station are called, and the names are whole on some page.
#[test]
fn u3_a_long_name_never_hides_what_to_do() {
    let long = "加賀市の総合運動公園と温泉街と図書館の将来についての住民投票".repeat(12);
    let name = common::texts(&[("ja", long.clone().leak())]);
    let scenes = [
        Screen::Idle {
            election: name,
            station: name,
        },
        Screen::Staff(kiosk::screen::StaffScreen::ZeroReport(kiosk::screen::ZeroReport {
            election: name,
            station: name,
            epoch: 0,
            hash: &[7; 32],
            package: &[7; 32],
            software: &[7; 32],
            kiosk: &[7; 32],
            recorded: 0,
            capacity: 2_048,
            voters: 3_120,
            key_unprotected: true,
        })),
    ]
    .map(|screen| panel::compose::scene(&screen));
    for config in PANELS.iter().chain([&SMALL]) {
        let metrics = Metrics::new(*config).expect("a panel");
        for (language, size) in (0..LANGUAGES.len()).flat_map(|language| TextSize::ALL.map(|size| (language, size))) {
            let settings = Settings {
                language,
                size,
                theme: 0,
            };
            for scene in &scenes {
                let place = format!("{}, {}, {size:?}, {config:?}", scene.name, LANGUAGES[language].tag);
                let pages = every_page(scene, settings, &metrics);
                assert!(pages.iter().all(|page| !page.overflow), "{place}: does not fit");
                let title = scene.title.text(&LANGUAGES[language]);
                assert!(pages[0].texts.iter().any(|line| line.says == title), "{place}");
                // In the sizes that a voter meets first; larger ones may turn a page for it.
                if scene.name == "idle" && size <= TextSize::Normal {
                    let what = scene.body.first().expect("what to do");
                    let panel::scene::Block::Text(what) = what else {
                        panic!("{what:?}")
                    };
                    let what = what.text(&LANGUAGES[language]);
                    assert!(pages[0].texts.iter().any(|line| line.says == what), "{place}: {what}");
                }
                let all: String = pages
                    .iter()
                    .flat_map(|page| &page.texts)
                    .map(|line| &*line.text)
                    .collect();
                // Once each, with whatever pages have at their foot between.
                let letters = |text: &str| text.chars().filter(|letter| *letter == '園').count();
                assert!(letters(&all) >= 2 * letters(&long), "{place}: the names are not whole");
                for (number, page) in pages.iter().enumerate() {
                    let turns = |act| page.areas.iter().any(|area| area.act == Some(act));
                    assert_eq!(turns(Act::NextPage), number + 1 < pages.len(), "{place}");
                    assert_eq!(turns(Act::PreviousPage), number > 0, "{place}");
                }
            }
        }
    }
}

/// What stands over a title, and the title, stand on a page once.
#[test]
fn a_heading_stands_once() {
    let panels: Vec<Config> = PANELS.iter().copied().chain([SMALL]).collect();
    all(&panels, |place, scene, settings, _, pages| {
        let language = &LANGUAGES[settings.language];
        for say in [Some(&scene.title), scene.above.as_ref()].into_iter().flatten() {
            let says = say.text(language);
            for page in pages.iter().filter(|_| !says.is_empty()) {
                let times = page.texts.iter().filter(|line| line.says == says).count();
                assert!(
                    times <= 1,
                    "{place}: {says:?} stands {times} times on page {}",
                    page.index + 1
                );
            }
        }
    });
}

/// Fifteen long names that stay after an overvote fill their pages: lines that like to stay together are not one a page.
#[test]
fn v13_many_names_fill_their_pages() {
    let manifest = common::manifest(&[("ja", "選挙")], &[common::ask(15, 60, true)]);
    let form = Form::new(manifest, 0).expect("the form is there");
    let item = form.contest(0).expect("the contest is there");
    let scene = panel::compose::scene(&Screen::Overvote(ContestScreen {
        contest: item.contest,
        order: item.order,
        index: 0,
        count: 1,
        selected: (0..15).fold(Selected::NONE, Selected::toggled),
        votes_left: 0,
    }));
    for (config, size) in PANELS
        .iter()
        .flat_map(|config| TextSize::ALL.map(|size| (config, size)))
    {
        let metrics = Metrics::new(*config).expect("a panel");
        let settings = Settings {
            size,
            ..Settings::default()
        };
        let pages = every_page(&scene, settings, &metrics);
        for page in pages.iter().rev().skip(1) {
            let lines: Vec<_> = page
                .texts
                .iter()
                .filter(|line| line.align != panel::layout::Align::Right)
                .collect();
            let last = lines.iter().map(|line| line.y + line.height).max().unwrap_or(0);
            assert!(
                last * 3 > metrics.height,
                "{config:?}, {size:?}: page {} of {} ends at {last}",
                page.index + 1,
                page.count
            );
        }
    }
}
