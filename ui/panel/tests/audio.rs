//! The ear and a few keys on the real panel (A17, U8, V5): what is on the screen can be heard, what a finger can do a key can do, and nothing is
//! said that must not be. A whole vote by ear at the shipped loop is a test of the simulator, which has the loop.
#![cfg(feature = "std")]

mod common;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use election::clips::{ClipKey, Clips};
use kiosk::form::Form;
use kiosk::screen::{ContestScreen, PinOf, Screen, Touch};
use kiosk::session::{PinDigits, Selected};
use panel::audio::{
    Item, Key, Level, Piece, Sound, Speech, VOLUMES, Voice, home_volume, items, own_words, pieces, walk, wanted,
};
use panel::render::{Headless, every};
use panel::scene::Act;
use panel::words::{LANGUAGES, Say, Word};
use panel::{Config, Settings};
use proptest::prelude::*;

const PANEL: Config = Config {
    width: 1280,
    height: 800,
    diagonal_mm: 257,
};

/// Everything that the desk would render for the town's election.
fn rendered() -> BTreeSet<Piece> {
    let mut out = BTreeSet::new();
    for language in &LANGUAGES {
        for speech in own_words() {
            out.extend(wanted(&speech, language));
        }
        let forms = [Form::new(common::town(), 0).unwrap()];
        walk(&forms, &[], &mut |_, scene| {
            for speech in items(scene).iter().flat_map(|item| &item.says) {
                out.extend(wanted(speech, language));
            }
        });
    }
    out
}

/// What was said: each time the texts, in which voice, how.
type Heard = Rc<RefCell<Vec<(Vec<String>, Level)>>>;

/// Somebody's headphones: remembers what is said, and when there was to be silence (an empty line).
struct Phones {
    texts: BTreeMap<ClipKey, String>,
    heard: Heard,
}

impl Sound for Phones {
    fn clips(&mut self, _: Option<&Clips<'_>>) {}

    fn voice(&self) -> Voice {
        Voice::Ready
    }

    fn has(&self, key: ClipKey) -> bool {
        self.texts.contains_key(&key)
    }

    fn say(&mut self, clips: &[ClipKey], level: Level) {
        let texts = clips.iter().map(|key| self.texts[key].clone()).collect();
        self.heard.borrow_mut().push((texts, level));
    }

    fn stop(&mut self) {
        self.heard.borrow_mut().push((Vec::new(), Level::home(0)));
    }

    fn home(&self) -> u8 {
        home_volume(100)
    }
}

struct Listener {
    headless: Headless,
    heard: Heard,
}

impl Listener {
    fn new(by_keys: bool) -> Self {
        let headless = Headless::new(PANEL).expect("a panel in memory");
        let heard = Heard::default();
        let texts = rendered().into_iter().map(|piece| (piece.key(), piece.text)).collect();
        let phones = Phones {
            texts,
            heard: heard.clone(),
        };
        headless.panel.connect_sound(Box::new(phones), by_keys);
        Self { headless, heard }
    }

    fn plugged() -> Self {
        let listener = Self::new(false);
        listener.headless.panel.headphones(true);
        listener
    }

    fn show(&self, screen: &Screen<'_>) {
        self.headless.panel.show(screen);
        self.headless.draw();
    }

    fn press(&self, key: Key) {
        self.headless.advance(600);
        self.headless.panel.key(key);
    }

    /// What was said since the last time, in one line.
    fn said(&self) -> String {
        let all: Vec<String> = self.heard.borrow_mut().drain(..).flat_map(|(texts, _)| texts).collect();
        all.join(" | ")
    }

    fn touch(&self) -> Option<Touch> {
        loop {
            match self.headless.panel.try_next() {
                Some(Touch::Here) => {}
                other => return other,
            }
        }
    }
}

fn idle() -> Screen<'static> {
    let name = common::town().name;
    Screen::Idle {
        election: name,
        station: name,
    }
}

fn contest(index: u8, selected: Selected) -> Screen<'static> {
    let form: &'static Form<'static> = Box::leak(Box::new(Form::new(common::town(), 0).unwrap()));
    let item = form.contest(index).unwrap();
    Screen::Contest(ContestScreen {
        contest: item.contest,
        order: item.order,
        index,
        count: 3,
        selected,
        votes_left: item.contest.votes - selected.count(),
    })
}

fn pin(digits: u8) -> Screen<'static> {
    Screen::Pin {
        digits,
        tries_left: 3,
        wrong: false,
        who: PinOf::Voter,
        length: PinDigits::ANY,
    }
}

/// A17: every thing on every screen, in every language, has something to be said for it, and all of it was rendered.
#[test]
fn a17_everything_on_every_screen_can_be_heard_in_every_language() {
    let clips = rendered();
    let forms = [Form::new(common::town(), 0).unwrap()];
    let mut count = 0;
    for language in &LANGUAGES {
        walk(&forms, &[], &mut |name, scene| {
            let items = items(scene);
            assert!(!items.is_empty() || scene.shape == panel::scene::Shape::Blank, "{name}");
            for item in items {
                let said: Vec<Piece> = item
                    .says
                    .iter()
                    .flat_map(|one| pieces(one, language, &|piece| clips.contains(piece)))
                    .collect();
                assert!(!said.is_empty(), "{}: {name}: {item:?}", language.tag);
                for piece in said {
                    assert!(clips.contains(&piece), "{}: {name}: {piece:?}", language.tag);
                    count += 1;
                }
            }
        });
    }
    assert!(count > 5_000, "{count}");
}

/// Every text that is shown to a voter stands in what is said: the ear misses nothing that the eye gets. (Staff's screens are named as such.)
#[test]
fn a17_what_is_shown_is_what_is_heard() {
    let form = Form::new(common::town(), 0).unwrap();
    let headless = Headless::new(PANEL).unwrap();
    let mut screens = 0;
    every(&form, &mut |name, screen| {
        let scene = panel::compose::scene(screen);
        if name.starts_with("staff-") || name.starts_with("fault-") {
            return;
        }
        for (number, language) in LANGUAGES.iter().enumerate() {
            headless.panel.show(&Screen::Blank);
            headless.panel.show(screen);
            headless.panel.set(Settings {
                language: number,
                ..Settings::default()
            });
            let bare = |text: &str| {
                text.chars()
                    .filter(|letter| letter.is_alphanumeric())
                    .collect::<String>()
                    .to_uppercase()
            };
            let heard: String = items(&scene)
                .iter()
                .flat_map(|item| &item.says)
                .flat_map(|one| match one {
                    // Readings stand for names: what is compared is the name.
                    Speech::Say(say) => vec![bare(&say.text(language))],
                    Speech::Spell(text) => vec![bare(text)],
                })
                .collect();
            for index in 0.. {
                headless.panel.turn(index);
                let page = headless.panel.page();
                if page.index != index {
                    break;
                }
                let texts = page.texts.iter().map(|line| &line.says);
                let boxes = page.areas.iter().filter(|area| {
                    !matches!(area.act, Some(Act::NextPage | Act::PreviousPage | Act::Other))
                        && area.style != panel::layout::Style::Invisible
                });
                for says in texts.chain(boxes.map(|area| &area.says)) {
                    // "n/m pages" is the eye's alone; the ear has one list.
                    let pages = [("n", 1), ("m", 1)];
                    let pages = bare(&Say::with(Word::Page, &pages).text(language)).replace('1', "");
                    let part = bare(says);
                    if part
                        .trim_matches(char::is_numeric)
                        .replace(|c: char| c.is_ascii_digit(), "")
                        == pages
                        || part.chars().all(char::is_numeric)
                    {
                        continue;
                    }
                    let digit = bare(&Say::with(Word::PinDigit, &[("n", 7)]).text(language)).replace('7', "");
                    let part = part.strip_prefix(&digit).unwrap_or(&part);
                    assert!(heard.contains(part), "{}: {name}: {says:?} is not heard", language.tag);
                }
            }
        }
        screens += 1;
    });
    assert!(screens > 30);
}

/// Every act that a finger finds on any page of a screen (behind "other" too) is on the ear's list, and nothing else is.
#[test]
fn a17_u8_every_touch_of_every_screen_can_be_made_by_keys() {
    let form = Form::new(common::town(), 0).unwrap();
    let headless = Headless::new(PANEL).unwrap();
    let own = |act: &Act| !matches!(act, Act::NextPage | Act::PreviousPage | Act::Other);
    let mut acts = 0;
    every(&form, &mut |name, screen| {
        let scene = panel::compose::scene(screen);
        headless.panel.show(&Screen::Blank);
        headless.panel.show(screen);
        let mut fingers: Vec<String> = Vec::new();
        for index in 0.. {
            headless.panel.turn(index);
            let page = headless.panel.page();
            if page.index != index {
                break;
            }
            let boxes = page.areas.iter().filter_map(|area| area.act);
            let rest = page.rest.iter().map(|button| button.act);
            fingers.extend(boxes.chain(rest).filter(own).map(|act| format!("{act:?}")));
        }
        let mut keys: Vec<String> = items(&scene)
            .iter()
            .filter_map(|item| item.act)
            .map(|act| format!("{act:?}"))
            .collect();
        fingers.sort();
        fingers.dedup();
        keys.sort();
        assert_eq!(keys, fingers, "{name}");
        acts += keys.len();
    });
    assert!(acts > 100, "{acts}");
}

/// The same on the panel itself: stepping through a screen, each thing's key press gives the touch that its tap gives, through the same queue.
#[test]
fn u8_a_key_does_what_a_tap_does() {
    let listener = Listener::plugged();
    for screen in [
        contest(1, Selected::NONE),
        pin(0),
        Screen::EndWithoutVote,
        Screen::Abandoned,
    ] {
        let wanted: Vec<Touch> = items(&panel::compose::scene(&screen))
            .iter()
            .filter_map(|item| match item.act {
                Some(Act::Send(touch)) => Some(touch),
                _ => None,
            })
            .collect();
        assert!(!wanted.is_empty());
        listener.show(&Screen::Blank);
        listener.show(&screen);
        listener.headless.advance(1_000);
        let mut got = Vec::new();
        for _ in 0..items(&panel::compose::scene(&screen)).len() {
            listener.press(Key::Next);
            let focus = listener.headless.panel.page();
            // What a key is on is on the page, and framed.
            if let Some(frame) = focus
                .areas
                .last()
                .filter(|area| area.style == panel::layout::Style::Alarm && area.act.is_none())
            {
                assert!(
                    focus
                        .areas
                        .iter()
                        .any(|area| area.act.is_some() && area.x >= frame.x && area.y >= frame.y)
                );
            }
            listener.press(Key::Select);
            got.extend(listener.touch());
            // Settings opened on the way are closed by their own last button.
            if listener.headless.panel.name() == "settings" {
                listener.press(Key::Next);
                while listener.headless.panel.name() == "settings" {
                    listener.press(Key::Next);
                    if listener.said().contains("決めた") {
                        listener.press(Key::Select);
                    }
                }
            }
        }
        got.dedup();
        assert_eq!(got, wanted);
    }
}

/// F9: a key that turns the page turns it under a finger that has not read it: such a finger does nothing, and the keys go on.
#[test]
fn f9_a_page_that_a_key_has_turned_takes_no_finger_before_it_could_be_read() {
    let listener = Listener::plugged();
    let headless = &listener.headless;
    listener.show(&contest(2, Selected::NONE));
    headless.panel.set(Settings {
        size: panel::TextSize::Huge,
        ..Settings::default()
    });
    headless.draw();
    let place = |page: &panel::layout::Page| {
        let option = |act| matches!(act, Some(Act::Send(Touch::Option(_))));
        let area = page.areas.iter().find(|area| option(area.act)).expect("an option");
        (area.x + area.width / 2, area.y + area.height / 2)
    };
    while headless.panel.page().index == 0 {
        listener.press(Key::Next);
    }
    headless.draw();
    while listener.touch().is_some() {}
    let now = headless.panel.page();
    assert!(now.index > 0);
    // A finger that aimed at the page before, a moment after.
    let (x, y) = place(&now);
    headless.advance(100);
    headless.press(x, y);
    headless.advance(100);
    headless.release(x, y);
    assert_eq!(
        listener.touch(),
        None,
        "a finger acted on a page that a key had just turned"
    );
    // The key does what it is on, without waiting.
    headless.panel.key(Key::Select);
    assert!(matches!(listener.touch(), Some(Touch::Option(_))));
    // And so does the finger when there was time to read.
    headless.tap(x, y);
    assert!(matches!(listener.touch(), Some(Touch::Option(_))));
}

/// Staff have no other way than voters where a finger is of no use: the menu is opened, walked and answered with keys.
#[test]
fn u8_staff_open_polls_and_name_the_epoch_with_keys_alone() {
    use kiosk::screen::{StaffScreen, StaffTouch};
    let listener = Listener::plugged();
    let select = |wanted: Touch| {
        for _ in 0..40 {
            listener.press(Key::Next);
            // What is held by a finger is pressed twice by a key; what else is there on the way is not for this test.
            let on = listener.headless.panel.focus();
            if matches!(on, Some(Act::Send(touch) | Act::Hold(touch)) if touch == wanted) {
                listener.press(Key::Select);
                if matches!(on, Some(Act::Hold(_))) {
                    assert_eq!(listener.touch(), None, "once is too little");
                    listener.press(Key::Select);
                }
                return listener.touch();
            }
        }
        None
    };
    listener.show(&idle());
    let menu = Touch::Staff(StaffTouch::Menu);
    assert_eq!(select(menu), Some(menu));
    let mut seen = BTreeSet::new();
    every(&Form::new(common::town(), 0).unwrap(), &mut |name, screen| {
        let Screen::Staff(staff) = screen else { return };
        let wanted: Vec<Touch> = panel::compose::scene(screen)
            .body
            .iter()
            .filter_map(|block| match block {
                panel::scene::Block::Row {
                    act: Act::Send(touch) | Act::Hold(touch),
                    ..
                } => Some(*touch),
                _ => None,
            })
            .collect();
        for touch in wanted {
            listener.show(&Screen::Blank);
            listener.show(screen);
            assert_eq!(select(touch), Some(touch), "{name}");
            seen.insert(format!("{touch:?}"));
        }
        if let StaffScreen::Closed(_) = staff {
            listener.show(&Screen::Blank);
            listener.show(screen);
            assert_eq!(select(Touch::Confirm), Some(Touch::Confirm), "{name}");
        }
    });
    for wanted in [
        StaffTouch::Open,
        StaffTouch::Close,
        StaffTouch::Retire,
        StaffTouch::Epoch(0),
    ] {
        assert!(seen.contains(&format!("{:?}", Touch::Staff(wanted))), "{wanted:?}");
    }
}

/// What a screen of staff's offers is what the loop waits for there, and all of it: no button does nothing, and nothing that can be done lacks
/// a button.
#[test]
fn every_touch_that_staff_are_offered_does_something_and_nothing_is_missing() {
    use kiosk::screen::StaffTouch;
    let universe: Vec<Touch> = [
        Touch::Clear,
        Touch::Enter,
        Touch::Next,
        Touch::Back,
        Touch::Cast,
        Touch::Challenge,
        Touch::EndWithoutVote,
        Touch::Confirm,
        Touch::CallStaff,
    ]
    .into_iter()
    .chain((0..16).flat_map(|number| {
        [
            Touch::Digit(number),
            Touch::Option(number),
            Touch::Change(number),
            Touch::Staff(StaffTouch::Epoch(number)),
        ]
    }))
    .chain(
        [
            StaffTouch::Menu,
            StaffTouch::Open,
            StaffTouch::Close,
            StaffTouch::Retire,
            StaffTouch::Update,
        ]
        .map(Touch::Staff),
    )
    .collect();
    let sorted = |touches: &mut dyn Iterator<Item = Touch>| {
        let set: BTreeSet<String> = touches.map(|touch| format!("{touch:?}")).collect();
        set
    };
    let (mut screens, mut found) = (0, BTreeSet::new());
    every(&Form::new(common::town(), 0).unwrap(), &mut |name, screen| {
        let Screen::Staff(staff) = screen else { return };
        let mut both = |staff: &kiosk::screen::StaffScreen<'_>| {
            let screen = Screen::Staff(*staff);
            let scene = panel::compose::with_update(&screen, panel::compose::scene(&screen));
            let offered = items(&scene).into_iter().filter_map(|item| match item.act {
                Some(Act::Send(touch) | Act::Hold(touch)) => Some(touch),
                _ => None,
            });
            let offered = sorted(&mut offered.into_iter());
            let taken = sorted(&mut universe.iter().copied().filter(|touch| staff.takes(*touch)));
            assert_eq!(offered, taken, "{name}");
            found.extend(taken);
        };
        both(staff);
        if let kiosk::screen::StaffScreen::Closed(closed) = staff {
            both(&kiosk::screen::StaffScreen::Closed(kiosk::screen::ClosedScreen {
                retire: !closed.retire,
                ..*closed
            }));
        }
        screens += 1;
    });
    assert!(screens > 20 && found.len() == 8, "{screens}, {found:?}");
}

/// Selecting is answered by what is chosen now and how many votes are left; a change made by a finger is heard as well.
#[test]
fn a3_a17_a_choice_is_said_when_it_changes_by_key_or_finger() {
    let listener = Listener::plugged();
    listener.show(&contest(2, Selected::NONE));
    listener.said();
    listener.press(Key::Next);
    assert!(listener.said().starts_with("かが たろう"));
    listener.press(Key::Select);
    assert_eq!(listener.touch(), Some(Touch::Option(0)));
    listener.show(&contest(2, Selected::NONE.toggled(0)));
    let said = listener.said();
    assert!(
        said.starts_with("かが たろう") && said.contains("選びました") && said.contains("あと2つ選べます"),
        "{said}"
    );
    // The kiosk says what a finger did elsewhere on the screen.
    listener.show(&contest(2, Selected::NONE.toggled(0).toggled(1)));
    let said = listener.said();
    assert!(
        said.starts_with("やましろ はなこ") && said.contains("あと1つ選べます"),
        "{said}"
    );
    listener.show(&contest(2, Selected::NONE.toggled(0)));
    assert!(listener.said().contains("取り消しました"));
    // One is where one was: the next thing is the second name.
    listener.press(Key::Next);
    assert!(listener.said().starts_with("やましろ はなこ"));
}

/// Digits are places on the pad; what was typed is counted and never said, whichever way it was typed.
#[test]
fn a19_a_digit_that_was_typed_is_never_said() {
    let listener = Listener::plugged();
    listener.show(&pin(0));
    listener.headless.advance(1_000);
    listener.said();
    for (typed, digit) in (1_u8..).zip([4, 7, 7, 0]) {
        listener.press(Key::Digit(digit));
        assert_eq!(listener.touch(), Some(Touch::Digit(digit)));
        listener.show(&pin(typed));
        assert_eq!(listener.said(), format!("{typed}けた入力しました"));
    }
    // The fifth by the cursor: the label under it is heard before, as the key's face is seen.
    listener.press(Key::Next);
    assert_eq!(listener.said(), "1");
    listener.press(Key::Select);
    assert_eq!(listener.touch(), Some(Touch::Digit(1)));
    listener.show(&pin(5));
    assert_eq!(listener.said(), "5けた入力しました");
    // A digit key means nothing where no PIN is asked.
    listener.show(&contest(0, Selected::NONE));
    listener.headless.advance(1_000);
    listener.press(Key::Digit(3));
    assert_eq!(listener.touch(), None);
}

/// Without headphones nothing is said, at any time; pulling them is silence at once, in the middle of anything; the vote goes on by finger and key.
#[test]
fn u8_f10_nothing_is_said_without_headphones() {
    let listener = Listener::new(false);
    listener.show(&contest(0, Selected::NONE));
    listener.press(Key::Next);
    listener.press(Key::Help);
    assert_eq!(listener.heard.borrow().len(), 0);
    listener.press(Key::Select);
    assert_eq!(listener.touch(), Some(Touch::Option(0)));
    listener.headless.panel.headphones(true);
    assert!(!listener.said().is_empty());
    listener.press(Key::Next);
    assert!(!listener.said().is_empty());
    listener.headless.panel.headphones(false);
    let last = listener.heard.borrow_mut().drain(..).next_back();
    assert!(last.is_some_and(|(texts, _)| texts.is_empty()), "silence is asked for");
    for key in [Key::Next, Key::Repeat, Key::Louder, Key::Select] {
        listener.press(key);
    }
    listener.show(&contest(1, Selected::NONE));
    assert_eq!(listener.heard.borrow().len(), 0);
    // Where nothing feels them, the first key is the sign, and the next voter begins in silence.
    let blind = Listener::new(true);
    blind.show(&contest(0, Selected::NONE));
    assert_eq!(blind.said(), "");
    blind.press(Key::Select);
    assert!(blind.said().contains("「次」と「前」"));
    assert_eq!(blind.touch(), None, "the first key only begins to speak");
    blind.show(&idle());
    blind.said();
    blind.show(&contest(0, Selected::NONE));
    assert_eq!(blind.said(), "");
}

/// Loudness, speed, darkness and language are the voter's own; the next one meets the kiosk as it was.
#[test]
fn v5_everything_a_voter_has_set_ends_with_the_voter() {
    let listener = Listener::plugged();
    listener.show(&idle());
    listener.show(&contest(0, Selected::NONE));
    let first = listener.heard.borrow().last().unwrap().1;
    assert_eq!((first.volume, first.eighths()), (home_volume(100), 8));
    for key in [
        Key::Louder,
        Key::Louder,
        Key::Faster,
        Key::Slower,
        Key::Slower,
        Key::Blank,
    ] {
        listener.press(key);
    }
    let set = listener.heard.borrow().last().unwrap().1;
    assert_eq!((set.volume, set.eighths()), (home_volume(100) + 2, 7));
    for _ in 0..2 * VOLUMES {
        listener.press(Key::Louder);
    }
    assert_eq!(listener.heard.borrow().last().unwrap().1.volume, VOLUMES);
    listener.show(&idle());
    listener.show(&contest(0, Selected::NONE));
    let (texts, level) = listener.heard.borrow().last().unwrap().clone();
    assert_eq!(level, first);
    assert!(!texts.is_empty());
    assert!(
        listener.headless.panel.page().texts.len() > 1,
        "the picture is on again"
    );
}

/// Repeat says the last thing again, at the loudness and speed of now; the answer of the volume key is not what is repeated.
#[test]
fn v5_repeat_says_what_one_was_listening_to() {
    let listener = Listener::plugged();
    listener.show(&contest(0, Selected::NONE));
    listener.press(Key::Next);
    let name = listener.said();
    listener.press(Key::Louder);
    assert_eq!(listener.said(), format!("音の大きさ {}", home_volume(100) + 1));
    listener.press(Key::Repeat);
    assert!(name.ends_with(&listener.said()));
    assert_eq!(listener.heard.borrow().len(), 0);
}

/// A dark panel shows nothing of the choice; a touch on it only brings the picture back, and is told; keys go on in the dark.
#[test]
fn u8_the_picture_can_be_switched_off() {
    let listener = Listener::plugged();
    listener.show(&contest(0, Selected::NONE.toggled(0)));
    listener.headless.advance(1_000);
    listener.press(Key::Blank);
    listener.headless.draw();
    let (_, _, pixels) = listener.headless.pixels();
    assert!(pixels.windows(2).all(|pair| pair[0] == pair[1]), "one colour");
    assert!(pixels[0].r < 40 && pixels[0].g < 40 && pixels[0].b < 40, "dark");
    listener.press(Key::Next);
    listener.press(Key::Select);
    assert_eq!(listener.touch(), Some(Touch::Option(0)));
    listener.show(&contest(0, Selected::NONE));
    assert!(listener.headless.panel.page().texts.is_empty());
    // Out of the ears: it stays dark, for whoever stands behind.
    listener.headless.panel.headphones(false);
    assert!(listener.headless.panel.page().texts.is_empty());
    listener.headless.panel.headphones(true);
    listener.said();
    listener.headless.tap(300, 300);
    assert_eq!(listener.touch(), None, "a touch in the dark chooses nothing");
    assert!(listener.headless.panel.page().texts.len() > 1);
    assert_eq!(listener.said(), "画面が出ています");
}

/// U9: staff who are called find a lit panel, and it says nothing of the choice; the ballot behind it is as dark as before, and both are told.
#[test]
fn u9_a_ballot_in_the_dark_stays_in_the_dark_behind_the_staffs_screen() {
    let listener = Listener::plugged();
    let marked = contest(0, Selected::NONE.toggled(0));
    listener.show(&marked);
    listener.headless.advance(1_000);
    listener.press(Key::Blank);
    let dark = || listener.headless.panel.page().texts.is_empty();
    assert!(dark());
    for screen in [Screen::CallStaff, Screen::Locked, Screen::CallStaff] {
        listener.said();
        listener.show(&screen);
        assert!(!dark(), "staff read this");
        let said = listener.said();
        assert!(said.contains("画面が出ています"), "{said}");
        // The key changes nothing here, and does not say so either.
        listener.press(Key::Blank);
        assert!(!dark());
        assert_eq!(listener.said(), "画面が出ています");
        // Nor does the page for size and language bring the ballot out.
        listener.headless.panel.open_settings();
        listener.said();
        listener.show(&marked);
        assert!(dark(), "the marked ballot is lit behind the staff's screen");
        let said = listener.said();
        assert!(said.contains("画面を消しました"), "{said}");
    }
    listener.show(&Screen::Review(kiosk::screen::Review {
        form: Form::new(common::town(), 0).unwrap(),
        selected: &[Selected::NONE; 3],
    }));
    assert!(dark());
    // The voter's own touch brings it back, and no screen of staff's takes it away.
    listener.headless.tap(300, 300);
    assert!(!dark());
    listener.show(&Screen::CallStaff);
    listener.show(&marked);
    assert!(!dark());
}

/// A20: who listens and steps through a long list is there; the kiosk hears of it, and of nothing else. And the question whether one is there is
/// answered by any key.
#[test]
fn a20_listening_is_being_there() {
    let listener = Listener::plugged();
    listener.show(&contest(0, Selected::NONE));
    listener.said();
    listener.press(Key::Next);
    let name = listener.said();
    assert_eq!(listener.headless.panel.try_next(), Some(Touch::Here));
    listener.show(&Screen::StillThere);
    listener.headless.advance(1_000);
    assert!(listener.said().contains("どのボタンを押しても"));
    listener.press(Key::Louder);
    assert_eq!(listener.touch(), Some(Touch::Back));
    // Behind it one is where one was.
    listener.show(&contest(0, Selected::NONE));
    assert!(listener.said().ends_with(&name), "the name one was on comes last");
    listener.show(&idle());
    listener.headless.advance(1_000);
    while listener.headless.panel.try_next().is_some() {}
    listener.press(Key::Next);
    assert_eq!(listener.headless.panel.try_next(), None, "no voter, no patience");
}

/// The staff's button is not met by chance: it wants a second press.
#[test]
fn the_staff_menu_wants_select_twice() {
    let listener = Listener::plugged();
    listener.show(&idle());
    listener.headless.advance(1_000);
    let staff = loop {
        listener.press(Key::Next);
        let said = listener.said();
        if said.contains("係員用") {
            break said;
        }
        assert!(!said.contains("最後"), "{said}");
    };
    assert!(staff.ends_with("ボタン"));
    listener.press(Key::Select);
    assert_eq!(listener.touch(), None);
    assert!(listener.said().contains("もう一度"));
    listener.press(Key::Select);
    assert!(matches!(listener.touch(), Some(Touch::Staff(_))));
}

/// Language is chosen by ear: each is said in its own voice, and what follows comes in it.
#[test]
fn a17_the_language_is_chosen_by_ear() {
    let listener = Listener::plugged();
    listener.show(&contest(0, Selected::NONE));
    listener.headless.advance(1_000);
    let select = |wanted: &str| {
        for _ in 0..60 {
            listener.press(Key::Next);
            if listener.said().starts_with(wanted) {
                listener.press(Key::Select);
                return;
            }
        }
        panic!("{wanted} is nowhere");
    };
    select("文字・色 Language");
    select("English");
    assert!(listener.said().contains("is chosen now"));
    select("Done");
    let said = listener.said();
    assert!(said.contains("Referendum on the sports park plan"), "{said}");
    // Behind settings one is where one was, at a button: the options stand before it.
    let said: Vec<String> = (0..5)
        .map(|_| {
            listener.press(Key::Previous);
            listener.said()
        })
        .collect();
    for name in ["For", "Against"] {
        assert!(said.iter().any(|said| said == name), "{name}: {said:?}");
    }
}

proptest! {
    /// However many votes, tries or pages an election has: what is said of it is made of clips that are there.
    #[test]
    fn a17_any_number_is_said_with_the_clips_there_are(n in -5_i64..2_000_000, m in 0_i64..500) {
        thread_local! { static CLIPS: BTreeSet<Piece> = rendered(); }
        CLIPS.with(|clips| {
            for language in &LANGUAGES {
                for word in [Word::ContestLeft, Word::PinTries, Word::PinTyped, Word::ContestNumber, Word::AudioPlace, Word::ReviewUnder] {
                    let speech = Speech::Say(Say::with(word, &[("n", n), ("m", m)]));
                    for piece in pieces(&speech, language, &|piece| clips.contains(piece)) {
                        prop_assert!(clips.contains(&piece), "{piece:?}");
                    }
                }
            }
            Ok(())
        })?;
    }

    /// Any keys in any order, with any headphones: nothing panics, and every touch is one that the screen offers, or a sign of life.
    #[test]
    fn u8_any_keys_at_any_time_only_do_what_the_screen_offers(keys in proptest::collection::vec(0_u8..14, 1..60)) {
        let listener = Listener::plugged();
        listener.show(&contest(2, Selected::NONE));
        listener.headless.advance(1_000);
        let offered: Vec<Touch> = items(&panel::compose::scene(&contest(2, Selected::NONE)))
            .iter()
            .filter_map(|item: &Item| match item.act { Some(Act::Send(touch)) => Some(touch), _ => None })
            .collect();
        for key in keys {
            match key {
                0..=2 => listener.press(Key::Next),
                3 => listener.press(Key::Previous),
                4 | 5 => listener.press(Key::Select),
                6 => listener.press(Key::Repeat),
                7 => listener.press(Key::Help),
                8 => listener.press(Key::Louder),
                9 => listener.press(Key::Slower),
                10 => listener.press(Key::Blank),
                11 => listener.headless.panel.headphones(false),
                12 => listener.headless.panel.headphones(true),
                _ => listener.press(Key::Digit(5)),
            }
            while let Some(touch) = listener.headless.panel.try_next() {
                prop_assert!(touch == Touch::Here || offered.contains(&touch), "{touch:?}");
            }
        }
    }
}
