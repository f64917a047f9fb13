//! The arrows between the rooms: who may know whom. DESIGN.md, "Rooms", in one table.
//!
//! An arrow allows what it leads to. A room is known by its folder, so that a room that does not exist yet is judged on the
//! day it appears, and a package in a folder nobody named is a defect.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

/// One arrow between two packages of the workspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    /// The room that depends.
    pub from: String,
    /// The room it depends on.
    pub to: String,
    /// Only its tests do.
    pub dev: bool,
    /// Features it asks for.
    pub features: Vec<String>,
}

/// Folder of a room, its short name, and the rooms its arrows point to. `*` stands for the name of a board.
const ROOMS: &[(&str, &str, &[&str])] = &[
    ("firmware/election", "election", &[]),
    ("hardware/card", "card", &[]),
    ("firmware/kiosk", "kiosk", &["election", "card"]),
    ("ui/panel", "panel", &["kiosk"]),
    ("hardware/media", "media", &["kiosk"]),
    ("firmware/chain", "chain", &["election"]),
    ("firmware/mcu", "mcu", &["kiosk", "panel"]),
    ("firmware/mcu-*", "board", &["mcu", "card", "media"]),
    ("firmware/linux", "linux", &["kiosk", "panel", "card", "media"]),
    ("ui/staff", "staff", &["election", "kiosk", "panel", "card", "media"]),
    ("ui/verify-page", "verify-page", &["election"]),
    (
        "host-sim",
        "host-sim",
        &[
            "election", "card", "kiosk", "panel", "media", "chain", "mcu", "linux", "staff",
        ],
    ),
    (
        "tests",
        "tests",
        &[
            "election", "card", "kiosk", "panel", "media", "chain", "mcu", "linux", "staff", "host-sim",
        ],
    ),
];

/// Arrows that only tests use and that the table above does not allow, each with its reason. None is needed so far.
const DEV_EXCEPTIONS: &[(&str, &str)] = &[];

/// The room of a package folder, relative to the top; `None` if nobody named it.
#[must_use]
pub fn room(folder: &str) -> Option<&'static str> {
    ROOMS
        .iter()
        .find(|(pattern, _, _)| match pattern.strip_suffix('*') {
            Some(start) => folder
                .strip_prefix(start)
                .is_some_and(|board| !board.is_empty() && !board.contains('/')),
            None => *pattern == folder,
        })
        .map(|(_, name, _)| *name)
}

/// Everything a room may depend on: its arrows and what they lead to.
#[must_use]
pub fn reach(room: &str) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    let arrows = |from: &str| {
        ROOMS
            .iter()
            .find(|(_, name, _)| *name == from)
            .map_or(&[][..], |(_, _, to)| *to)
    };
    let mut next: Vec<&'static str> = arrows(room).to_vec();
    while let Some(at) = next.pop() {
        if seen.insert(at) {
            next.extend(arrows(at));
        }
    }
    seen
}

/// The arrows of the workspace, from `cargo metadata --no-deps`.
///
/// # Errors
/// The metadata lacks a field, or a package lies in a folder that is no room.
pub fn of_metadata(metadata: &Value) -> Result<Vec<Arrow>> {
    let top = metadata["workspace_root"].as_str().context("no workspace_root")?;
    let folder = |path: &str| path.strip_prefix(top).map(|p| p.trim_matches('/').to_string());
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut rooms: BTreeMap<String, &'static str> = BTreeMap::new();
    for package in packages {
        let manifest = package["manifest_path"].as_str().context("no manifest_path")?;
        let inside = folder(manifest).context("a package outside the workspace")?;
        let inside = inside.trim_end_matches("Cargo.toml").trim_end_matches('/').to_string();
        let name = room(&inside).with_context(|| format!("{inside} is no room of DESIGN.md"))?;
        rooms.insert(inside, name);
    }
    let mut arrows = Vec::new();
    for package in packages {
        let manifest = package["manifest_path"].as_str().context("no manifest_path")?;
        let inside = folder(manifest).context("a package outside the workspace")?;
        let inside = inside.trim_end_matches("Cargo.toml").trim_end_matches('/').to_string();
        let from = rooms.get(&inside).context("a package without a room")?;
        for dependency in package["dependencies"].as_array().context("no dependencies")? {
            let Some(path) = dependency["path"].as_str() else {
                continue;
            };
            let to = folder(path).context("a path dependency outside the workspace")?;
            if to == inside && dependency["kind"].as_str() == Some("dev") {
                continue; // A package may ask itself for features in its tests; it learns of nobody by that.
            }
            let to = room(&to).with_context(|| format!("{to} is no room of DESIGN.md"))?;
            let features = dependency["features"].as_array().context("no features")?;
            arrows.push(Arrow {
                from: (*from).to_string(),
                to: to.to_string(),
                dev: dependency["kind"].as_str() == Some("dev"),
                features: features.iter().filter_map(|f| f.as_str().map(str::to_string)).collect(),
            });
        }
    }
    Ok(arrows)
}

/// Every arrow that is not allowed, in words.
#[must_use]
pub fn forbidden(arrows: &[Arrow]) -> Vec<String> {
    let mut out = Vec::new();
    for arrow in arrows {
        let Arrow {
            from,
            to,
            dev,
            features,
        } = arrow;
        let allowed =
            reach(from).contains(to.as_str()) || (*dev && DEV_EXCEPTIONS.iter().any(|(f, t)| f == from && t == to));
        if !allowed {
            let kind = if *dev { " (for its tests)" } else { "" };
            out.push(format!("{from} must not depend on {to}{kind}"));
        }
        if to == "chain" && features.iter().any(|f| f == "engine") {
            out.push(format!("{from} must not turn the engine of chain on"));
        }
    }
    out
}
