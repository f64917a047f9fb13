//! Pictures of the screens, compared by pixels with those in tests/snapshots, so that nobody changes what a voter sees without
//! looking at it. A pairwise cover of screen, language, panel, text size and theme, not the product.
//!
//! After a change that is meant: `IPPYO_UPDATE_SNAPSHOTS=1 cargo test -p panel --features std --test snapshots`, look at the
//! pictures, commit them. A comparison that fails writes the new picture and one with the pixels that differ in red.
#![cfg(feature = "std")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use kiosk::form::Form;
use kiosk::screen::Screen;
use panel::metrics::TextSize;
use panel::practice::Practice;
use panel::render::{Headless, every, own};
use panel::slint::Rgb8Pixel;
use panel::words::LANGUAGES;
use panel::{Config, Settings};

/// What is compared: one of each kind, in the state that has most on it. Names as [`every`] gives them, and practice by place.
const SCREENS: [&str; 31] = [
    "idle",
    "wrong-card-voted",
    "pin",
    "pin-wrong",
    "last-try",
    "admitting",
    "contest-0-chosen",
    "contest-1",
    "contest-2-chosen",
    "overvote-2",
    "review",
    "review-empty",
    "cast-or-challenge",
    "opening-1",
    "end-without-vote",
    "done",
    "abandoned",
    "still-there",
    "locked",
    "call-staff",
    "fault-medium",
    "staff-menu-before",
    "staff-menu-full",
    "staff-zero-report",
    "staff-restarted",
    "staff-closed",
    "practice-pin",
    "practice-contest",
    "settings",
    "other",
    "dark",
];

const PANELS: [Config; 4] = panel::metrics::REFERENCE;

/// Levels of screen, language, panel, text size, theme.
type Case = [usize; 5];

/// Each screen four times, with every language, panel, size and theme once; over the screens every pair of those.
fn cover() -> Vec<Case> {
    let mut cases = Vec::new();
    for screen in 0..SCREENS.len() {
        let (i, j) = (screen % 4, screen / 4);
        for row in 0..4 {
            cases.push([screen, row, (row + i) % 4, (row + j) % 4, (row + i + j) % 4]);
        }
    }
    cases
}

/// The cover is one: whatever two of the five are taken, every pair of their levels is there.
#[test]
fn the_cover_has_every_pair() {
    let levels = [SCREENS.len(), LANGUAGES.len(), PANELS.len(), 4, 4];
    assert_eq!(
        LANGUAGES.len(),
        4,
        "with another language the cover is to be computed anew"
    );
    for one in 0..5 {
        for other in one + 1..5 {
            let pairs: BTreeSet<_> = cover().iter().map(|case| (case[one], case[other])).collect();
            assert_eq!(pairs.len(), levels[one] * levels[other], "{one} and {other}");
        }
    }
}

/// Sixteen levels a channel: what an eye tells apart, and small files.
fn coarse(pixel: Rgb8Pixel) -> [u8; 3] {
    [pixel.r, pixel.g, pixel.b].map(|channel| (channel >> 4) * 17)
}

struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    fn write(&self, path: &Path) {
        let palette: Vec<[u8; 3]> = self
            .pixels
            .iter()
            .copied()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let file = std::io::BufWriter::new(std::fs::File::create(path).expect("the folder can be written"));
        let side = |side: usize| u32::try_from(side).expect("a panel");
        let mut encoder = png::Encoder::new(file, side(self.width), side(self.height));
        encoder.set_compression(png::Compression::High);
        assert!(palette.len() <= 256, "{}: {} colours", path.display(), palette.len());
        let place =
            |pixel: &[u8; 3]| u8::try_from(palette.binary_search(pixel).expect("it is there")).expect("up to 256");
        // Black on white has sixteen shades: two pixels a byte.
        let (depth, bytes): (_, Vec<u8>) = if palette.len() <= 16 {
            let pair = |pair: &[[u8; 3]]| place(&pair[0]) << 4 | pair.get(1).map_or(0, place);
            let rows = self.pixels.chunks(self.width);
            (
                png::BitDepth::Four,
                rows.flat_map(|row| row.chunks(2).map(pair)).collect(),
            )
        } else {
            (png::BitDepth::Eight, self.pixels.iter().map(place).collect())
        };
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(depth);
        encoder.set_filter(png::Filter::NoFilter);
        encoder.set_palette(palette.concat());
        let mut writer = encoder.write_header().expect("a header");
        writer.write_image_data(&bytes).expect("the picture is written");
    }

    fn read(path: &Path) -> Option<Self> {
        let mut decoder = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(path).ok()?));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().ok()?;
        let mut bytes = vec![0; reader.output_buffer_size()?];
        let info = reader.next_frame(&mut bytes).ok()?;
        Some(Self {
            width: usize::try_from(info.width).ok()?,
            height: usize::try_from(info.height).ok()?,
            pixels: bytes
                .chunks_exact(3)
                .map(|pixel| [pixel[0], pixel[1], pixel[2]])
                .collect(),
        })
    }

    /// How many pixels differ, and a picture of them: red on what was.
    fn differs(&self, wanted: &Self) -> Option<(usize, Self)> {
        if (self.width, self.height) != (wanted.width, wanted.height) {
            return Some((self.pixels.len().max(wanted.pixels.len()), self.pale()));
        }
        let mut shown = wanted.pale();
        let mut count = 0;
        for ((own, other), shown) in self.pixels.iter().zip(&wanted.pixels).zip(&mut shown.pixels) {
            if own != other {
                *shown = [255, 0, 0];
                count += 1;
            }
        }
        (count > 0).then_some((count, shown))
    }

    fn pale(&self) -> Self {
        let pale = |pixel: &[u8; 3]| {
            let grey = pixel.iter().map(|channel| u16::from(*channel)).sum::<u16>() / 3;
            [u8::try_from(grey / 2).unwrap_or(0) & 0xf0; 3]
        };
        Self {
            pixels: self.pixels.iter().map(pale).collect(),
            ..*self
        }
    }
}

/// The comparison sees one pixel of one shade.
#[test]
fn one_pixel_that_differs_is_seen() {
    let white = || Picture {
        width: 40,
        height: 30,
        pixels: vec![[255; 3]; 1_200],
    };
    assert!(white().differs(&white()).is_none());
    let mut other = white();
    other.pixels[777] = [238, 255, 255];
    let (count, shown) = other.differs(&white()).expect("one differs");
    assert_eq!((count, shown.pixels[777]), (1, [255, 0, 0]));
}

fn file(case: Case) -> String {
    let [screen, language, panel, size, theme] = case;
    let (config, tag) = (PANELS[panel], LANGUAGES[language].tag);
    let name = SCREENS[screen];
    format!(
        "{name}.{tag}.{}x{}.size-{}.theme-{}.png",
        config.width,
        config.height,
        size + 1,
        theme + 1
    )
}

/// Pictures of the cases of one panel; every other one is the screen's last page.
fn pictures(panel: usize) -> BTreeMap<String, Picture> {
    let form = Form::new(common::town(), 0).expect("the form is there");
    let headless = Headless::new(PANELS[panel]).expect("a panel in memory");
    let mut out = BTreeMap::new();
    let mut draw = |name: &str, show: &dyn Fn(Settings)| {
        let Some(screen) = SCREENS.iter().position(|own| *own == name) else {
            return;
        };
        for case in cover().into_iter().filter(|case| case[0] == screen && case[2] == panel) {
            let settings = Settings {
                language: case[1],
                size: TextSize::ALL[case[3]],
                theme: u8::try_from(case[4]).expect("four"),
            };
            // After a dark panel: nothing of it is left for the next voter.
            headless.panel.show(&Screen::Idle {
                election: form.manifest().name,
                station: form.manifest().name,
            });
            headless.panel.show(&Screen::Blank);
            show(settings);
            headless.panel.set(settings);
            headless.panel.turn(if case[1] % 2 == 0 { 0 } else { usize::MAX - 1 });
            let (width, height, pixels) = headless.pixels();
            let pixels = pixels.into_iter().map(coarse).collect();
            out.insert(file(case), Picture { width, height, pixels });
        }
    };
    every(&form, &mut |name, screen| draw(name, &|_| headless.panel.show(screen)));
    for practice in Practice::every() {
        let name = panel::compose::practice(&practice).name;
        draw(name, &|_| headless.panel.practise(Some(practice)));
    }
    // The panel's own pages depend on the settings that they were opened in: what stands behind "other" has no room at that size.
    for name in ["settings", "other", "dark"] {
        draw(name, &|settings| {
            own(&form, settings, &mut |own, show| {
                if own == name {
                    show(&headless.panel);
                }
            });
        });
    }
    out
}

#[test]
fn the_screens_look_as_they_did() {
    let stored = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots"));
    let found = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("snapshots");
    let update = std::env::var_os("IPPYO_UPDATE_SNAPSHOTS").is_some();
    std::fs::create_dir_all(&found).expect("the target folder can be written");
    std::fs::create_dir_all(&stored).expect("the folder can be written");
    // A panel a thread: each has a window system of its own.
    let threads: Vec<_> = (0..PANELS.len())
        .map(|panel| std::thread::spawn(move || pictures(panel)))
        .collect();
    let drawn: BTreeMap<String, Picture> = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("drawn"))
        .collect();
    assert_eq!(
        drawn.len(),
        cover().len(),
        "a screen of the list does not exist any more"
    );
    let mut failures = Vec::new();
    for (name, picture) in &drawn {
        let wanted = Picture::read(&stored.join(name));
        let differs = match &wanted {
            Some(wanted) => picture.differs(wanted),
            None => Some((picture.pixels.len(), picture.pale())),
        };
        let Some((count, shown)) = differs else { continue };
        if update {
            picture.write(&stored.join(name));
            continue;
        }
        picture.write(&found.join(name));
        shown.write(&found.join(name.replace(".png", ".differs.png")));
        failures.push(format!("{name}: {count} pixels"));
    }
    // Pictures that nothing is compared with are no evidence.
    for entry in std::fs::read_dir(&stored).expect("the folder is there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !drawn.contains_key(&name) {
            if update {
                std::fs::remove_file(entry.path()).expect("it can be removed");
            } else {
                failures.push(format!("{name}: nothing is drawn for it"));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} pictures differ; new ones and the differing pixels are in {}; if they are meant, IPPYO_UPDATE_SNAPSHOTS=1\n{}",
        failures.len(),
        found.display(),
        failures.join("\n")
    );
}
