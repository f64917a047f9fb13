//! Every text of a definition that some panel shows in some language, and where it stands. Geographical units stand on no screen.

use std::collections::BTreeSet;

use election::manifest::CheckedManifest;
use election::wire::Seq;
use panel::text;
use panel::words::{LANGUAGES, Say};

use crate::definition::Texts;
use crate::encode::seq_of;
use crate::problem::Outcome;

/// A text.
pub(super) struct Said {
    /// Which, for people: `contest c1, option o2, name`.
    pub place: String,
    /// As it is drawn.
    pub text: String,
}

impl Said {
    /// Its clusters, without white space.
    pub fn clusters(&self) -> impl Iterator<Item = &str> {
        text::clusters(&self.text).filter(|cluster| !cluster.chars().all(text::is_blank))
    }
}

/// All of them, as the panel chooses among the languages of a text.
pub(super) fn said(manifest: &CheckedManifest<'_>, station: &Texts) -> Outcome<Vec<Said>> {
    let mut out = Vec::new();
    let mut add = |place: &dyn Fn() -> String, texts: election::manifest::Texts<'_>| {
        let say = Say::from(texts);
        let shown: BTreeSet<String> = LANGUAGES
            .iter()
            .flat_map(|language| [Some(say.text(language)), say.reading(language)])
            .flatten()
            .filter(|text| !text.is_empty())
            .collect();
        out.extend(shown.into_iter().map(|text| Said { place: place(), text }));
    };
    add(&|| "the election's name".into(), manifest.name);
    let bytes = seq_of(
        station
            .iter()
            .map(|(language, text)| election::manifest::Text { language, text }),
    )?;
    add(&|| "the station's name".into(), Seq::from_bytes(&bytes));
    for (number, epoch) in manifest.epochs().enumerate() {
        add(&|| format!("epoch {number}, name"), epoch.name);
    }
    for contest in manifest.contests() {
        add(&|| format!("contest {}, name", contest.id), contest.name);
        add(&|| format!("contest {}, text", contest.id), contest.text);
        for option in contest.options.iter().map_while(Result::ok) {
            let place = |what: &str| format!("contest {}, option {}, {what}", contest.id, option.id);
            add(&|| place("name"), option.name);
            add(&|| place("party"), option.party);
        }
    }
    Ok(out)
}
