//! The memory that a kiosk's platform lends to the loop. A platform with a heap asks the package and the media how much.

use election::ballot::{PreparedSelection, PreparedSum, Secret};
use election::batch;
use election::package::Package;
use election::sign::PublicKey;
use election::table::Table6;
use kiosk::ballot_box::{Memory, Role, Row, label_of};
use kiosk::ports::{Platform, Ports};
use kiosk::run::{Buffers, Sizes};

/// Longest roll delta.
const DELTA: usize = 1 << 20;

/// Memory for one run.
pub struct Lent {
    rows: Vec<Row>,
    used: Vec<u8>,
    scratch: Vec<u8>,
    entries: Vec<batch::Entry>,
    slot: Vec<u8>,
    secrets: Vec<Secret>,
    prepared: Vec<PreparedSelection>,
    sums: Vec<PreparedSum>,
    opening: Vec<u8>,
    request: Vec<u8>,
    reply: Vec<u8>,
    delta: Vec<u8>,
    tables: Box<[Table6; 2]>,
}

impl Lent {
    /// Enough for this package and the media that are in; next to nothing where there are none, because the loop does not
    /// come as far as needing more.
    pub async fn new<P: Platform>(ports: &mut Ports<P>, package: &[u8], authority: &PublicKey) -> Self {
        let mut layouts = Vec::new();
        if let Ok(label) = label_of(&mut ports.original, Role::Original).await {
            layouts.push(label.layout);
        }
        if let Ok(label) = label_of(&mut ports.duplicate, Role::Duplicate).await {
            layouts.push(label.layout);
        }
        let sizes = Package::open(package, authority)
            .map(|package| {
                layouts
                    .iter()
                    .map(|layout| Sizes::new(&package.manifest, layout))
                    .collect()
            })
            .unwrap_or_default();
        Self::of(sizes)
    }

    fn of(sizes: Vec<Sizes>) -> Self {
        let most = |part: fn(&Sizes) -> usize| sizes.iter().map(part).max().unwrap_or(0);
        let entry = batch::Entry {
            kind: batch::Kind::Cast,
            code: [0; 32],
            leaf: [0; 32],
        };
        Self {
            rows: vec![Row::EMPTY; most(|sizes| sizes.rows)],
            used: vec![0; most(|sizes| sizes.used)],
            scratch: vec![0; most(|sizes| sizes.scratch)],
            entries: vec![entry; most(|sizes| sizes.entries)],
            slot: vec![0; most(|sizes| sizes.scratch)],
            secrets: (0..most(|sizes| sizes.secrets)).map(|_| Secret::EMPTY).collect(),
            prepared: (0..most(|sizes| sizes.secrets))
                .map(|_| PreparedSelection::EMPTY)
                .collect(),
            sums: (0..most(|sizes| sizes.sums)).map(|_| PreparedSum::EMPTY).collect(),
            opening: vec![0; most(|sizes| sizes.opening)],
            request: vec![0; most(|sizes| sizes.request)],
            reply: vec![0; most(|sizes| sizes.reply)],
            delta: vec![0; DELTA],
            tables: Box::new([Table6::EMPTY; 2]),
        }
    }

    /// Lends it.
    pub fn lend(&mut self) -> Buffers<'_> {
        let [generator, joint] = &mut *self.tables;
        Buffers {
            memory: Memory {
                rows: &mut self.rows,
                used: &mut self.used,
                scratch: &mut self.scratch,
                entries: &mut self.entries,
            },
            slot: &mut self.slot,
            secrets: &mut self.secrets,
            prepared: &mut self.prepared,
            sums: &mut self.sums,
            opening: &mut self.opening,
            request: &mut self.request,
            reply: &mut self.reply,
            delta: &mut self.delta,
            generator,
            joint,
        }
    }
}
