//! Renders every screen of a made-up election to a folder, to be looked at while screens are made:
//! `cargo run -p panel --features std --example screens -- OUT [WIDTHxHEIGHT] [DIAGONAL_MM] [LANGUAGE] [SIZE 1-4] [THEME 1-4]`

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::{Duration, Instant};

use kiosk::form::Form;
use kiosk::screen::Screen;
use panel::metrics::TextSize;
use panel::words::LANGUAGES;
use panel::{Config, Settings};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| arguments.get(index).map_or_else(|| default.to_string(), Clone::clone);
    let size = argument(1, "1280x800");
    let (width, height) = size.split_once('x').ok_or("a size looks like 1280x800")?;
    let config = Config {
        width: width.parse()?,
        height: height.parse()?,
        diagonal_mm: argument(2, "257").parse()?,
    };
    let tag = argument(3, "ja");
    let settings = Settings {
        language: LANGUAGES
            .iter()
            .position(|language| language.tag == tag)
            .ok_or("no such language in lang/")?,
        size: *TextSize::ALL
            .get(argument(4, "2").parse::<usize>()?.wrapping_sub(1))
            .ok_or("a text size is 1 to 4")?,
        theme: argument(5, "1").parse::<u8>()?.wrapping_sub(1),
    };
    let manifest = common::town();
    let form = Form::new(manifest, 0).ok_or("the form is there")?;
    let list = panel::render::render_all(&[form], None, config, settings, argument(0, "screens").as_ref())?;
    println!("{} pictures", list.len());
    pace(&form, config, settings)
}

/// From a finger to the changed picture, without the kiosk between: what presenter and renderer take.
fn pace(form: &Form<'_>, config: Config, settings: Settings) -> Result<(), Box<dyn std::error::Error>> {
    let headless = panel::render::Headless::new(config)?;
    let (mut whole, mut press, mut count) = (Duration::ZERO, Duration::ZERO, 0_u32);
    panel::render::every(form, &mut |_, screen| {
        headless.panel.show(&Screen::Blank);
        headless.panel.set(settings);
        headless.draw();
        headless.advance(1_000);
        let start = Instant::now();
        headless.panel.show(screen);
        headless.panel.set(settings);
        headless.draw();
        whole = whole.max(start.elapsed());
        if let Some(area) = headless.panel.page().areas.iter().find(|area| area.act.is_some()) {
            let start = Instant::now();
            headless.press(area.x + area.width / 2, area.y + area.height / 2);
            headless.draw();
            press = press.max(start.elapsed());
            headless.slide(0, 0);
            headless.release(0, 0);
        }
        count += 1;
    });
    println!("{count} screens: slowest new screen {whole:?}, slowest feedback to a finger {press:?}");
    Ok(())
}
