//! What the ballot box asks of a ballot: its code and its leaf (SPEC.md, sections 4 and 8).

use election::ballot::{BallotView, Layout, ballot_hash, tracking_code};
use election::batch::{cast_leaf, spoiled_leaf};
use election::hash::Digest;
use election::manifest::{CheckedManifest, ContestShape, MAX_STYLE_CONTESTS};

use crate::ballot_box::{Kind, Leaf, Leaves};

/// The contests of a style.
pub(crate) type Shapes = heapless::Vec<ContestShape, MAX_STYLE_CONTESTS>;

/// The shapes of a style's contests.
pub(crate) fn shapes(manifest: &CheckedManifest<'_>, style: u16) -> Option<Shapes> {
    let style = manifest.style(style)?;
    let mut shapes = Shapes::new();
    for shape in manifest.shapes(&style) {
        shapes.push(shape).ok()?;
    }
    Some(shapes)
}

/// Reads ballots of one election, station and epoch.
#[derive(Clone, Copy)]
pub struct Judge<'m> {
    /// What is voted on.
    pub manifest: CheckedManifest<'m>,
    /// Election hash.
    pub election: Digest,
    /// The station.
    pub station: u16,
    /// The epoch.
    pub epoch: u8,
}

impl Leaves for Judge<'_> {
    fn leaf(&self, kind: Kind, ballot: &[u8], tag: &[u8; 32]) -> Option<Leaf> {
        let style = BallotView::claimed_style(ballot)?;
        let shapes = shapes(&self.manifest, style)?;
        let layout = Layout::new(style, &shapes).ok()?;
        let view = BallotView::new(layout, ballot).ok()?;
        let code = tracking_code(&self.election, self.station, &view);
        let hash = ballot_hash(ballot);
        let leaf = match kind {
            Kind::Cast => cast_leaf(self.epoch, &code, &hash, tag),
            Kind::Spoiled => spoiled_leaf(self.epoch, &code, &hash),
        };
        Some(Leaf { code, leaf })
    }
}
