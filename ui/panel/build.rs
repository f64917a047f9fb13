//! Four things are made before the crate is compiled: the words of all languages as one table (a missing or unknown key, or
//! another set of placeholders, stops the build and is named), the font's advance widths (so that lines are broken
//! in the same places on every platform), the letters' distance fields (`build/letters.rs`), and Slint's code.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, process};

#[path = "build/letters.rs"]
mod letters;

const FONT: &str = "fonts/BIZUDPGothic-Regular.ttf";
const REFERENCE: &str = "ja";

struct Language {
    tag: String,
    order: u32,
    name: String,
    texts: Vec<String>,
    furigana: bool,
    words: BTreeMap<String, String>,
}

fn main() {
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo:rerun-if-changed=lang");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=ui");
    println!("cargo:rerun-if-changed={FONT}");
    let languages = languages();
    fs::write(out.join("words.rs"), words(&languages)).expect("OUT_DIR can be written");
    fs::write(out.join("advances.rs"), advances()).expect("OUT_DIR can be written");
    slint(&out, &languages);
}

fn fail(message: &str) -> ! {
    // A plain line, not a panic: the person who reads it has edited a language file, not this program.
    println!("cargo:warning={message}");
    eprintln!("{message}");
    process::exit(1)
}

fn languages() -> Vec<Language> {
    let mut found: Vec<Language> = fs::read_dir("lang")
        .expect("lang/ exists")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| language(&path))
        .collect();
    found.sort_by(|a, b| (a.order, &a.tag).cmp(&(b.order, &b.tag)));
    let Some(reference) = found.iter().find(|language| language.tag == REFERENCE) else {
        fail("lang/ja.txt is missing: it is the reference for all other languages")
    };
    for language in &found {
        for (key, text) in &reference.words {
            match language.words.get(key) {
                None => fail(&format!("lang/{}.txt lacks the key {key}", language.tag)),
                Some(own) if placeholders(own) != placeholders(text) => fail(&format!(
                    "lang/{}.txt, {key}: the placeholders are not those of lang/ja.txt ({:?})",
                    language.tag,
                    placeholders(text)
                )),
                Some(_) => {}
            }
        }
        if let Some(key) = language.words.keys().find(|key| !reference.words.contains_key(*key)) {
            fail(&format!(
                "lang/{}.txt has the key {key}, which lang/ja.txt lacks",
                language.tag
            ));
        }
    }
    found
}

fn language(path: &Path) -> Language {
    let file = path.display().to_string();
    let tag = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut language = Language {
        tag,
        order: 100,
        name: String::new(),
        texts: Vec::new(),
        furigana: false,
        words: BTreeMap::new(),
    };
    let text = fs::read_to_string(path).unwrap_or_else(|error| fail(&format!("{file}: {error}")));
    for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else {
            fail(&format!("{file}:{number}: not `key = text`"))
        };
        match key {
            "@order" => language.order = value.parse().unwrap_or(100),
            "@name" => language.name = value.into(),
            "@texts" => language.texts = value.split_whitespace().map(String::from).collect(),
            "@furigana" => language.furigana = value == "yes",
            _ if value.is_empty() => fail(&format!("{file}:{number}: {key} is empty")),
            _ => {
                if language
                    .words
                    .insert(key.into(), value.replace("\\n", "\n").replace('|', "\u{200b}"))
                    .is_some()
                {
                    fail(&format!("{file}:{number}: {key} stands there twice"));
                }
            }
        }
    }
    if language.name.is_empty() || language.texts.is_empty() {
        fail(&format!("{file}: @name and @texts are needed"));
    }
    language
}

fn placeholders(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = text
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next())
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn variant(key: &str) -> String {
    key.split(['.', '_', '-'])
        .map(|part| {
            let mut chars = part.chars();
            chars.next().map_or_else(String::new, |first| {
                first.to_ascii_uppercase().to_string() + chars.as_str()
            })
        })
        .collect()
}

fn words(languages: &[Language]) -> String {
    let keys: Vec<&String> = languages
        .first()
        .map_or_else(Vec::new, |language| language.words.keys().collect());
    let mut code = String::from(
        "/// A text of this room, by its key in lang/*.txt.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\n#[repr(u16)]\npub enum Word {\n",
    );
    for key in &keys {
        let _ = writeln!(code, "    /// `{key}`\n    {},", variant(key));
    }
    let _ = writeln!(
        code,
        "}}\n\n/// Number of texts.\npub const WORDS: usize = {};\n",
        keys.len()
    );
    let _ = writeln!(
        code,
        "/// The languages, in the order they are offered; the first is shown first.\npub static LANGUAGES: [Language; {}] = [",
        languages.len()
    );
    for language in languages {
        let _ = writeln!(
            code,
            "    Language {{ tag: {:?}, name: {:?}, texts: &{:?}, furigana: {}, words: [",
            language.tag, language.name, language.texts, language.furigana
        );
        for text in language.words.values() {
            let _ = writeln!(code, "        {text:?},");
        }
        code.push_str("    ] },\n");
    }
    code.push_str("];\n");
    code
}

/// Runs of characters of one advance width: (first, count, advance). A character in no run has no glyph.
fn advances() -> String {
    let data = fs::read(FONT).unwrap_or_else(|error| fail(&format!("{FONT}: {error}")));
    let face = ttf_parser::Face::parse(&data, 0).unwrap_or_else(|error| fail(&format!("{FONT}: {error}")));
    let mut runs: Vec<(u32, u16, u16)> = Vec::new();
    for code in 0x20..0x3_0000_u32 {
        let Some(advance) = char::from_u32(code)
            .and_then(|character| face.glyph_index(character))
            .filter(|glyph| glyph.0 != 0)
            .and_then(|glyph| face.glyph_hor_advance(glyph))
        else {
            continue;
        };
        match runs.last_mut() {
            Some((first, count, same))
                if *same == advance && *first + u32::from(*count) == code && *count < u16::MAX =>
            {
                *count += 1
            }
            _ => runs.push((code, 1, advance)),
        }
    }
    // Measured, not taken from the font's tables: the face's capitals are drawn higher than its OS/2 table says.
    let capital = face
        .glyph_index('H')
        .and_then(|glyph| face.glyph_bounding_box(glyph))
        .map_or(0, |bounds| bounds.y_max - bounds.y_min);
    format!(
        "/// Units of the em.\npub const UNITS: u32 = {};\n/// From the baseline to the top of the em, in units.\npub const ASCENT: u32 = {};\n/// Height of a capital letter, in units.\npub const CAPITAL: u32 = {};\n/// Runs of characters of one advance: first, count, advance in units.\nstatic RUNS: [(u32, u16, u16); {}] = {runs:?};\n",
        face.units_per_em(),
        face.ascender(),
        capital,
        runs.len()
    )
}

fn slint(out: &Path, languages: &[Language]) {
    // A board has the letters that the texts of this room need, and no others: every character of every language file is one of them, or it
    // would be blank on the screen, silently.
    let mut characters: Vec<char> = languages
        .iter()
        .flat_map(|language| language.words.values().chain([&language.name]))
        .flat_map(|text| text.chars())
        .chain(' '..='~')
        .chain(['●', '×'])
        .filter(|character| !character.is_control() && *character != '\u{200b}')
        .collect();
    characters.sort_unstable();
    characters.dedup();
    let host = env::var_os("CARGO_FEATURE_STD").is_some();
    letters::write(FONT, &characters, out).unwrap_or_else(|error| fail(&format!("{FONT}: {error}")));
    let config = slint_build::CompilerConfiguration::new()
        .with_style("fluent".into())
        .embed_resources(if host {
            slint_build::EmbedResourcesKind::EmbedFiles
        } else {
            slint_build::EmbedResourcesKind::EmbedForSoftwareRenderer
        })
        // Tests walk the tree of accessible elements; a microcontroller has no room for names.
        .with_debug_info(host);
    if let Err(error) = slint_build::compile_with_config("ui/window.slint", config) {
        fail(&format!("ui/window.slint: {error}"));
    }
}
