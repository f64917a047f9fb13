//! Names as signed pictures (U3): what is drawn at the desk is what the panel shows, pixel by pixel; what no font or no panel can
//! show is refused at the desk, by name.
#![cfg(feature = "screens")]

#[path = "support/key.rs"]
mod key;

use std::path::{Path, PathBuf};

use election::ledger::role;
use election::manifest::{CheckedManifest, Manifest, election_hash};
use election::package::{Kind as Section, Package, PackageError};
use election::pictures::{EM, PEN, Picture, Pictures};
use election::sign::Signer;
use election::wire::Seq;
use kiosk::screen::{ContestScreen, Screen};
use kiosk::session::Selected;
use panel::layout::Line;
use panel::metrics::REFERENCE;
use panel::pictures::Set;
use panel::render::Headless;
use panel::slint::Rgb8Pixel;
use panel::{Config, Settings, TextSize, surface};
use rand_core::SeedableRng as _;
use staff::encode::{seq_of, to_bytes};
use staff::genesis::Staff;
use staff::import::{Options, import_bytes};
use staff::screens::{Drawn, Fallback, Fonts, check, draw, fits};
use staff::{Kind, Outcome, package};

const KAGA: &str = include_str!("../../../host-sim/elections/kaga-consultation.json");
/// 髙 and 﨑 are in the panel's font, 𠮷 is not, 辻 has another form with U+E0100.
const RARE: &str = "髙﨑𠮷辻󠄀";

fn rare_font() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fonts/rare.otf")
}

fn manifest(json: &str) -> CheckedManifest<'static> {
    let bytes = import_bytes(json.as_bytes(), &Options::default()).unwrap().manifest;
    Manifest::parse(bytes.leak()).unwrap()
}

/// Kaga's consultation with another name for the first two specialties.
fn with_names(first: &str, second: &str) -> CheckedManifest<'static> {
    manifest(&KAGA.replacen("九谷焼", first, 1).replacen("山中漆器", second, 1))
}

fn station() -> Vec<(String, String)> {
    vec![("ja".into(), "市役所".into()), ("en".into(), "City hall".into())]
}

fn drawn(manifest: &CheckedManifest<'_>, fonts: &[PathBuf]) -> Outcome<Drawn> {
    draw(manifest, &station(), &Fonts::with_files(fonts)?)
}

/// Every picture unpacked equals what the panel draws of it in the picture's own size.
fn same_pixels(section: &[u8]) {
    let pictures = Pictures::read(section).unwrap();
    let set = Set::new(&pictures, usize::MAX).unwrap();
    for picture in pictures.pictures.iter().map(Result::unwrap) {
        let mask = set.line(picture.cluster, i32::from(EM)).unwrap();
        let wide = usize::try_from(mask.width).unwrap();
        let ink = |alpha: &[u8]| alpha.iter().map(|alpha| u32::from(*alpha)).sum::<u32>();
        let mut total = 0;
        let left = usize::try_from(mask.margin).unwrap() + usize::from(picture.x) - usize::from(PEN.0);
        let mut top = None;
        picture
            .rows(|number, row| {
                let wanted: Vec<u8> = row.iter().map(|shade| shade * 17).collect();
                total += ink(&wanted);
                let first = *top.get_or_insert_with(|| {
                    let row = mask
                        .alpha
                        .chunks(wide)
                        .position(|row| row.iter().any(|alpha| *alpha > 0));
                    row.expect("something is drawn")
                });
                let start = (first + usize::from(number)) * wide + left;
                assert_eq!(
                    mask.alpha[start..start + wanted.len()],
                    wanted,
                    "{}, row {number}",
                    picture.cluster
                );
            })
            .unwrap();
        assert_eq!(ink(&mask.alpha), total, "{}", picture.cluster);
    }
}

#[test]
fn u3_every_name_of_the_bundled_elections_is_drawn_as_the_panel_shows_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../host-sim/elections");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let manifest = manifest(&std::fs::read_to_string(&path).unwrap());
            let drawn = drawn(&manifest, &[]).unwrap();
            assert_eq!(drawn.rare, Vec::<String>::new());
            println!(
                "{}: {} characters, {} bytes",
                path.display(),
                drawn.characters,
                drawn.section.len()
            );
            check(&manifest, &station(), Some(&Pictures::read(&drawn.section).unwrap())).unwrap();
            // Without pictures the panel's own font shows all of them too.
            check(&manifest, &station(), None).unwrap();
            same_pixels(&drawn.section);
            found += 1;
        }
    }
    assert!(found >= 3);
}

#[test]
fn u3_rare_characters_and_variation_sequences_are_drawn() {
    let manifest = with_names(RARE, "辻葛󠄀城");
    let drawn = drawn(&manifest, &[rare_font()]).unwrap();
    assert_eq!(drawn.rare, ["𠮷"]);
    let pictures = Pictures::read(&drawn.section).unwrap();
    assert_eq!(pictures.fonts.count(), 2);
    check(&manifest, &station(), Some(&pictures)).unwrap();
    same_pixels(&drawn.section);
    // The selector chooses another form, and the two are two pictures.
    let of = |cluster: &str| {
        let mut all = pictures.pictures.iter().map(Result::unwrap);
        all.find(|picture| picture.cluster == cluster).unwrap().packed
    };
    assert_ne!(of("辻"), of("辻\u{e0100}"));
    // Drawn again from the same fonts: the same bytes.
    assert_eq!(drawn.section, self::drawn(&manifest, &[rare_font()]).unwrap().section);
}

#[test]
fn u3_what_no_font_shows_is_refused_by_name() {
    let problem = drawn(&with_names("吉𠮷", "b"), &[]).unwrap_err();
    assert_eq!(problem.kind, Kind::Refused);
    let text = problem.to_string();
    for part in ["contest c-specialty, option o-s1, name", "吉𠮷", "U+20BB7", "--font"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // A form that the fonts do not have is not shown as another form.
    let problem = drawn(&with_names("吉\u{e0105}", "b"), &[rare_font()]).unwrap_err();
    assert!(problem.to_string().contains("U+5409 U+E0105"), "{problem}");
    // Without pictures: what is not in the panel's own font, and sequences, which not every panel can draw.
    for name in ["𠮷", "辻\u{e0100}"] {
        let problem = check(&with_names("a", name), &station(), None).unwrap_err();
        assert!(
            problem.to_string().contains("contest c-specialty, option o-s2, name"),
            "{problem}"
        );
    }
    // A package's pictures are of another election's names.
    let other = drawn(&with_names("a", "b"), &[]).unwrap().section;
    let other = Pictures::read(&other).unwrap();
    let problem = check(&manifest(KAGA), &station(), Some(&other)).unwrap_err();
    assert!(problem.to_string().contains("has no picture"), "{problem}");
    // A station's name counts as well.
    let station = vec![("ja".to_owned(), "𠮷野".to_owned())];
    let problem = draw(&manifest(KAGA), &station, &Fonts::bundled()).unwrap_err();
    assert!(problem.to_string().contains("the station's name"), "{problem}");
}

#[test]
fn u3_letters_of_no_font_and_files_that_are_no_font_are_refused() {
    let problem = drawn(&with_names("سلام", "b"), &[rare_font()]).unwrap_err();
    assert!(problem.to_string().contains("option o-s1"), "{problem}");
    let no_font = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    assert!(Fonts::with_files(&[no_font]).is_err());
}

#[test]
fn u3_what_does_not_fit_is_refused_by_name() {
    assert_eq!(fits(&manifest(KAGA), &station()).unwrap(), Vec::<String>::new());
    let long = "長い名前の候補者".repeat(60);
    let refused = |manifest: &CheckedManifest<'_>, station: &[(String, String)], parts: &[&str]| {
        let problem = fits(manifest, &station.to_vec()).unwrap_err();
        assert_eq!(problem.kind, Kind::Refused);
        let text = problem.to_string();
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    let of_option = [
        "contest c-specialty, option o-s2, name:",
        "\"contest\"",
        "800x480",
        "smallest text size",
    ];
    refused(&with_names("a", &long), &station(), &of_option);
    // Whoever waits for voters with a card has one page; whose name it is that takes it is said.
    let election = manifest(&KAGA.replacen("加賀市政策に関する意向投票", &long, 1));
    refused(
        &election,
        &station(),
        &["the election's name:", "\"idle\"", "one page", "800x480", "\"ja\""],
    );
    let named = [("ja".to_owned(), long.clone())];
    refused(
        &manifest(KAGA),
        &named,
        &["the station's name:", "\"idle\"", "one page", "800x480"],
    );
    // Each has room alone, both together have not.
    let half = "長い名前の投票所".repeat(14);
    let election = manifest(&KAGA.replacen("加賀市政策に関する意向投票", &half, 1));
    assert!(fits(&election, &station()).is_ok());
    refused(
        &election,
        &[("ja".to_owned(), half)],
        &["the election's name; the station's name:"],
    );
}

/// A text that a panel sets smaller than the size a voter meets first is let through, and said.
#[test]
fn v3_a_text_that_makes_others_small_is_noted() {
    let long = "長い名前の市役所".repeat(14);
    let notes = fits(&manifest(KAGA), &vec![("ja".to_owned(), long)]).unwrap();
    assert!(
        notes
            .iter()
            .any(|note| note.contains("the station's name") && note.contains("idle") && note.contains("800x480")),
        "{notes:?}"
    );
}

/// Kanji of the registers that the panel's font lacks: extension B, a rare one of the first block, one of extension C.
const REGISTER: &str = "髙﨑𠮷辻󠄀龘𪜀";

/// The font of full repertoire that Debian has: shown through it, each from the file that has it; refused by name without it.
#[test]
fn u3_the_fallback_shows_what_the_panels_font_lacks() {
    let manifest = with_names(REGISTER, "b");
    let with = |fallback: &Fallback| Fonts::for_names::<PathBuf>(&[], &manifest, &station(), fallback);
    let fonts = with(&Fallback::debian()).unwrap();
    let names: Vec<&str> = fonts.list().map(|(_, name)| name).collect();
    assert_eq!(
        names,
        ["BIZ UDPGothic", "HanaMinA Regular", "HanaMinB Regular"],
        "Debian's package fonts-hanazono is needed: tests/run tools"
    );
    let drawn = draw(&manifest, &station(), &fonts).unwrap();
    let mut rare: Vec<&str> = drawn.rare.iter().map(String::as_str).collect();
    rare.sort_unstable();
    assert_eq!(rare, ["龘", "𠮷", "𪜀"]);
    let pictures = Pictures::read(&drawn.section).unwrap();
    check(&manifest, &station(), Some(&pictures)).unwrap();
    same_pixels(&drawn.section);
    // Ink of their own, none a box for what is missing: all differ.
    let of = |cluster: &str| {
        let mut all = pictures.pictures.iter().map(Result::unwrap);
        all.find(|picture| picture.cluster == cluster).unwrap().packed
    };
    let clusters = ["髙", "﨑", "𠮷", "辻\u{e0100}", "龘", "𪜀"];
    for (index, one) in clusters.iter().enumerate() {
        assert!(clusters[index + 1..].iter().all(|other| of(one) != of(other)), "{one}");
    }
    // What needs no fallback has none in its package: the same bytes on a machine without it.
    let plain = self::manifest(KAGA);
    let fonts = Fonts::for_names::<PathBuf>(&[], &plain, &station(), &Fallback::debian()).unwrap();
    assert_eq!(fonts.list().count(), 1);
    // A font that the clerk names goes before it.
    let fonts = Fonts::for_names(&[rare_font()], &with_names(RARE, "b"), &station(), &Fallback::debian()).unwrap();
    assert_eq!(fonts.list().count(), 2);
}

#[test]
fn u3_without_the_fallback_a_rare_kanji_is_refused_by_name_and_what_to_install_is_said() {
    let manifest = with_names(REGISTER, "b");
    let folder = tempfile::tempdir().unwrap();
    let empty = Fallback::within(folder.path());
    let fonts = Fonts::for_names::<PathBuf>(&[], &manifest, &station(), &empty).unwrap();
    let text = draw(&manifest, &station(), &fonts).unwrap_err().to_string();
    for part in [
        "contest c-specialty, option o-s1, name",
        "𠮷",
        "U+20BB7",
        "fonts-hanazono",
        "--font",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Another font under its name is not it.
    std::fs::copy(rare_font(), folder.path().join("HanaMinA.ttf")).unwrap();
    let problem = Fonts::for_names::<PathBuf>(&[], &manifest, &station(), &empty)
        .err()
        .unwrap();
    assert_eq!(problem.kind, Kind::Refused);
    assert!(problem.to_string().contains("SHA-256"), "{problem}");
}

/// 60 candidates with names of 5 characters, all different, in kanji and kana.
#[test]
fn u3_sixty_names_are_small_enough_for_external_flash() {
    let kanji: Vec<char> = ('\u{4e00}'..'\u{9fa0}')
        .filter(|character| panel::text::missing(&character.to_string()).is_none())
        .step_by(19)
        .take(300)
        .collect();
    let names: Vec<String> = kanji.chunks(5).map(|name| name.iter().collect()).collect();
    assert_eq!(names.len(), 60);
    let drawn = drawn(&with_names(&names.concat(), "b"), &[]).unwrap();
    println!(
        "60 names of 5 kanji, all different: {} characters, {} bytes",
        drawn.characters,
        drawn.section.len()
    );
    // A quarter of what 300 pictures of 96 x 96 shades have unpacked, and a thirtieth of the smallest external flash (16 MB).
    assert!(drawn.section.len() < 512 << 10, "{}", drawn.section.len());
}

/// A signed package for these names.
fn signed(manifest: &CheckedManifest<'_>, pictures: Option<&[u8]>) -> (Outcome<Vec<u8>>, Signer) {
    let mut rng = chacha20::ChaCha20Rng::from_seed([8; 32]);
    let joint = Signer::generate(&mut rng).public_key();
    let keys = key::of_one_trustee(joint);
    let staff: Vec<Staff> = (0..2)
        .map(|number| Staff {
            key: Signer::generate(&mut rng).public_key(),
            roles: role::POLLS | role::PROVISIONS,
            name: format!("staff {number}"),
        })
        .collect();
    let election = election_hash(manifest.bytes(), &joint);
    let genesis = staff::genesis::build(&election, &staff, &[Signer::generate(&mut rng).public_key()]).unwrap();
    let authority = Signer::generate(&mut rng);
    let built = package::build(
        &package::Input {
            manifest: manifest.bytes(),
            keys: &keys,
            genesis: &genesis,
            secret: &[5; 32],
            station: 3,
            name: &station(),
            roll: &[],
            authorities: &[vec![0x30, 0]],
            serial: 1,
            pictures,
            clips: None,
        },
        &authority,
    );
    (built, authority)
}

#[test]
fn u3_pictures_are_signed_and_names_without_them_are_not_given_away() {
    let manifest = with_names(RARE, "b");
    let drawn = drawn(&manifest, &[rare_font()]).unwrap();
    let (bytes, authority) = signed(&manifest, Some(&drawn.section));
    let (mut bytes, key) = (bytes.unwrap(), authority.public_key());
    let shown = package::show(&bytes, &key).unwrap();
    assert_eq!(shown.pictures, drawn.characters);
    assert_eq!(usize::try_from(shown.pictures_length).unwrap(), drawn.section.len());
    assert_eq!(shown.fonts.len(), 2);
    // One shade of one name.
    let place = bytes.len() - drawn.section.len() / 2;
    bytes[place] ^= 0x10;
    assert_eq!(
        Package::open(&bytes, &key).unwrap_err(),
        PackageError::SectionHash(Section::Pictures)
    );
    assert!(
        package::show(&bytes, &key)
            .unwrap_err()
            .to_string()
            .contains("pictures of characters")
    );
    // The same election without pictures is not signed away.
    let problem = signed(&manifest, None).0.unwrap_err();
    assert!(problem.to_string().contains("option o-s1"), "{problem}");
}

fn contest<'a>(manifest: &CheckedManifest<'a>) -> ContestScreen<'a> {
    ContestScreen {
        contest: manifest.contest(0).unwrap(),
        order: &[],
        index: 0,
        count: 3,
        selected: Selected::NONE.toggled(0),
        votes_left: 2,
    }
}

/// The panel with these names on it.
fn shown(manifest: &CheckedManifest<'_>, section: &[u8], config: Config, settings: Settings) -> Headless {
    let headless = Headless::new(config).unwrap();
    headless.panel.pictures(&Pictures::read(section).unwrap()).unwrap();
    headless.panel.show(&Screen::Contest(contest(manifest)));
    headless.panel.set(settings);
    headless
}

/// The same characters without any ink.
fn blank(section: &[u8]) -> Vec<u8> {
    let section = Pictures::read(section).unwrap();
    let pictures = section.pictures.iter().map(|picture| Picture {
        width: 1,
        height: 1,
        packed: &[0],
        ..picture.unwrap()
    });
    let pictures = seq_of(pictures).unwrap();
    to_bytes(&Pictures {
        pictures: Seq::from_bytes(&pictures),
        ..section
    })
    .unwrap()
}

/// A voter's pixels are the section's: in a theme of black ink, each pixel of a name is the ground darkened by the picture's alpha.
#[test]
fn u3_the_panel_shows_the_pictures_pixel_by_pixel() {
    let manifest = with_names(RARE, "辻葛󠄀城");
    let section = drawn(&manifest, &[rare_font()]).unwrap().section;
    for (config, size) in REFERENCE.into_iter().zip(TextSize::ALL) {
        let settings = Settings {
            language: 0,
            size,
            theme: 1,
        };
        let headless = shown(&manifest, &section, config, settings);
        let page = headless.panel.page();
        let (width, _, pixels) = headless.pixels();
        let ground = shown(&manifest, &blank(&section), config, settings).pixels().2;
        let mut names = 0;
        for line in page.texts.iter().chain(&page.captions) {
            let Some(mask) = &line.picture else { continue };
            names += usize::from(line.text.contains('𠮷'));
            let left = line.x + surface::place(line, mask);
            for (number, alpha) in (0_i32..).zip(&mask.alpha) {
                let (x, y) = (left + number % mask.width, line.y + number / mask.width);
                let at = usize::try_from(y).unwrap() * width + usize::try_from(x).unwrap();
                let (pixel, ground) = (pixels[at], u16::from(ground[at].r));
                let wanted = u8::try_from(ground * u16::from(255 - alpha) / 255).unwrap();
                // The renderer blends with 8 bits: a shade may be one off.
                assert!(
                    pixel.r.abs_diff(wanted) <= 1,
                    "{}: {x}, {y}: {pixel:?}, {alpha} on {ground}",
                    line.text
                );
            }
        }
        assert_eq!(names, 1, "the name with the rare character is drawn from pictures");
        // Every line of the definition is; none of the room's own words.
        let pictured = |line: &&Line| line.picture.is_some();
        assert!(page.captions.iter().filter(pictured).count() >= 2);
        assert!(page.captions.iter().any(|line| line.picture.is_none()));
    }
}

/// Without pictures the same page stands in the same places, whatever characters are in it.
#[test]
fn u3_pictures_change_no_place() {
    let manifest = with_names(RARE, "キャベツ");
    let section = drawn(&manifest, &[rare_font()]).unwrap().section;
    let settings = Settings::default();
    let with = shown(&manifest, &section, REFERENCE[0], settings).panel.page();
    let headless = Headless::new(REFERENCE[0]).unwrap();
    headless.panel.show(&Screen::Contest(contest(&manifest)));
    let mut without = with.clone();
    for line in without.texts.iter_mut().chain(&mut without.captions) {
        line.picture = None;
    }
    assert_ne!(with, without);
    assert_eq!(headless.panel.page(), without);
}

/// What it looks like; `IPPYO_UPDATE_SNAPSHOTS=1` writes it anew.
#[test]
fn u3_snapshots_of_rare_names() {
    let manifest = with_names(RARE, "辻葛󠄀城");
    let section = drawn(&manifest, &[rare_font()]).unwrap().section;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    for (config, size, theme) in [(REFERENCE[0], TextSize::Normal, 0), (REFERENCE[2], TextSize::Huge, 2)] {
        let settings = Settings {
            language: 0,
            size,
            theme,
        };
        let (width, height, pixels) = shown(&manifest, &section, config, settings).pixels();
        let path = folder.join(format!("rare-names.{width}x{height}.theme-{}.png", theme + 1));
        if std::env::var_os("IPPYO_UPDATE_SNAPSHOTS").is_some() {
            write(&path, width, height, &pixels);
        }
        let wanted = read(&path);
        let found: Vec<[u8; 3]> = pixels.iter().map(coarse).collect();
        let differ = found.iter().zip(&wanted).filter(|(own, other)| own != other).count();
        assert!(
            found.len() == wanted.len() && differ == 0,
            "{}: {differ} pixels differ; if that is meant, write it anew with IPPYO_UPDATE_SNAPSHOTS=1 and look at it",
            path.display()
        );
    }
}

/// Sixteen levels a channel, as the panel's own snapshots.
fn coarse(pixel: &Rgb8Pixel) -> [u8; 3] {
    [pixel.r, pixel.g, pixel.b].map(|channel| (channel >> 4) * 17)
}

fn write(path: &Path, width: usize, height: usize, pixels: &[Rgb8Pixel]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let side = |side: usize| u32::try_from(side).unwrap();
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), side(width), side(height));
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let bytes: Vec<u8> = pixels.iter().flat_map(coarse).collect();
    encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
}

fn read(path: &Path) -> Vec<[u8; 3]> {
    let Ok(file) = std::fs::File::open(path) else {
        return Vec::new();
    };
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut bytes).unwrap();
    bytes
        .chunks_exact(3)
        .map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect()
}
