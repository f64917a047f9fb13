//! What a panel keeps when a screen is gone.

use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;

use election::pictures::{Picture, pack};
use election::wire::{Seq, SeqWriter};

use super::*;
use crate::metrics::TextSize;

/// Nobody looks at it.
struct Nowhere;

impl Surface for Nowhere {
    fn draw(&self, _: &Page, _: u8, _: &Metrics) {}
    fn connect(&self, _: Box<dyn Fn(i32)>, _: Box<dyn Fn(i32, bool)>, _: Box<dyn Fn(i32)>) {}
}

/// A panel that has pictures of these characters, and has drawn beforehand what it draws.
fn panel(characters: &str) -> Panel {
    let config = Config {
        width: 800,
        height: 480,
        diagonal_mm: 178,
    };
    let panel = Panel::new(Nowhere, config, || 0).unwrap();
    let mut packed = Vec::new();
    pack(&[15; 70 * 60], 70, |byte| packed.push(byte));
    let mut sorted: Vec<String> = characters.chars().map(String::from).collect();
    sorted.sort();
    let mut buffer = vec![0; sorted.len() * (packed.len() + 20)];
    let mut list = SeqWriter::new(&mut buffer);
    for cluster in &sorted {
        let picture = Picture {
            cluster,
            font: 0,
            x: 20,
            y: 30,
            width: 70,
            height: 60,
            packed: &packed,
        };
        list.push(&picture).unwrap();
    }
    let pictures = list.finish();
    let pictures = Pictures {
        version: 1,
        fonts: Seq::default(),
        pictures,
    };
    panel.pictures(&pictures).unwrap();
    while panel.inner.prepare() {}
    panel
}

fn idle(panel: &Panel) {
    let election = Seq::default();
    let station = Seq::default();
    panel.show(&Screen::Idle { election, station });
}

/// Whoever chose what, in whichever size they read it: afterwards the panel is as it was when the package had come.
#[test]
fn a3_u9_a_panel_keeps_no_character_that_only_a_choice_has_shown() {
    let panel = panel("\u{5c71}\u{7530}\u{82b1}\u{5b50}");
    idle(&panel);
    let prepared = panel.inner.state.borrow().pictures.keys();
    assert_eq!(prepared.len(), 12, "all of them, in three sizes");
    for size in [TextSize::Small, TextSize::Normal, TextSize::Large, TextSize::Huge] {
        let chosen = Say::Texts(vec![("ja".to_string(), "\u{5c71}\u{7530}".to_string())]);
        let review = Scene::new(kind::REVIEW, "review", Shape::Flow, Say::plain("")).block(Block::Name(chosen));
        panel.inner.state.borrow_mut().scene = review;
        panel.set(Settings {
            size,
            ..Settings::default()
        });
        let drawn = panel.page().texts.iter().any(|line| line.picture.is_some());
        assert!(
            drawn,
            "{size:?}: the name is not drawn from pictures, and the test shows nothing"
        );
        assert!(panel.inner.state.borrow().pictures.holds_lines());
        idle(&panel);
        let state = panel.inner.state.borrow();
        assert_eq!(state.pictures.keys(), prepared, "{size:?}");
        assert!(!state.pictures.holds_lines(), "{size:?}: the name is still there");
        assert_eq!(state.settings.size, state.home.size);
    }
}

/// A board has no outlines: what neither a picture nor a letter shows would be blank on the ballot.
#[test]
fn u3_a_board_refuses_texts_that_it_would_leave_blank() {
    let panel = panel("\u{82b1}\u{20bb7}");
    let draws = |texts: &[(&str, &str)]| {
        let mut buffer = [0; 200];
        let mut list = SeqWriter::new(&mut buffer);
        for (language, text) in texts {
            list.push(&election::manifest::Text { language, text }).unwrap();
        }
        panel.draws_from_fields(list.finish())
    };
    assert!(draws(&[]));
    assert!(draws(&[("ja", "\u{82b1} \u{20bb7}"), ("en", "Yamada")]));
    // Some language shows each of them.
    assert!(!draws(&[("ja", "\u{82b1}\u{9f98}"), ("en", "Yamada")]));
    assert!(!draws(&[
        ("ja", "\u{82b1}\u{20bb7}"),
        ("ja-Hira", "\u{1f600}"),
        ("en", "Yamada")
    ]));
    assert!(
        !draws(&[("ja", "\u{82b1}\u{20bb7}"), ("en", "\u{82b1} Yamada")]),
        "a line is of one kind"
    );
}
