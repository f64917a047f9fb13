//! Where everything stands that can be clicked, as a file: for tests that play with a mouse. It says where, never what was clicked.

use std::path::{Path, PathBuf};

use panel::Panel;
use panel::scene::Act;
use serde_json::{Value, json};

use super::deck::Held;
use super::dock::{Click, Plan};
use super::ui::DockBox;

/// The file, kept up to date.
pub struct Places {
    file: PathBuf,
    written: Value,
}

impl Places {
    /// To be written there.
    #[must_use]
    pub fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            written: Value::Null,
        }
    }

    /// Writes the file if something has changed: `{"screen", "powered", "places": {name: {"x", "y", "hold"}}, "pins": {card: PIN}, "validators": [what stands on each]}`, pixels
    /// of the window. The PINs are those that stand under the cards.
    pub fn update(
        &mut self,
        plan: &Plan,
        panel: Option<&Panel>,
        boxes: &[DockBox],
        deck: &[Held],
        powered: bool,
        counted: Option<bool>,
    ) {
        let mut places = serde_json::Map::new();
        let mut validators = Vec::new();
        for one in boxes.iter().filter(|one| one.enabled) {
            if let Some(click) = Click::of(one.id) {
                let (x, y) = (one.x + one.width / 2.0, one.y + one.height / 2.0);
                if let Click::Validator(_) = click {
                    validators.push(one.title.to_string());
                }
                places.insert(click.name(deck), json!({"x": x.round(), "y": y.round(), "hold": false}));
            }
        }
        let page = panel.map(Panel::page).unwrap_or_default();
        for area in page.areas.iter().filter(|_| powered) {
            let Some(act) = area.act else { continue };
            let (x, y) = (
                plan.panel.0 + area.x + area.width / 2,
                plan.panel.1 + area.y + area.height / 2,
            );
            let name = match act {
                Act::Send(touch) | Act::Hold(touch) => format!("{touch:?}"),
                own => format!("{own:?}"),
            };
            places.insert(name, json!({"x": x, "y": y, "hold": act.held()}));
        }
        let pins: serde_json::Map<String, Value> = (0..)
            .zip(deck)
            .map(|(card, held)| (Click::Card(card).name(deck), json!(held.pin)))
            .collect();
        let now = json!({
            "pins": pins,
            "counted": counted.is_some(),
            "holds": counted == Some(true),
            "screen": match panel {
                Some(panel) if powered => panel.name(),
                // A board that has ended leaves its last picture.
                None if powered => "ended",
                _ => "dark",
            },
            "page": [page.index, page.count],
            "powered": powered,
            "validators": validators,
            "panel": {"x": plan.panel.0, "y": plan.panel.1},
            "places": places,
        });
        if now != self.written {
            // Whole or not at all, so that a reader never meets half of it. A test that gets none will say so.
            let part = self.file.with_extension("part");
            if std::fs::write(&part, now.to_string()).is_ok() && std::fs::rename(&part, &self.file).is_ok() {
                self.written = now;
            }
        }
    }
}
