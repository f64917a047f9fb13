//! Elections for tests: made up, and the texts of the bundled definitions.
#![allow(dead_code)] // Each test program uses a part.

use election::manifest::{
    CheckedManifest, Choice, Contest, Epoch, Kind, Manifest, Mode, Policy, Style, StyleContest, Text, Texts, Unit,
    VERSION,
};
use election::wire::{self, Seq, SeqWriter};
use serde::Serialize;

/// A list whose bytes live as long as the test program.
pub fn seq<T: Serialize, U>(items: impl IntoIterator<Item = T>) -> Seq<'static, U> {
    let buffer = vec![0; 1 << 18].leak();
    let mut writer = SeqWriter::new(buffer);
    for item in items {
        writer.push(&item).expect("test lists are small");
    }
    writer.finish()
}

pub fn texts(pairs: &[(&'static str, &'static str)]) -> Texts<'static> {
    seq(pairs.iter().map(|(language, text)| Text { language, text }))
}

fn leak(text: String) -> &'static str {
    text.leak()
}

/// One text in some languages: tag and text.
pub type Said = Vec<(&'static str, &'static str)>;

pub struct Ask {
    pub name: Said,
    pub text: Said,
    pub votes: u8,
    /// Names and parties.
    pub options: Vec<(Said, Said)>,
}

pub fn manifest(name: &[(&'static str, &'static str)], asks: &[Ask]) -> CheckedManifest<'static> {
    let contests: Vec<Contest<'static>> = asks
        .iter()
        .enumerate()
        .map(|(index, ask)| Contest {
            id: leak(format!("c{index}")),
            kind: Kind::Candidates,
            votes: ask.votes,
            name: texts(&ask.name),
            text: texts(&ask.text),
            options: seq(ask.options.iter().enumerate().map(|(index, (name, party))| Choice {
                id: leak(format!("o{index}")),
                name: texts(name),
                party: texts(party),
            })),
        })
        .collect();
    let style = Style {
        id: "style",
        units: seq(["unit"]),
        contests: seq((0_u16..)
            .zip(asks)
            .map(|(contest, _)| StyleContest { contest, order: &[] })),
    };
    let manifest = Manifest {
        version: VERSION,
        id: "test",
        mode: Mode::Consultation,
        policy: Policy::Last,
        first_day: 20_261_115,
        last_day: 20_261_122,
        batch: 8,
        small_group: 10,
        languages: seq(["ja", "en", "ja-Hira"]),
        name: texts(name),
        epochs: seq([
            Epoch {
                name: texts(&[("ja", "期日前投票"), ("en", "Early voting")]),
            },
            Epoch {
                name: texts(&[("ja", "投票日"), ("en", "Election day")]),
            },
        ]),
        units: seq([Unit {
            id: "unit",
            name: texts(&[("ja", "加賀市文化会館"), ("en", "Kaga City Hall")]),
        }]),
        contests: seq(contests),
        styles: seq([style]),
    };
    let bytes = vec![0; 1 << 20].leak();
    let bytes = wire::encode(&manifest, bytes).expect("test manifests are small");
    Manifest::parse(bytes).expect("test manifests hold the rules")
}

const NAMES: [(&str, &str, &str); 12] = [
    ("加賀 太郎", "かが たろう", "Kaga Taro"),
    ("山代 花子", "やましろ はなこ", "Yamashiro Hanako"),
    ("髙橋 みどり", "たかはし みどり", "Takahashi Midori"),
    ("勅使河原 一之進", "てしがわら いちのしん", "Teshigawara Ichinoshin"),
    (
        "ベルンハルト・シュヴァルツェンベルガー・フォン・ホーエンシュタイン",
        "",
        "Bernhard Schwarzenberger von Hohenstein",
    ),
    ("一 一", "にのまえ はじめ", "Ninomae Hajime"),
    ("片山津 さくら", "かたやまづ さくら", "Katayamazu Sakura"),
    ("小松﨑 次郎", "こまつざき じろう", "Komatsuzaki Jiro"),
    ("大聖寺 正", "だいしょうじ ただし", "Daishoji Tadashi"),
    ("橋立 ゆかり", "はしたて ゆかり", "Hashitate Yukari"),
    ("動橋 健", "いぶりはし けん", "Iburihashi Ken"),
    ("粟津 ひとみ", "あわづ ひとみ", "Awazu Hitomi"),
];

const PARTIES: [(&str, &str); 4] = [
    ("市民の会", "Citizens"),
    ("加賀をよくする会", "Better Kaga"),
    ("無所属", "Independent"),
    (
        "日本未来の温泉と文化をまもる連合",
        "Alliance for Japan's Future Hot Springs and Culture",
    ),
];

pub fn ask(votes: u8, options: usize, parties: bool) -> Ask {
    Ask {
        name: vec![("ja", "加賀市議会議員選挙"), ("en", "Kaga City Council")],
        text: vec![],
        votes,
        options: (0..options)
            .map(|index| {
                let (ja, kana, en) = NAMES[index % NAMES.len()];
                let ja = if index < NAMES.len() {
                    ja
                } else {
                    leak(format!("{ja} {}", index + 1))
                };
                let mut name = vec![("ja", ja), ("en", en)];
                if !kana.is_empty() {
                    name.push(("ja-Hira", kana));
                }
                let (ja, en) = PARTIES[index % PARTIES.len()];
                (name, if parties { vec![("ja", ja), ("en", en)] } else { vec![] })
            })
            .collect(),
    }
}

pub fn measure() -> Ask {
    Ask {
        name: vec![
            ("ja", "総合運動公園基本計画の賛否を問う住民投票"),
            ("en", "Referendum on the sports park plan"),
        ],
        text: vec![
            (
                "ja",
                "市の総合運動公園の基本計画(用地の取得と施設の建設、事業費およそ305億円)について、賛成か反対かを選んでください。",
            ),
            (
                "en",
                "Are you for or against the city's basic plan for a general sports park (land and buildings, about 30.5 billion yen)?",
            ),
        ],
        votes: 1,
        options: vec![
            (vec![("ja", "賛成"), ("en", "For"), ("ja-Hira", "さんせい")], vec![]),
            (vec![("ja", "反対"), ("en", "Against"), ("ja-Hira", "はんたい")], vec![]),
        ],
    }
}

/// A measure, a contest with 12 names and parties, "up to 3 of 9".
pub fn town() -> CheckedManifest<'static> {
    manifest(
        &[
            ("ja", "加賀市政策に関する意向投票(見本)"),
            ("en", "Kaga City policy consultation (sample)"),
        ],
        &[measure(), ask(1, 12, true), ask(3, 9, false)],
    )
}

/// Every text of the bundled definitions: (file, language, text).
pub fn bundled() -> Vec<(String, String, String)> {
    fn walk(value: &serde_json::Value, file: &str, out: &mut Vec<(String, String, String)>) {
        match value {
            serde_json::Value::Object(object) => {
                if let (Some(language), Some(content)) = (
                    object.get("Language").and_then(|value| value.as_str()),
                    object.get("Content").and_then(|value| value.as_str()),
                ) {
                    out.push((file.into(), language.into(), content.into()));
                }
                object.values().for_each(|value| walk(value, file, out));
            }
            serde_json::Value::Array(array) => array.iter().for_each(|value| walk(value, file, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../host-sim/elections");
    for entry in std::fs::read_dir(folder).expect("the bundled elections are there") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let value = serde_json::from_str(&text).expect("the bundled elections are JSON");
            walk(
                &value,
                &path.file_name().unwrap_or_default().to_string_lossy(),
                &mut out,
            );
        }
    }
    out
}
