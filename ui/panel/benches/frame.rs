//! From a finger to the changed picture, and frames per second, on the software renderer: presenter, layout, Slint and pixels; no
//! kiosk between, no display behind. Besides one contest, every page of every screen there is: the slowest of them is named. One JSON line a figure: `{"name", "value", "unit", "peer", "ratio"}`. The peer is the bare
//! writing of as many pixels in the same run, which nothing that draws a whole picture can beat.

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use kiosk::form::Form;
use kiosk::screen::{ContestScreen, Screen, Touch};
use kiosk::session::Selected;
use panel::render::{Headless, every};
use panel::scene::Act;
use panel::slint::Rgb8Pixel;
use panel::{Config, Settings, TextSize};

const PANELS: [(&str, Config); 4] = [
    (
        "800x480",
        Config {
            width: 800,
            height: 480,
            diagonal_mm: 178,
        },
    ),
    (
        "1024x600",
        Config {
            width: 1024,
            height: 600,
            diagonal_mm: 257,
        },
    ),
    (
        "1280x800",
        Config {
            width: 1280,
            height: 800,
            diagonal_mm: 257,
        },
    ),
    (
        "1920x1080",
        Config {
            width: 1920,
            height: 1080,
            diagonal_mm: 396,
        },
    ),
];

const ROUNDS: usize = 60;
/// Times that each page of each screen is shown; the fastest of them counts, so that what else the machine does is not taken for the panel.
const TIMES: usize = 3;

fn main() {
    let form = Form::new(common::town(), 0).expect("the form is there");
    for (name, config) in PANELS {
        measure(name, config, &form);
    }
}

fn line(name: &str, value: f64, unit: &str, peer: &str, ratio: f64) {
    println!(
        "{}",
        serde_json::json!({
            "name": name,
            "value": (value * 100.0).round() / 100.0,
            "unit": unit,
            "peer": peer,
            "ratio": (ratio * 100.0).round() / 100.0,
        })
    );
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn measure(panel: &str, config: Config, form: &Form<'_>) {
    let pixels = usize::try_from(config.width * config.height).expect("a panel");
    let mut buffer = vec![Rgb8Pixel::default(); pixels];
    let bare = sorted(
        (0_u8..=255)
            .take(ROUNDS)
            .map(|shade| {
                let start = Instant::now();
                buffer.fill(Rgb8Pixel::new(shade, shade, 1));
                black_box(&mut buffer);
                start.elapsed()
            })
            .collect(),
    );
    let bare = bare[ROUNDS / 2];
    let headless = Headless::new(config).expect("a panel in memory");
    let item = form.contest(1).expect("the contest is there");
    let screen = |selected: Selected| {
        Screen::Contest(ContestScreen {
            contest: item.contest,
            order: item.order,
            index: 1,
            count: 3,
            selected,
            votes_left: item.contest.votes.saturating_sub(selected.count()),
        })
    };
    let (mut feedback, mut marked, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    let mut selected = Selected::NONE;
    headless.panel.show(&screen(selected));
    headless.draw();
    for round in 0..ROUNDS {
        // A finger comes down: the picture says so.
        let page = headless.panel.page();
        let area = page
            .areas
            .iter()
            .find(|area| area.act == Some(Act::Send(Touch::Option(0))))
            .expect("the first option");
        let (x, y) = (area.x + area.width / 2, area.y + area.height / 2);
        headless.advance(1_000);
        let start = Instant::now();
        headless.press(x, y);
        assert!(headless.draw());
        feedback.push(start.elapsed());
        headless.advance(100);
        // It leaves: the touch comes out, the screen with the mark comes back and is drawn.
        let start = Instant::now();
        headless.release(x, y);
        assert_eq!(headless.panel.try_next(), Some(Touch::Option(0)));
        selected = selected.toggled(0);
        headless.panel.show(&screen(selected));
        assert!(headless.draw());
        marked.push(start.elapsed());
        // Another screen altogether: everything is laid out and drawn anew.
        let size = if round % 2 == 0 {
            TextSize::Small
        } else {
            TextSize::Normal
        };
        let start = Instant::now();
        headless.panel.set(Settings {
            size,
            theme: u8::try_from(round % 4).expect("four"),
            ..Settings::default()
        });
        assert!(headless.draw());
        whole.push(start.elapsed());
        headless.panel.set(Settings::default());
        headless.draw();
    }
    let peer = "writing every pixel once";
    for (what, times) in [
        ("press_to_picture", feedback),
        ("touch_to_mark", marked),
        ("whole_screen", whole),
    ] {
        let times = sorted(times);
        for (quantile, time) in [("p50", times[ROUNDS / 2]), ("max", times[ROUNDS - 1])] {
            let ratio = time.as_secs_f64() / bare.as_secs_f64();
            line(&format!("{what}_{quantile}_{panel}"), ms(time), "ms", peer, ratio);
        }
        if what == "whole_screen" {
            let rate = 1.0 / times[ROUNDS / 2].as_secs_f64();
            line(&format!("frames_{panel}"), rate, "1/s", peer, rate * bare.as_secs_f64());
        }
    }
    slowest(panel, &headless, form, bare);
}

/// Every page of every screen, from the kiosk's value to the last pixel: how long the slowest takes, in each text size.
fn slowest(panel: &str, headless: &Headless, form: &Form<'_>, bare: Duration) {
    let (mut worst, mut pages) = ((Duration::ZERO, String::new()), 0_u32);
    for size in [TextSize::Normal, TextSize::Huge] {
        headless.panel.set(Settings {
            size,
            ..Settings::default()
        });
        every(form, &mut |name, screen| {
            for number in 0.. {
                let mut best = Duration::MAX;
                for _ in 0..TIMES {
                    headless.panel.show(&Screen::Blank);
                    headless.draw();
                    let start = Instant::now();
                    headless.panel.show(screen);
                    headless.panel.turn(number);
                    headless.draw();
                    best = best.min(start.elapsed());
                }
                if headless.panel.page().index != number {
                    break;
                }
                pages += 1;
                if best > worst.0 {
                    worst = (best, format!("{name}, page {}", number + 1));
                }
            }
        });
    }
    let (time, name) = worst;
    let peer = format!("writing every pixel once; of {pages} pages the slowest is {name}");
    let ratio = time.as_secs_f64() / bare.as_secs_f64();
    line(&format!("slowest_screen_{panel}"), ms(time), "ms", &peer, ratio);
}
