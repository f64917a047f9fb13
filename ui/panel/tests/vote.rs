//! A whole vote by touch alone on the real panel: fingers on pixels, and screens for the touches that come out. The session's
//! machine cannot be had without a ballot box, so the screens are answered by the few rules that this test needs; the
//! shipped loop behind the panel is a test of the room that joins both.
#![cfg(feature = "std")]

mod common;

use election::hash::Digest;
use kiosk::form::Form;
use kiosk::screen::{ContestScreen, OpeningScreen, PinOf, Review, Screen, Touch};
use kiosk::session::{PinDigits, Selected};
use panel::Config;
use panel::layout::{Area, Style};
use panel::render::Headless;
use panel::scene::Act;

const CODE: Digest = [7; 32];
const PANEL: Config = Config {
    width: 1280,
    height: 800,
    diagonal_mm: 257,
};

/// The booth: what the session would show for each touch, with its rules for contests (toggle, no overvote).
struct Booth {
    headless: Headless,
    form: Form<'static>,
    selected: Vec<Selected>,
    place: Place,
    typed: u8,
    cast: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Idle,
    Pin,
    Contest(u8, bool),
    Review,
    Sealed,
    Opening(u8),
    Ending,
    Done,
}

impl Booth {
    fn new() -> Self {
        let form = Form::new(common::town(), 0).expect("the form is there");
        let booth = Self {
            headless: Headless::new(PANEL).expect("a panel in memory"),
            form,
            selected: vec![Selected::NONE; form.contests().count()],
            place: Place::Idle,
            typed: 0,
            cast: false,
        };
        booth.show();
        booth
    }

    fn show(&self) {
        let count = u8::try_from(self.selected.len()).unwrap();
        let contest = |index: u8| {
            let item = self.form.contest(index).expect("a contest");
            let selected = self.selected[usize::from(index)];
            ContestScreen {
                contest: item.contest,
                order: item.order,
                index,
                count,
                selected,
                votes_left: item.contest.votes - selected.count(),
            }
        };
        let panel = &self.headless.panel;
        match self.place {
            Place::Idle => panel.show(&Screen::Idle {
                election: self.form.manifest().name,
                station: self.form.manifest().name,
            }),
            Place::Pin => panel.show(&Screen::Pin {
                digits: self.typed,
                tries_left: 3,
                wrong: false,
                who: PinOf::Voter,
                length: PinDigits::ANY,
            }),
            Place::Contest(index, false) => panel.show(&Screen::Contest(contest(index))),
            Place::Contest(index, true) => panel.show(&Screen::Overvote(contest(index))),
            Place::Review => panel.show(&Screen::Review(Review {
                form: self.form,
                selected: &self.selected,
            })),
            Place::Sealed => panel.show(&Screen::CastOrChallenge {
                code: &CODE,
                challenges_left: 3,
            }),
            Place::Opening(index) => {
                let screen = contest(index);
                panel.show(&Screen::Opening(OpeningScreen {
                    contest: screen.contest,
                    index,
                    count,
                    selected: screen.selected,
                    code: &CODE,
                    payload: b"IPO1",
                }));
            }
            Place::Ending => panel.show(&Screen::EndWithoutVote),
            Place::Done => panel.show(&Screen::Done),
        }
        self.headless.draw();
    }

    /// Lets every waiting touch act, as the kiosk's loop does.
    fn run(&mut self) {
        while let Some(touch) = self.headless.panel.try_next() {
            let last = u8::try_from(self.selected.len()).unwrap() - 1;
            self.place = match (self.place, touch) {
                (Place::Pin, Touch::Digit(_)) => {
                    self.typed += 1;
                    Place::Pin
                }
                (Place::Pin, Touch::Clear) => {
                    self.typed = 0;
                    Place::Pin
                }
                (Place::Pin, Touch::Enter) if self.typed >= 4 => Place::Contest(0, false),
                (Place::Contest(index, false), Touch::Option(option)) => {
                    let votes = self.form.contest(index).unwrap().contest.votes;
                    let selected = &mut self.selected[usize::from(index)];
                    let wanted = selected.toggled(option);
                    let over = wanted.count() > votes;
                    if !over {
                        *selected = wanted;
                    }
                    Place::Contest(index, over)
                }
                (Place::Contest(index, true), Touch::Confirm | Touch::Back) => Place::Contest(index, false),
                (Place::Contest(index, false), Touch::Next) if index < last => Place::Contest(index + 1, false),
                (Place::Contest(_, false), Touch::Next) => Place::Review,
                (Place::Contest(index, false), Touch::Back) => Place::Contest(index.saturating_sub(1), false),
                (Place::Contest(..) | Place::Review, Touch::EndWithoutVote) => Place::Ending,
                (Place::Ending, Touch::Back) => Place::Review,
                (Place::Review, Touch::Change(index)) => Place::Contest(index, false),
                (Place::Review, Touch::Confirm) => Place::Sealed,
                (Place::Sealed, Touch::Back) => Place::Review,
                (Place::Sealed, Touch::Challenge) => Place::Opening(0),
                (Place::Opening(index), Touch::Next) if index < last => Place::Opening(index + 1),
                (Place::Opening(_), Touch::Next) => {
                    self.selected.fill(Selected::NONE);
                    Place::Contest(0, false)
                }
                (Place::Sealed, Touch::Cast) => {
                    self.cast = true;
                    Place::Done
                }
                (place, _) => place,
            };
            self.show();
        }
    }

    fn find(&self, wanted: impl Fn(&Area) -> bool) -> Option<(i32, i32)> {
        let page = self.headless.panel.page();
        page.areas
            .iter()
            .find(|area| wanted(area))
            .map(|area| (area.x + area.width / 2, area.y + area.height / 2))
    }

    /// Taps what has this act, turning pages as a voter would until it is there.
    fn tap(&mut self, act: Act) {
        for _ in 0..100 {
            let (x, y) = match self.find(|area| area.act == Some(act)) {
                Some(at) => at,
                None => self
                    .find(|area| area.act == Some(Act::NextPage))
                    .expect("it is on some page"),
            };
            let found = self.find(|area| area.act == Some(act)).is_some();
            self.headless.tap(x, y);
            self.run();
            if found {
                return;
            }
        }
        panic!("{act:?} is on no page of {:?}", self.place);
    }

    fn send(&mut self, touch: Touch) {
        self.tap(Act::Send(touch));
    }

    fn enter(&mut self) {
        self.place = Place::Pin;
        self.typed = 0;
        self.show();
        for digit in [1, 2, 3, 4] {
            self.send(Touch::Digit(digit));
        }
        self.send(Touch::Enter);
        assert_eq!(self.place, Place::Contest(0, false));
    }
}

#[test]
fn a_whole_vote_by_touch_alone() {
    let mut booth = Booth::new();
    booth.enter();
    booth.send(Touch::Option(0));
    booth.send(Touch::Next);
    // A name on the last page.
    booth.send(Touch::Option(11));
    booth.send(Touch::Next);
    for option in [0, 4, 8] {
        booth.headless.panel.turn(0);
        booth.send(Touch::Option(option));
    }
    // A fourth is explained and changes nothing (V13).
    booth.headless.panel.turn(0);
    booth.send(Touch::Option(1));
    assert_eq!(booth.place, Place::Contest(2, true));
    booth.send(Touch::Confirm);
    booth.send(Touch::Next);
    assert_eq!(booth.place, Place::Review);
    // U2: the row leads back to its contest.
    booth.send(Touch::Change(0));
    booth.send(Touch::Option(0));
    booth.send(Touch::Option(1));
    booth.send(Touch::Next);
    booth.send(Touch::Next);
    booth.send(Touch::Next);
    booth.send(Touch::Confirm);
    assert_eq!(booth.place, Place::Sealed);
    booth.send(Touch::Cast);
    assert!(booth.cast);
    let bits: Vec<u64> = booth.selected.iter().map(|selected| selected.bits()).collect();
    assert_eq!(bits, [0b10, 1 << 11, 1 | 1 << 4 | 1 << 8]);
}

#[test]
fn a_challenge_and_then_a_vote() {
    let mut booth = Booth::new();
    booth.enter();
    booth.send(Touch::Option(1));
    for _ in 0..3 {
        booth.send(Touch::Next);
    }
    booth.send(Touch::Confirm);
    booth.send(Touch::Challenge);
    for _ in 0..3 {
        booth.send(Touch::Next);
    }
    assert_eq!(booth.place, Place::Contest(0, false));
    assert!(booth.selected.iter().all(|selected| *selected == Selected::NONE));
}

/// F9: half a minute on a name and 5 mm of slip still select it; two quick taps select it, and do not take it back.
#[test]
fn f9_long_slipping_and_double_taps() {
    let mut booth = Booth::new();
    booth.enter();
    let (x, y) = booth
        .find(|area| area.act == Some(Act::Send(Touch::Option(0))))
        .unwrap();
    booth.headless.advance(1_000);
    booth.headless.press(x, y);
    booth.headless.advance(30_000);
    let page = booth.headless.panel.page();
    let area = page
        .areas
        .iter()
        .find(|area| area.act == Some(Act::Send(Touch::Option(0))))
        .unwrap();
    let below = area.y + area.height + booth.headless.panel.metrics().px(5_000);
    booth.headless.slide(x, below);
    booth.headless.release(x, below);
    booth.run();
    assert!(booth.selected[0].has(0), "a long press with a slip");

    booth.headless.advance(1_000);
    for _ in 0..2 {
        booth.headless.press(x, y);
        booth.headless.advance(70);
        booth.headless.release(x, y);
        booth.headless.advance(110);
    }
    booth.run();
    assert!(!booth.selected[0].has(0), "a double tap is one tap");

    // Sliding far away takes the touch back.
    booth.headless.advance(1_000);
    booth.headless.press(x, y);
    booth.headless.slide(x, 0);
    booth.headless.release(x, 0);
    booth.run();
    assert!(!booth.selected[0].has(0));
}

/// A double tap on "next" leads one contest on, not two.
#[test]
fn f9_a_double_tap_on_next_skips_nothing() {
    let mut booth = Booth::new();
    booth.enter();
    let (x, y) = booth.find(|area| area.act == Some(Act::Send(Touch::Next))).unwrap();
    booth.headless.advance(1_000);
    for _ in 0..2 {
        booth.headless.press(x, y);
        booth.headless.advance(60);
        booth.headless.release(x, y);
        booth.run();
        booth.headless.advance(120);
    }
    assert_eq!(booth.place, Place::Contest(1, false));
}

/// The buttons that lead on stand at one place: however slow the second half of a double tap is, it acts on no screen that nobody has read.
#[test]
fn a3_a_slow_double_tap_passes_no_review_and_casts_nothing() {
    for gap in (20..panel::touch::SAME + 100).step_by(20) {
        for (from, act, to) in [
            (Place::Contest(0, false), Touch::Next, Place::Contest(1, false)),
            (Place::Contest(2, false), Touch::Next, Place::Review),
            (Place::Review, Touch::Confirm, Place::Sealed),
        ] {
            let mut booth = Booth::new();
            booth.enter();
            booth.place = from;
            booth.show();
            let pages = booth.headless.panel.page().count;
            booth.headless.panel.turn(pages - 1);
            booth.headless.draw();
            booth.headless.advance(5_000);
            let (x, y) = booth.find(|area| area.act == Some(Act::Send(act))).unwrap();
            for _ in 0..2 {
                booth.headless.press(x, y);
                booth.headless.advance(60);
                booth.headless.release(x, y);
                booth.run();
                booth.headless.advance(gap);
            }
            assert_eq!(booth.place, to, "{gap} ms");
        }
    }
}

/// Who turns pages or changes sizes says nothing to the kiosk but that somebody is there.
#[test]
fn a20_whoever_only_looks_is_there() {
    let mut booth = Booth::new();
    booth.enter();
    booth.headless.advance(5_000);
    let (x, y) = booth.find(|area| area.act == Some(Act::Settings)).unwrap();
    booth.headless.tap(x, y);
    assert_eq!(booth.headless.panel.try_next(), Some(Touch::Here));
    assert_eq!(booth.headless.panel.try_next(), None);
}

/// The queue holds 16 touches, drops the newest, and is emptied when the kind of screen changes.
#[test]
fn touches_for_one_screen_never_act_on_the_next() {
    let mut booth = Booth::new();
    booth.enter();
    let (x, y) = booth
        .find(|area| area.act == Some(Act::Send(Touch::Option(0))))
        .unwrap();
    for _ in 0..40 {
        booth.headless.tap(x, y);
    }
    let mut waiting = 0;
    while booth.headless.panel.try_next().is_some() {
        waiting += 1;
    }
    assert_eq!(waiting, 16);
    booth.headless.tap(x, y);
    booth.place = Place::Contest(1, false);
    booth.show();
    assert_eq!(booth.headless.panel.try_next(), None);
}

/// Language, size and colours are changed by touch, stay through the vote, and are gone at the next idle screen.
#[test]
fn v3_settings_are_the_voters_own_and_end_with_the_voter() {
    let mut booth = Booth::new();
    booth.enter();
    booth.tap(Act::Settings);
    booth.tap(Act::Language(1));
    booth.tap(Act::Size(panel::TextSize::Large));
    booth.tap(Act::Theme(2));
    booth.tap(Act::Close);
    let set = booth.headless.panel.settings();
    assert_eq!((set.language, set.size, set.theme), (1, panel::TextSize::Large, 2));
    booth.send(Touch::Option(0));
    booth.send(Touch::Next);
    assert_eq!(booth.headless.panel.settings(), set);
    booth.place = Place::Done;
    booth.show();
    booth.place = Place::Idle;
    booth.show();
    assert_eq!(booth.headless.panel.settings(), panel::Settings::default());
    // Made at the idle screen and left alone, they are forgotten too.
    booth.headless.panel.set(panel::Settings {
        language: 1,
        ..panel::Settings::default()
    });
    booth.tap(Act::Settings);
    booth.tap(Act::Theme(1));
    booth.headless.advance(91_000);
    assert_eq!(booth.headless.panel.settings(), panel::Settings::default());
}

/// The staff menu opens by two seconds on its button, not by a tap.
#[test]
fn the_staff_menu_wants_a_long_press() {
    let booth = Booth::new();
    let (x, y) = booth.find(|area| matches!(area.act, Some(Act::Hold(_)))).unwrap();
    booth.headless.tap(x, y);
    assert_eq!(booth.headless.panel.try_next(), None);
    booth.headless.advance(panel::touch::GUARD);
    booth.headless.press(x, y);
    booth.headless.advance(2_100);
    booth.headless.release(x, y);
    assert!(matches!(booth.headless.panel.try_next(), Some(Touch::Staff(_))));
    let page = booth.headless.panel.page();
    assert!(page.areas.iter().all(|area| area.style != Style::Invisible));
}
