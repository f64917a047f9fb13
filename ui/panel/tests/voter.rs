//! What requirements ask of the voter's screens, judged by what is on the panel and what a finger on it gives: A3, A18, A20, U1-U9,
//! V6, V7, V13. The session's own laws are the kiosk's tests.
#![cfg(feature = "std")]

mod common;

use i_slint_backend_testing::{AccessibleRole, ElementRoot as _};
use kiosk::form::Form;
use kiosk::screen::{ContestScreen, PinOf, Review, Screen, Touch};
use kiosk::session::{PinDigits, Selected};
use panel::layout::{Area, Page, Style};
use panel::render::{Headless, every};
use panel::scene::Act;
use panel::words::{LANGUAGES, Say};
use panel::{Config, Settings, TextSize};

fn panel(width: u32, height: u32, diagonal_mm: u32) -> Headless {
    let config = Config {
        width,
        height,
        diagonal_mm,
    };
    Headless::new(config).expect("a panel in memory")
}

fn usual() -> Headless {
    panel(1280, 800, 257)
}

fn form() -> Form<'static> {
    Form::new(common::town(), 0).expect("the form is there")
}

fn pages(headless: &Headless) -> Vec<Page> {
    (0..headless.panel.page().count)
        .map(|number| {
            headless.panel.turn(number);
            headless.panel.page()
        })
        .collect()
}

fn touches(page: &Page) -> Vec<Touch> {
    let own = page.areas.iter().filter_map(|area| area.act);
    own.chain(page.rest.iter().map(|button| button.act))
        .filter_map(|act| match act {
            Act::Send(touch) | Act::Hold(touch) => Some(touch),
            _ => None,
        })
        .collect()
}

fn words(pages: &[Page]) -> String {
    let lines = pages.iter().flat_map(|page| page.texts.iter().chain(&page.captions));
    lines.map(|line| line.text.replace(' ', "")).collect()
}

fn middle(area: &Area) -> (i32, i32) {
    (area.x + area.width / 2, area.y + area.height / 2)
}

fn contest(form: &Form<'static>, index: u8, selected: Selected) -> Screen<'static> {
    let item = form.contest(index).expect("the contest is there");
    Screen::Contest(ContestScreen {
        contest: item.contest,
        order: item.order,
        index,
        count: 3,
        selected,
        votes_left: item.contest.votes.saturating_sub(selected.count()),
    })
}

/// What is chosen: one option of each contest.
fn choice(option: u8) -> [Selected; 3] {
    [Selected::NONE.toggled(option % 2); 3].map(|selected| {
        if option < 2 {
            selected
        } else {
            Selected::NONE.toggled(option)
        }
    })
}

fn name(form: &Form<'static>, index: u8, option: usize) -> String {
    let item = form.contest(index).expect("the contest is there");
    let option = item
        .contest
        .options
        .iter()
        .nth(option)
        .expect("the option")
        .expect("valid");
    Say::from(option.name).text(&LANGUAGES[0]).replace(' ', "")
}

/// A3, U1: every chosen name is read on the review before there is a way on, on every panel and in every size.
#[test]
fn a3_u1_every_chosen_name_is_shown_before_the_way_on() {
    let form = form();
    for headless in [panel(800, 480, 178), usual()] {
        for size in TextSize::ALL {
            let selected = choice(1);
            headless.panel.show(&Screen::Blank);
            headless.panel.show(&Screen::Review(Review {
                form,
                selected: &selected,
            }));
            headless.panel.set(Settings {
                size,
                ..Settings::default()
            });
            let pages = pages(&headless);
            let all = words(&pages);
            for index in 0..3 {
                let name = name(&form, index, 1);
                assert!(all.contains(&name), "{name}, {size:?}");
            }
            for (number, page) in pages.iter().enumerate() {
                let on = touches(page).contains(&Touch::Confirm);
                assert_eq!(on, number + 1 == pages.len(), "the way on is on the last page only");
            }
        }
    }
}

/// A3, U3: of two options with the same name, or the same reading, what stands under the name tells on the review which was chosen.
#[test]
fn a3_u3_two_of_the_same_name_are_told_apart_on_the_review() {
    let name = |name: &'static str| vec![("ja", name), ("ja-Hira", "やまだ たろう")];
    let options = [
        ("山田 太郎", "市民の会"),
        ("山田 太郎", "無所属"),
        ("山田 太朗", "加賀をよくする会"),
        ("佐藤", "未来"),
    ];
    let ask = common::Ask {
        name: vec![("ja", "市長選挙")],
        text: vec![],
        votes: 1,
        options: options
            .iter()
            .map(|(own, party)| {
                let own = if *own == "佐藤" {
                    vec![("ja", "佐藤")]
                } else {
                    name(own)
                };
                (own, vec![("ja", *party)])
            })
            .collect(),
    };
    let manifest = common::manifest(&[("ja", "選挙")], &[ask]);
    let form = Form::new(manifest, 0).expect("the form is there");
    let headless = usual();
    for (option, (own, party)) in (0..).zip(options) {
        let selected = [Selected::NONE.toggled(option)];
        headless.panel.show(&Screen::Blank);
        headless.panel.show(&Screen::Review(Review {
            form,
            selected: &selected,
        }));
        let all = words(&pages(&headless));
        assert!(all.contains(&own.replace(' ', "")), "{all}");
        assert_eq!(all.contains(party), own != "佐藤", "{all}");
    }
}

/// A3, U3: twins as the desk lets them through with a warning, because only the party tells them apart: they differ in air, in a language
/// that falls back to another, or not at all in what is said. The review tells them apart in every language.
#[test]
fn a3_u3_twins_that_differ_in_air_or_in_a_language_that_is_not_shown_are_told_apart_on_the_review() {
    let pairs: [[common::Said; 2]; 6] = [
        [vec![("ja", "山田太郎")], vec![("ja", "山田 太郎")]],
        [vec![("ja", "山田太郎")], vec![("ja", "山田\u{3000}太郎")]],
        [vec![("ja", "山田太郎")], vec![("ja", "山田\u{200b}太郎")]],
        // English falls back to what the other has in Japanese.
        [
            vec![("ja", "Taro Yamada")],
            vec![("ja", "山田太郎"), ("en", "Taro  Yamada")],
        ],
        // Only heard, and read in easy Japanese: the one is written as the other is read.
        [
            vec![("ja", "やまだたろう")],
            vec![("ja", "山田太郎"), ("ja-Hira", "やまだ たろう")],
        ],
        [
            vec![("ja", "山田太郎"), ("ja-Hira", "やまだたろう")],
            vec![("ja", "山田太朗"), ("ja-Hira", "やまだ たろう")],
        ],
    ];
    let headless = usual();
    for names in pairs {
        let parties = [("ja", "市民の会"), ("ja", "未来の会")];
        let said = format!("{names:?}");
        let mut options: Vec<_> = names.into_iter().zip(parties.map(|party| vec![party])).collect();
        options.push((vec![("ja", "佐藤")], vec![("ja", "無所属")]));
        let ask = common::Ask {
            name: vec![("ja", "市長選挙")],
            text: vec![],
            votes: 1,
            options,
        };
        let form = Form::new(common::manifest(&[("ja", "選挙")], &[ask]), 0).expect("the form is there");
        for (option, party) in (0..).zip(["市民の会", "未来の会", "無所属"]) {
            for language in 0..LANGUAGES.len() {
                headless.panel.show(&Screen::Blank);
                headless.panel.show(&Screen::Review(Review {
                    form,
                    selected: &[Selected::NONE.toggled(option)],
                }));
                headless.panel.set(Settings {
                    language,
                    ..Settings::default()
                });
                let all = words(&pages(&headless));
                assert_eq!(all.contains(party), party != "無所属", "{said}: {all}");
            }
        }
    }
}

/// U2, V13: a touch on a contest of the review leads back to it; one with votes left says so, and the way on is there.
#[test]
fn u2_v13_the_review_leads_back_and_points_out_what_is_left() {
    let form = form();
    let headless = usual();
    let none = [Selected::NONE; 3];
    headless.panel.show(&Screen::Review(Review { form, selected: &none }));
    let pages = pages(&headless);
    let offered: Vec<Touch> = pages.iter().flat_map(touches).collect();
    for index in 0..3 {
        assert!(offered.contains(&Touch::Change(index)));
    }
    assert!(offered.contains(&Touch::Confirm), "an undervote never blocks");
    let all = words(&pages);
    for left in ["あと1つ選べます", "あと3つ選べます", "選んでいません"] {
        assert!(all.contains(left), "{left}");
    }
}

/// V13: one too many is explained with the number and the names that stay; nothing on that screen selects or deselects.
#[test]
fn v13_an_overvote_names_what_stays() {
    let form = form();
    let headless = usual();
    let item = form.contest(2).expect("the contest is there");
    let selected = [0, 4, 8].into_iter().fold(Selected::NONE, Selected::toggled);
    headless.panel.show(&Screen::Overvote(ContestScreen {
        contest: item.contest,
        order: item.order,
        index: 2,
        count: 3,
        selected,
        votes_left: 0,
    }));
    let pages = pages(&headless);
    let all = words(&pages);
    for option in [0, 4, 8] {
        assert!(all.contains(&name(&form, 2, option)));
    }
    assert!(all.contains("3つまで"));
    assert!(
        pages
            .iter()
            .flat_map(touches)
            .all(|touch| matches!(touch, Touch::Confirm | Touch::CallStaff))
    );
}

/// U3, U5: a contest shows its own options and no other's, with its number, and how many votes are left.
#[test]
fn u5_one_contest_at_a_time_with_votes_left() {
    let form = form();
    let headless = usual();
    headless.panel.show(&contest(&form, 2, Selected::NONE.toggled(3)));
    let pages = pages(&headless);
    let all = words(&pages);
    assert!(all.contains("3件中3件目") && all.contains("あと2つ選べます"), "{all}");
    let options = pages
        .iter()
        .flat_map(|page| &page.areas)
        .filter(|area| area.style == Style::Option);
    assert_eq!(options.clone().count(), 9);
    assert_eq!(options.filter(|area| area.chosen).count(), 1);
}

/// A18, U4: "end without a vote" is on every page of a contest and of the review, asks once more, and says what it means.
#[test]
fn a18_u4_ending_without_a_vote_is_always_there_and_confirmed() {
    let form = form();
    for headless in [panel(800, 480, 178), usual()] {
        let selected = choice(0);
        let screens = [
            contest(&form, 0, Selected::NONE),
            contest(&form, 1, Selected::NONE),
            Screen::Review(Review {
                form,
                selected: &selected,
            }),
        ];
        for screen in &screens {
            headless.panel.show(screen);
            for page in pages(&headless) {
                assert!(touches(&page).contains(&Touch::EndWithoutVote));
            }
        }
        headless.panel.show(&Screen::EndWithoutVote);
        let page = headless.panel.page();
        // Going on is what leads on; ending stands aside.
        let primary = page
            .areas
            .iter()
            .find(|area| area.style == Style::Primary)
            .expect("a way on");
        assert_eq!(primary.act, Some(Act::Send(Touch::Back)));
        assert!(touches(&page).contains(&Touch::Confirm));
        assert!(words(&[page]).contains("もう投票できません"));
    }
}

/// A20, V6: a touch anywhere on the warning only returns, locked offers nothing; no waiting gives a touch or changes the picture.
#[test]
fn a20_v6_the_warning_only_returns_and_waiting_does_nothing() {
    let form = form();
    let headless = usual();
    headless.panel.show(&Screen::StillThere);
    headless.draw();
    for (x, y) in [(5, 5), (640, 400), (1_270, 790), (30, 780)] {
        headless.tap(x, y);
        assert_eq!(headless.panel.try_next(), Some(Touch::Back), "at {x}, {y}");
    }
    headless.panel.show(&Screen::Locked);
    assert!(touches(&headless.panel.page()).is_empty());
    let selected = choice(1);
    for screen in [
        contest(&form, 0, selected[0]),
        Screen::Review(Review {
            form,
            selected: &selected,
        }),
        Screen::StillThere,
    ] {
        headless.panel.show(&screen);
        let before = headless.pixels().2;
        for _ in 0..20 {
            headless.advance(60_000);
            assert_eq!(headless.panel.try_next(), None);
        }
        assert!(headless.pixels().2 == before, "a picture that changes by itself");
    }
}

/// U9, V6, A20 and the design: whoever looks at these screens learns nothing of the choice: the pixels and what is read aloud are the
/// same whatever was chosen before.
#[test]
fn u9_what_hides_the_choice_hides_it() {
    let form = form();
    let hiding = [
        Screen::CallStaff,
        Screen::StillThere,
        Screen::Locked,
        Screen::Encrypting,
        Screen::Recording,
        Screen::Done,
        Screen::Abandoned,
        Screen::CastOrChallenge {
            code: &[9; 32],
            challenges_left: 3,
        },
    ];
    let seen = |headless: &Headless| {
        let elements = headless.component().root_element();
        let read: Vec<String> = [AccessibleRole::Text, AccessibleRole::Button, AccessibleRole::Checkbox]
            .into_iter()
            .flat_map(|role| elements.query_descendants().match_accessible_role(role).find_all())
            .filter_map(|element| element.accessible_label())
            .map(String::from)
            .collect();
        (headless.pixels().2, read)
    };
    let headless = usual();
    for screen in &hiding {
        let views: Vec<_> = [0, 1]
            .into_iter()
            .map(|option| {
                let selected = choice(option);
                headless.panel.show(&contest(&form, 1, selected[1]));
                headless.draw();
                let marked = seen(&headless);
                headless.panel.show(&Screen::Review(Review {
                    form,
                    selected: &selected,
                }));
                headless.draw();
                headless.panel.show(screen);
                (marked, seen(&headless))
            })
            .collect();
        assert!(views[0].0 != views[1].0, "the choice is seen while it is made");
        assert!(views[0].1 == views[1].1, "{} tells the choice", headless.panel.name());
    }
}

/// U9: staff can be called from what explains an overvote, from the question whether to end, and from the voter's own settings over any of them;
/// and what covers the choice covers it until the kiosk's own screen does.
#[test]
fn u9_staff_can_be_called_from_every_page_and_nothing_shows_on_the_way() {
    let form = form();
    let item = form.contest(1).expect("the contest is there");
    let selected = choice(1)[1];
    let over = Screen::Overvote(ContestScreen {
        contest: item.contest,
        order: item.order,
        index: 1,
        count: 3,
        selected,
        votes_left: 0,
    });
    let screens = [contest(&form, 1, selected), over, Screen::EndWithoutVote];
    for headless in [panel(800, 480, 178), usual()] {
        for size in TextSize::ALL {
            for screen in &screens {
                headless.panel.show(&Screen::Blank);
                headless.panel.show(screen);
                headless.panel.set(Settings {
                    size,
                    ..Settings::default()
                });
                let under = headless.panel.name();
                for page in pages(&headless) {
                    assert!(touches(&page).contains(&Touch::CallStaff), "{under}, {size:?}");
                }
                // Perhaps there, where the buttons that had no room are.
                let there = || tap_act(&headless, Act::Settings);
                assert!(
                    there() || tap_act(&headless, Act::Other) && there(),
                    "{under}, {size:?}"
                );
                assert_eq!(headless.panel.name(), "settings");
                while headless.panel.try_next().is_some() {}
                let call = || tap_act(&headless, Act::Send(Touch::CallStaff));
                assert!(
                    call() || tap_act(&headless, Act::Other) && call(),
                    "settings over {under}, {size:?}"
                );
                let sent: Vec<Touch> = std::iter::from_fn(|| headless.panel.try_next()).collect();
                assert_eq!(sent.last(), Some(&Touch::CallStaff));
                let over = headless.panel.name();
                assert!(
                    ["settings", "other"].contains(&over),
                    "{over}: the choice shows before staff are called"
                );
                headless.panel.show(&Screen::CallStaff);
                assert_eq!(headless.panel.name(), "call-staff");
            }
        }
    }
    // Where the kiosk has no screen of its own for it, the page closes: nobody stands in front of one that does nothing.
    let headless = usual();
    headless.panel.show(&Screen::LastTry { who: PinOf::Voter });
    assert!(tap_act(&headless, Act::Settings) && tap_act(&headless, Act::Send(Touch::CallStaff)));
    assert_eq!(headless.panel.name(), "last-try");
    // And where nobody can be called, settings do not offer it.
    headless.panel.show(&Screen::Done);
    headless.panel.show(&Screen::Idle {
        election: form.manifest().name,
        station: form.manifest().name,
    });
    assert!(tap_act(&headless, Act::Settings));
    assert!(!touches(&headless.panel.page()).contains(&Touch::CallStaff));
}

/// Taps what does this, on this page or one behind it.
fn tap_act(headless: &Headless, act: Act) -> bool {
    let tap = |act: Act| {
        let page = headless.panel.page();
        let area = page.areas.iter().find(|area| area.act == Some(act));
        let Some(place) = area.map(middle) else { return false };
        headless.draw();
        headless.tap(place.0, place.1);
        true
    };
    while headless.panel.page().index > 0 && tap(Act::PreviousPage) {}
    while !tap(act) {
        if !tap(Act::NextPage) {
            return false;
        }
    }
    true
}

/// U6: done says so, offers nothing to touch but nothing else, and what comes after is an empty screen.
#[test]
fn u6_done_is_unmistakable_and_then_nothing_is_left() {
    let headless = usual();
    headless.panel.show(&Screen::Done);
    let page = headless.panel.page();
    assert!(touches(&page).is_empty());
    let title = page.texts.iter().max_by_key(|line| line.em).expect("a title");
    assert_eq!(title.text, "完了");
    assert!(words(&[page]).contains("カードを抜いて"));
    headless.panel.show(&Screen::Blank);
    let (_, _, pixels) = headless.pixels();
    assert!(pixels.iter().all(|pixel| *pixel == pixels[0]));
}

/// V7: a key that is held gives one digit; nothing on any screen moves or flashes by itself.
#[test]
fn v7_no_key_repeats_and_nothing_flashes() {
    let headless = usual();
    headless.panel.show(&Screen::Pin {
        digits: 0,
        tries_left: 3,
        wrong: false,
        who: PinOf::Voter,
        length: PinDigits::ANY,
    });
    headless.draw();
    let page = headless.panel.page();
    let key = page
        .areas
        .iter()
        .find(|area| area.act == Some(Act::Send(Touch::Digit(5))))
        .expect("a key");
    let (x, y) = middle(key);
    headless.advance(1_000);
    headless.press(x, y);
    for _ in 0..100 {
        headless.advance(300);
    }
    headless.release(x, y);
    assert_eq!(headless.panel.try_next(), Some(Touch::Digit(5)));
    assert_eq!(headless.panel.try_next(), None);
    every(&form(), &mut |name, screen| {
        headless.panel.show(screen);
        headless.draw();
        for _ in 0..10 {
            headless.advance(100);
            assert!(!headless.draw(), "{name} is drawn again by itself");
        }
    });
}

/// V1 without a clock: the press alone changes the picture, before the finger leaves and before the kiosk answers.
#[test]
fn v1_a_press_is_seen_at_once() {
    let headless = usual();
    headless.panel.show(&contest(&form(), 0, Selected::NONE));
    headless.advance(1_000);
    let before = headless.pixels().2;
    let page = headless.panel.page();
    for area in page.areas.iter().filter(|area| area.act.is_some()) {
        let (x, y) = middle(area);
        headless.press(x, y);
        assert!(headless.pixels().2 != before, "{}", area.says);
        headless.slide(0, 0);
        headless.release(0, 0);
        assert!(headless.pixels().2 == before, "{}", area.says);
    }
}
