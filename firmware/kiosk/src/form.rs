//! A ballot style as the panel and the session see it: its contests in order. Knows no voter and no ciphertext.

use election::manifest::{CheckedManifest, Contest, Style};

use crate::session::Shape;

/// One ballot style of a checked manifest. A few words: copy it freely.
#[derive(Clone, Copy)]
pub struct Form<'a> {
    manifest: CheckedManifest<'a>,
    style: Style<'a>,
}

/// A contest of a form.
#[derive(Clone, Copy)]
pub struct FormContest<'a> {
    /// The contest.
    pub contest: Contest<'a>,
    /// Order of its options on the screen, indices into `contest.options`; empty for the manifest's order.
    pub order: &'a [u8],
    /// Its index in the manifest.
    pub number: u16,
}

impl<'a> Form<'a> {
    /// The form of style `style`; `None` if the manifest has no such style.
    #[must_use]
    pub fn new(manifest: CheckedManifest<'a>, style: u16) -> Option<Self> {
        let style = manifest.style(style)?;
        Some(Self { manifest, style })
    }

    /// The manifest, for its languages.
    #[must_use]
    pub const fn manifest(&self) -> &CheckedManifest<'a> {
        &self.manifest
    }

    /// The style.
    #[must_use]
    pub const fn style(&self) -> &Style<'a> {
        &self.style
    }

    /// The contests, in the order of the ballot.
    pub fn contests(&self) -> impl Iterator<Item = FormContest<'a>> + use<'a> {
        self.manifest.ballot(&self.style).map(|(item, contest)| FormContest {
            contest,
            order: item.order,
            number: item.contest,
        })
    }

    /// A contest by its position, by walking.
    #[must_use]
    pub fn contest(&self, index: u8) -> Option<FormContest<'a>> {
        self.contests().nth(usize::from(index))
    }

    /// The numbers the session needs.
    #[must_use]
    pub fn shape(&self) -> Option<Shape> {
        Shape::new(
            self.manifest
                .shapes(&self.style)
                .map(|shape| (shape.options, shape.votes)),
        )
    }
}
