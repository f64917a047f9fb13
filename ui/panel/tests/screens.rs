//! What is really drawn: pixels of the software renderer and elements of Slint's tree, for every screen (V2, V3, accessibility).
//! A pairwise cover of language, panel, text size and theme, not the product.
#![cfg(feature = "std")]

mod common;

use i_slint_backend_testing::{AccessibleRole, ElementHandle, ElementRoot as _};
use kiosk::form::Form;
use kiosk::screen::Screen;
use panel::layout::Style;
use panel::metrics::TextSize;
use panel::render::{Headless, every, own};
use panel::words::LANGUAGES;
use panel::{Config, Settings};

/// Panel, language, size, theme: every pair of language, size and theme is there once.
fn cover() -> Vec<(Config, Settings)> {
    let panels = [(800, 480, 178), (1024, 600, 257), (1280, 800, 257), (1920, 1080, 396)];
    let mut cover = Vec::new();
    for theme in 0..4_u8 {
        for step in 0..4_usize {
            let (width, height, diagonal_mm) = panels[(step + usize::from(theme) * 3) % 4];
            let settings = Settings {
                language: step % LANGUAGES.len(),
                size: TextSize::ALL[(step + usize::from(theme)) % 4],
                theme,
            };
            let config = Config {
                width,
                height,
                diagonal_mm,
            };
            cover.push((config, settings));
        }
    }
    cover
}

fn show(headless: &Headless, screen: &Screen<'_>, settings: Settings) {
    headless.panel.show(&Screen::Blank);
    headless.panel.show(screen);
    headless.panel.set(settings);
    headless.draw();
}

/// Every control has a role, a label and a place, and comes in the order in which it is seen; checkboxes say whether they are checked; a
/// paragraph is read as one; nothing is read that is not on the screen. What the tree says is what the layout said. Of every screen,
/// also the panel's own: settings, "other", dark.
#[test]
fn every_control_has_role_and_label() {
    let form = Form::new(common::town(), 0).expect("the form is there");
    for (config, settings) in cover().into_iter().take(8) {
        let headless = Headless::new(config).expect("a panel in memory");
        let mut seen = Vec::new();
        let mut walk = |name: &str| {
            read(name, &headless);
            // The last page has what leads on.
            headless.panel.turn(usize::MAX - 1);
            headless.draw();
            read(name, &headless);
            seen.push(name.to_owned());
        };
        every(&form, &mut |name, screen| {
            show(&headless, screen, settings);
            walk(name);
        });
        own(&form, settings, &mut |name, show| {
            headless.panel.show(&Screen::Blank);
            show(&headless.panel);
            headless.draw();
            walk(name);
            assert!(
                headless.panel.page().areas.iter().any(|area| area.act.is_some()),
                "{name}: nothing leads away"
            );
        });
        for name in ["idle", "settings", "other", "dark"] {
            assert!(seen.iter().any(|seen| seen == name), "{name} was not walked");
        }
    }
}

/// Left, top, width, height.
type Place = (i32, i32, i32, i32);

/// Whether what is read first is not seen after: nothing stands above an earlier thing but to the right of it, nothing left of one but
/// below it.
fn in_order(places: &[Place]) -> Result<(), (Place, Place)> {
    for (index, one) in places.iter().enumerate() {
        for other in &places[index + 1..] {
            let above = other.1 + other.3 <= one.1 && other.0 < one.0 + one.2;
            let left = other.0 + other.2 <= one.0 && other.1 < one.1 + one.3;
            if above || left {
                return Err((*one, *other));
            }
        }
    }
    Ok(())
}

/// The law itself: rows from the left, then down; a column at the right after what is left of it.
#[test]
fn the_order_of_reading_is_judged() {
    let (first, beside, under) = ((0, 0, 10, 10), (20, 0, 10, 10), (0, 20, 10, 10));
    assert!(in_order(&[first, beside, under]).is_ok());
    assert!(in_order(&[first, under, beside]).is_ok());
    assert!(in_order(&[beside, first]).is_err());
    assert!(in_order(&[under, first]).is_err());
}

/// One page of the tree against the layout.
fn read(name: &str, headless: &Headless) {
    let page = headless.panel.page();
    let elements = headless.component().root_element();
    let find = |role: AccessibleRole| elements.query_descendants().match_accessible_role(role).find_all();
    let controls: Vec<ElementHandle> = elements
        .query_descendants()
        .match_predicate(|element| {
            matches!(
                element.accessible_role(),
                Some(AccessibleRole::Button | AccessibleRole::Checkbox)
            )
        })
        .find_all();
    let areas: Vec<_> = page.areas.iter().filter(|area| area.act.is_some()).collect();
    assert_eq!(controls.len(), areas.len(), "{name}");
    for (control, area) in controls.iter().zip(&areas) {
        let label = control.accessible_label().unwrap_or_default();
        assert!(!label.trim().is_empty(), "{name}: a control without a label");
        let (place, size) = (control.absolute_position(), control.size());
        // What Slint laid out is what was computed, in its order, so that tests/geometry.rs judges the screen.
        #[allow(clippy::cast_possible_truncation)]
        let found = (place.x as i32, place.y as i32, size.width as i32, size.height as i32);
        assert_eq!(
            (area.x, area.y, area.width, area.height),
            found,
            "{name}: {label} is not where it should be, or comes at another time"
        );
        assert_eq!(area.says, label.as_str(), "{name}");
        if area.style == Style::Option {
            assert_eq!(control.accessible_checked(), Some(area.chosen), "{name}: {label}");
        }
    }
    let places: Vec<Place> = areas
        .iter()
        .map(|area| (area.x, area.y, area.width, area.height))
        .collect();
    assert_eq!(in_order(&places), Ok(()), "{name}: controls");
    let texts = find(AccessibleRole::Text);
    let said: Vec<String> = texts
        .iter()
        .filter_map(ElementHandle::accessible_label)
        .map(String::from)
        .collect();
    let spoken: Vec<_> = page.texts.iter().filter(|line| !line.says.is_empty()).collect();
    let wanted: Vec<String> = spoken.iter().map(|line| line.says.clone()).collect();
    assert_eq!(said, wanted, "{name}");
    let places: Vec<Place> = spoken
        .iter()
        .map(|line| (line.x, line.y, line.width, line.height))
        .collect();
    assert_eq!(in_order(&places), Ok(()), "{name}: texts");
    assert_eq!(find(AccessibleRole::Image).len(), page.pictures.len(), "{name}");
}

/// The first page of the staff menu says that something needs attention, at every size on every panel: what it is may stand on a page that nobody
/// turns to. And nothing is said where nothing is wrong. When an alarm comes, a finger that aimed before does nothing.
#[test]
fn the_first_page_of_the_menu_says_that_there_are_alarms() {
    use kiosk::screen::{Health, Phase, Room, StaffScreen};
    let form = Form::new(common::town(), 0).expect("the form is there");
    let mut faulty = None;
    every(&form, &mut |name, screen| {
        if let (Screen::Staff(StaffScreen::Menu { health, .. }), "staff-menu-faults") = (screen, name) {
            faulty = Some(*health);
        }
    });
    let faulty = faulty.expect("the menu with everything that fails is there");
    let well = Health {
        media: [Ok(1 << 30); 2],
        reader: Ok(false),
        disk: None,
        celsius: None,
        ..faulty
    };
    let says = |headless: &Headless, settings: Settings, number: i64| {
        let said: String = headless
            .panel
            .page()
            .texts
            .iter()
            .map(|line| line.says.as_str())
            .collect();
        let boxes: String = headless
            .panel
            .page()
            .areas
            .iter()
            .map(|area| area.says.as_str())
            .collect();
        let wanted = panel::words::Say::with(panel::words::Word::StaffAttention, &[("n", number)]);
        let bare = |text: &str| text.split_whitespace().collect::<String>();
        bare(&(said + &boxes)).contains(&bare(&wanted.text(&LANGUAGES[settings.language])))
    };
    for (config, settings) in cover() {
        let headless = Headless::new(config).expect("a panel in memory");
        for phase in [Phase::NotOpened, Phase::Open] {
            for room in [Room::Enough, Room::Low, Room::Full] {
                let menu = |health: Health| {
                    let health = Health { room, ..health };
                    show(&headless, &Screen::Staff(StaffScreen::Menu { phase, health }), settings);
                };
                menu(well);
                let none = (0..6).any(|number| says(&headless, settings, number));
                assert!(!none, "{phase:?}, {room:?}: nothing is wrong");
                menu(faulty);
                assert!(
                    says(&headless, settings, 4 + i64::from(room != Room::Enough)),
                    "{config:?}, {settings:?}, {phase:?}, {room:?}"
                );
            }
        }
    }
    // An alarm comes while a finger is on its way to a row.
    let headless = Headless::new(cover()[0].0).expect("a panel in memory");
    let menu = |health| {
        headless.panel.show(&Screen::Staff(StaffScreen::Menu {
            phase: Phase::NotOpened,
            health,
        }));
        headless.draw();
    };
    let tap = || {
        let page = headless.panel.page();
        let row = |area: &&panel::layout::Area| matches!(area.act, Some(panel::scene::Act::Send(_)));
        let area = page.areas.iter().find(row).expect("a row");
        let (x, y) = (area.x + area.width / 2, area.y + area.height / 2);
        headless.press(x, y);
        headless.advance(50);
        headless.release(x, y);
        headless.panel.try_next()
    };
    menu(well);
    headless.advance(5_000);
    assert!(tap().is_some());
    headless.advance(5_000);
    menu(faulty);
    headless.advance(50);
    assert_eq!(tap(), None, "the rows have just moved");
    headless.advance(5_000);
    assert!(tap().is_some());
    // What only goes on counting moves nothing, and costs no touch.
    headless.advance(5_000);
    menu(Health {
        seconds: faulty.seconds + 10,
        ..faulty
    });
    headless.advance(50);
    assert!(tap().is_some());
}

/// After an update that was not taken staff read whether the kiosk's keys are still there.
#[test]
fn an_update_that_failed_late_says_that_the_keys_have_gone() {
    use kiosk::screen::{StaffScreen, UpdateScreen};
    use kiosk::update::Refused;
    use panel::scene::Block;
    let alarms = |retired| {
        let way = UpdateScreen::Refused {
            why: Refused::Disk,
            retired,
        };
        let scene = panel::compose::scene(&Screen::Staff(StaffScreen::Update(way)));
        let alarm =
            |block: &Block| matches!(block, Block::Alarm(say) if *say == panel::words::Word::UpdateRetired.into());
        scene.body.iter().filter(|block| alarm(block)).count()
    };
    assert_eq!([alarms(false), alarms(true)], [0, 1]);
}

/// A screen reader's action does what a finger does.
#[test]
fn a_control_can_be_activated_without_a_finger() {
    let form = Form::new(common::town(), 0).expect("the form is there");
    let headless = Headless::new(Config {
        width: 1280,
        height: 800,
        diagonal_mm: 257,
    })
    .expect("a panel in memory");
    every(&form, &mut |name, screen| {
        if name == "contest-0" {
            headless.panel.show(screen);
            headless.advance(1_000);
            headless.draw();
            let elements = headless.component().root_element();
            let option = elements
                .query_descendants()
                .match_accessible_role(AccessibleRole::Checkbox)
                .find_first();
            option.expect("an option").invoke_accessible_default_action();
            assert_eq!(headless.panel.try_next(), Some(kiosk::screen::Touch::Option(0)));
        }
    });
}

/// V3 from pixels: the strokes of a line are as high as its type says (a digit is as high as a capital), and no ink touches the
/// end of its room, which is what a cut text would do.
#[test]
fn v3_ink_is_as_high_as_computed_and_never_cut() {
    let form = Form::new(common::town(), 0).expect("the form is there");
    let mut lines = 0;
    for (config, settings) in cover() {
        let headless = Headless::new(config).expect("a panel in memory");
        every(&form, &mut |name, screen| {
            show(&headless, screen, settings);
            let page = headless.panel.page();
            let (width, _, pixels) = headless.pixels();
            let at = |x: i32, y: i32| pixels[usize::try_from(y).unwrap() * width + usize::try_from(x).unwrap()];
            for line in page
                .texts
                .iter()
                .chain(&page.captions)
                .filter(|line| !line.text.trim().is_empty())
            {
                let ground = at(line.x, line.y);
                let ink: Vec<(i32, i32)> = (line.y..line.y + line.height)
                    .flat_map(|y| (line.x..line.x + line.width).map(move |x| (x, y)))
                    .filter(|(x, y)| at(*x, *y) != ground)
                    .collect();
                assert!(!ink.is_empty(), "{name}: {:?} is not drawn", line.text);
                let right = ink.iter().map(|(x, _)| *x).max().unwrap_or(0) - line.x;
                let left = ink.iter().map(|(x, _)| *x).min().unwrap_or(0) - line.x;
                let drawn = panel::text::width(&line.text, line.em);
                assert!(
                    right - left <= drawn + 2,
                    "{name}: {line:?} is drawn from {left} to {right}, computed {drawn}: {config:?}, {settings:?}"
                );
                if line.text.chars().all(|character| character.is_ascii_digit()) {
                    let top = ink.iter().map(|(_, y)| *y).min().unwrap_or(0);
                    let bottom = ink.iter().map(|(_, y)| *y).max().unwrap_or(0);
                    let height = headless.panel.metrics().um(bottom - top + 1);
                    let computed = headless.panel.metrics().capital_um(line.em);
                    // Round digits reach over a capital by a twentieth, and ink covers pixels at both ends in part.
                    let slack = computed / 16 + headless.panel.metrics().um(2);
                    assert!(
                        (height - computed).abs() <= slack,
                        "{name}: {:?} is {height} um, computed {computed}",
                        line.text
                    );
                }
                lines += 1;
            }
        });
    }
    assert!(lines > 10_000, "{lines} lines");
}

/// The code on the screen is the code that the text says: read back from the pixels, module by module.
#[test]
fn a_qr_code_is_drawn_module_by_module_with_its_quiet_zone() {
    let form = Form::new(common::town(), 0).expect("the form is there");
    let headless = Headless::new(Config {
        width: 1024,
        height: 600,
        diagonal_mm: 257,
    })
    .expect("a panel in memory");
    let mut seen = 0;
    every(&form, &mut |name, screen| {
        // In every theme a code is black on white: readers expect it.
        for theme in 0..4 {
            show(
                &headless,
                screen,
                Settings {
                    theme,
                    ..Settings::default()
                },
            );
            for number in 0..headless.panel.page().count {
                headless.panel.turn(number);
                let page = headless.panel.page();
                let (width, _, pixels) = headless.pixels();
                for picture in &page.pictures {
                    let modules = picture.code.size() + 2 * panel::qr::QUIET;
                    let module = picture.side / modules;
                    assert_eq!(picture.side % modules, 0);
                    for y in 0..modules {
                        for x in 0..modules {
                            let (px, py) = (picture.x + x * module + module / 2, picture.y + y * module + module / 2);
                            let pixel = pixels[usize::try_from(py).unwrap() * width + usize::try_from(px).unwrap()];
                            let dark = picture.code.dark(x - panel::qr::QUIET, y - panel::qr::QUIET);
                            assert_eq!(pixel.g == 0, dark, "{name}, theme {theme}: module {x}, {y}");
                        }
                    }
                    seen += 1;
                }
            }
        }
    });
    assert!(seen >= 20, "{seen} codes");
}

/// A3 and the design: the tracking code and the choice never stand on one screen, but for the opening of a test ballot.
#[test]
fn the_code_and_the_choice_never_share_a_screen() {
    let form = Form::new(common::town(), 0).expect("the form is there");
    let headless = Headless::new(Config {
        width: 1280,
        height: 800,
        diagonal_mm: 257,
    })
    .expect("a panel in memory");
    let names: Vec<String> = form
        .contests()
        .flat_map(|item| item.contest.options.iter().map_while(Result::ok).collect::<Vec<_>>())
        .map(|option| panel::words::Say::from(option.name).text(&LANGUAGES[0]))
        .collect();
    every(&form, &mut |name, screen| {
        show(&headless, screen, Settings::default());
        let has = |wanted: &dyn Fn(&str) -> bool| {
            (0..headless.panel.page().count).any(|number| {
                headless.panel.turn(number);
                let page = headless.panel.page();
                page.texts.iter().chain(&page.captions).any(|line| wanted(&line.text))
            })
        };
        let code = has(&|text| text.contains("BA8G"));
        let choice = has(&|text| names.iter().any(|name| name == text));
        assert!(!(code && choice) || name.starts_with("opening"), "{name}");
        assert_eq!(code, name.starts_with("opening") || name.starts_with("cast"), "{name}");
    });
}
