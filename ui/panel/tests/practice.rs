//! Practice (U10) on the real panel, by touch: unmistakably not live, and nothing of it ever leaves the panel.
#![cfg(feature = "std")]

mod common;

use kiosk::form::Form;
use kiosk::screen::{Fault, Health, Phase, Room, Screen, StaffScreen, Touch};
use panel::layout::{Page, Style};
use panel::practice::{Place, Practice};
use panel::render::Headless;
use panel::scene::Act;
use panel::words::{LANGUAGES, Word};
use panel::{Config, Settings};

const HEALTH: Health = Health {
    counts: None,
    free: 0,
    free_spoiled: 0,
    room: Room::Enough,
    unsent: 0,
    online: None,
    height: 0,
    seconds: 1_795_305_600,
    media: [Ok(64 << 20); 2],
    reader: Ok(false),
    disk: None,
    celsius: None,
};

fn menu(phase: Phase) -> Screen<'static> {
    Screen::Staff(StaffScreen::Menu { phase, health: HEALTH })
}

fn panel() -> Headless {
    Headless::new(Config {
        width: 1280,
        height: 800,
        diagonal_mm: 257,
    })
    .expect("a panel in memory")
}

fn find(page: &Page, act: Act) -> Option<(i32, i32)> {
    page.areas
        .iter()
        .find(|area| area.act == Some(act))
        .map(|area| (area.x + area.width / 2, area.y + area.height / 2))
}

fn tap(headless: &Headless, act: Act) {
    for _ in 0..20 {
        let page = headless.panel.page();
        if let Some((x, y)) = find(&page, act) {
            return headless.tap(x, y);
        }
        let (x, y) = find(&page, Act::NextPage).expect("it is on some page");
        headless.tap(x, y);
    }
    panic!("{act:?} is on no page of {}", headless.panel.name());
}

fn hold(headless: &Headless, act: Act) {
    let (x, y) = find(&headless.panel.page(), act).expect("it is there");
    headless.advance(panel::touch::GUARD);
    headless.press(x, y);
    headless.advance(2_100);
    headless.release(x, y);
}

fn says_practice(page: &Page, language: usize) -> bool {
    let wanted = LANGUAGES[language].word(Word::PracticeBanner).replace('\u{200b}', "");
    let banner = page.areas.iter().any(|area| area.style == Style::Banner);
    let heard = page
        .texts
        .first()
        .is_some_and(|line| line.says.replace('\u{200b}', "") == wanted);
    let drawn: String = page.captions.iter().map(|line| line.text.replace(' ', "")).collect();
    banner && heard && drawn.contains(&wanted.replace(' ', ""))
}

/// From the staff menu through the whole path and back: the banner on every screen, and no touch for the kiosk, ever.
#[test]
fn u10_practice_says_so_on_every_screen_and_nothing_leaves_the_panel() {
    let headless = panel();
    headless.panel.show(&menu(Phase::NotOpened));
    tap(&headless, Act::StartPractice);
    let own = Act::Practice;
    let digits = [7, 7, 1, 0].map(|digit| own(Touch::Digit(digit)));
    let start = [own(Touch::Next)];
    let path = [
        own(Touch::Enter),
        own(Touch::Option(0)),
        own(Touch::Option(1)),
        own(Touch::Confirm),
        own(Touch::Next),
        own(Touch::Option(2)),
        Act::Settings,
        Act::Language(1),
        Act::Close,
        own(Touch::CallStaff),
        own(Touch::Back),
        own(Touch::Next),
        own(Touch::Change(0)),
        own(Touch::Next),
        own(Touch::Next),
        own(Touch::EndWithoutVote),
        own(Touch::Back),
        own(Touch::Confirm),
        own(Touch::Cast),
    ];
    for act in start.into_iter().chain(digits).chain(path) {
        tap(&headless, act);
        let page = headless.panel.page();
        assert!(
            says_practice(&page, headless.panel.settings().language),
            "{} after {act:?}",
            headless.panel.name()
        );
        assert_eq!(headless.panel.try_next(), None, "{act:?}");
        assert!(
            page.areas
                .iter()
                .all(|area| !matches!(area.act, Some(Act::Send(_) | Act::Hold(_)))),
            "{act:?}"
        );
    }
    assert_eq!(headless.panel.name(), "practice-done");
    // The next one meets the first language and nothing chosen.
    tap(&headless, own(Touch::Next));
    assert_eq!(headless.panel.settings(), Settings::default());
    // A tap does not end it, two seconds do.
    tap(&headless, Act::EndPractice);
    assert_eq!(headless.panel.name(), "practice-start");
    hold(&headless, Act::EndPractice);
    assert_eq!(headless.panel.name(), "staff-menu");
    assert_eq!(headless.panel.try_next(), None);
}

/// Every page of every place, in every language: banner there, and filled in the picture.
#[test]
fn u10_the_banner_is_drawn_in_every_language_and_theme() {
    let headless = panel();
    headless.panel.show(&menu(Phase::NotOpened));
    for (theme, language) in (0_u8..).zip(0..LANGUAGES.len()) {
        for practice in Practice::every() {
            headless.panel.practise(Some(practice));
            headless.panel.set(Settings {
                language,
                theme,
                ..Settings::default()
            });
            for number in 0..headless.panel.page().count {
                headless.panel.turn(number);
                let page = headless.panel.page();
                assert!(says_practice(&page, language), "{:?}", practice.place);
                let banner = page
                    .areas
                    .iter()
                    .find(|area| area.style == Style::Banner)
                    .expect("above");
                let (width, _, pixels) = headless.pixels();
                let at = |x: i32, y: i32| pixels[usize::try_from(y).unwrap() * width + usize::try_from(x).unwrap()];
                // The corner of the banner is its ground; just under it is the paper.
                let below = banner.y + banner.height + 3;
                assert_ne!(at(3, banner.y + 3), at(3, below), "{:?}, theme {theme}", practice.place);
            }
        }
    }
}

/// The other way round: no screen of the kiosk has a banner, and practice is not offered once polls are open.
#[test]
fn u10_no_live_screen_looks_like_practice() {
    let form = Form::new(common::town(), 0).expect("the form is there");
    let headless = panel();
    panel::render::every(&form, &mut |name, screen| {
        headless.panel.show(&Screen::Blank);
        headless.panel.show(screen);
        let page = headless.panel.page();
        assert!(page.areas.iter().all(|area| area.style != Style::Banner), "{name}");
    });
    for (phase, offered) in [
        (Phase::Unprovisioned, true),
        (Phase::NotOpened, true),
        (Phase::Open, false),
        (Phase::Closed, false),
    ] {
        let scene = panel::compose::scene(&menu(phase));
        let has = format!("{scene:?}").contains("StartPractice");
        assert_eq!(has, offered, "{phase:?}");
    }
}

/// What the kiosk has to say ends it; news of the same menu does not; left alone it starts over.
#[test]
fn u10_practice_gives_way_to_the_kiosk() {
    let headless = panel();
    headless.panel.show(&menu(Phase::NotOpened));
    tap(&headless, Act::StartPractice);
    tap(&headless, Act::Practice(Touch::Next));
    headless.panel.show(&Screen::Staff(StaffScreen::Menu {
        phase: Phase::NotOpened,
        health: Health {
            seconds: 1_795_305_660,
            ..HEALTH
        },
    }));
    assert_eq!(headless.panel.name(), "practice-pin");
    headless.advance(91_000);
    assert_eq!(headless.panel.name(), "practice-start");
    headless.panel.show(&Screen::Fault {
        why: Fault::Entropy,
        recorded: None,
    });
    assert_eq!(headless.panel.name(), "fault");
    headless.panel.show(&menu(Phase::NotOpened));
    assert_eq!(headless.panel.name(), "staff-menu");
}

/// U9 in practice too: staff who are called see nothing of what was chosen.
#[test]
fn u10_u9_calling_staff_hides_what_was_chosen() {
    let headless = panel();
    headless.panel.show(&menu(Phase::NotOpened));
    let pictures: Vec<_> = [0, 3]
        .into_iter()
        .map(|option| {
            let mut practice = Practice::every()[2];
            practice.selected = Practice::default().selected;
            let called = practice.touched(Touch::Option(option)).touched(Touch::CallStaff);
            assert!(matches!(called.place, Place::Called(_)));
            headless.panel.practise(Some(called));
            headless.pixels().2
        })
        .collect();
    assert_eq!(pictures[0], pictures[1]);
}
