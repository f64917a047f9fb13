//! A kiosk's machine: what outlives a run, and one run of the shipped loop on it until it ends, the power goes or everybody waits.

use core::cell::Cell;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use election::ballot::{PreparedSelection, PreparedSum};
use election::package::Package;

use super::cards::{BareKeys, Contacts};
use super::desk;
use super::people::{Visit, discriminant};
use super::platform::{Port, Reader, Test, World};
use crate::ballot_box::{self, Layout, Memory, Row, media_for_tests as media};
use crate::ports::Ports;
use crate::run::{Buffers, Config, Exit, Sizes};
use crate::screen::Screen;

/// A kiosk's machine: media and store outlive runs.
pub struct Machine {
    pub world: Rc<World>,
    pub package: Vec<u8>,
    pub media: [media::Faulty; 2],
    pub with_uplink: bool,
    pub layout: Layout,
    /// Turns in which "encrypting" stood on the screen.
    pub encrypting: Cell<u32>,
}

/// How a run went.
#[derive(Debug, PartialEq, Eq)]
pub enum Ran {
    Ended(Exit),
    /// The power went.
    Cut,
    /// Nothing happens any more: everybody waits.
    Waiting,
}

pub fn layout(package: &[u8]) -> Layout {
    layout_for(package, 16)
}

pub fn layout_for(package: &[u8], cast: u32) -> Layout {
    let package = Package::open(package, &desk::authority().public_key()).unwrap();
    Layout::plan(&package.manifest, 512, cast, 6).unwrap()
}

impl Machine {
    /// These people come, one after the other.
    pub fn come(&self, visits: impl IntoIterator<Item = Visit>) {
        self.world.people.borrow_mut().visits.extend(visits);
    }

    /// Runs until it ends, the power goes or nothing happens for an hour.
    pub fn run(&self) -> Ran {
        let authority = desk::authority().public_key();
        let other;
        let package = match Package::open(&self.package, &authority) {
            Ok(package) => package,
            // A kiosk refuses it before any size of it matters.
            Err(_) => {
                other = desk::package(election::manifest::Mode::Consultation, 1);
                Package::open(&other, &authority).unwrap()
            }
        };
        let sizes = Sizes::new(&package.manifest, &self.layout);
        let config = Config {
            package: Some(&self.package),
            authority: &authority,
            station: desk::STATION,
            software: &desk::SOFTWARE,
            key_unprotected: false,
        };
        let mut rows = vec![Row::EMPTY; sizes.rows];
        let mut used = vec![0; sizes.used];
        let mut scratch = vec![0; sizes.scratch];
        let entry = election::batch::Entry {
            kind: ballot_box::Kind::Cast,
            code: [0; 32],
            leaf: [0; 32],
        };
        let mut entries = vec![entry; sizes.entries];
        let mut slot = vec![0; sizes.scratch];
        let mut secrets: Vec<election::ballot::Secret> =
            (0..sizes.secrets).map(|_| election::ballot::Secret::EMPTY).collect();
        let mut prepared: Vec<PreparedSelection> = (0..sizes.secrets).map(|_| PreparedSelection::EMPTY).collect();
        let mut sums: Vec<PreparedSum> = (0..sizes.sums).map(|_| PreparedSum::EMPTY).collect();
        prepared.truncate(if self.world.no_memory.get() { 1 } else { usize::MAX });
        let (mut opening, mut request) = (vec![0; sizes.opening], vec![0; sizes.request]);
        let (mut reply, mut delta) = (vec![0; sizes.reply], vec![0; 4096]);
        let (mut generator, mut joint) = (
            std::boxed::Box::new(election::table::Table6::EMPTY),
            std::boxed::Box::new(election::table::Table6::EMPTY),
        );
        let buffers = Buffers {
            memory: Memory {
                rows: &mut rows,
                used: &mut used,
                scratch: &mut scratch,
                entries: &mut entries,
            },
            slot: &mut slot,
            secrets: &mut secrets,
            prepared: &mut prepared,
            sums: &mut sums,
            opening: &mut opening,
            request: &mut request,
            reply: &mut reply,
            delta: &mut delta,
            generator: &mut generator,
            joint: &mut joint,
        };
        let world = &self.world;
        let mut ports = Ports::<Test> {
            clock: Port(world.clone()),
            entropy: Port(world.clone()),
            panel: Port(world.clone()),
            reader: Reader(world.clone(), Contacts(world.slot.clone())),
            certificates: BareKeys,
            original: self.media[0].clone(),
            duplicate: self.media[1].clone(),
            store: Port(world.clone()),
            signals: Port(world.clone()),
            uplink: self.with_uplink.then(|| Port(world.clone())),
        };
        world.kind.set(0);
        world.touches.borrow_mut().clear();
        let mut future = std::boxed::Box::pin(crate::run::run(&mut ports, &config, buffers));
        let mut context = core::task::Context::from_waker(core::task::Waker::noop());
        let encrypting = discriminant(&Screen::Encrypting);
        let start = world.now.get();
        let mut quiet = 0;
        let ran = loop {
            world.alarm.set(None);
            let touched = world.people.borrow().touched;
            let encrypting = world.kind.get() == encrypting;
            self.encrypting.update(|turns| turns + u32::from(encrypting));
            if let core::task::Poll::Ready(exit) = future.as_mut().poll(&mut context) {
                break Ran::Ended(exit);
            }
            if self.media[0].power.borrow().left == Some(0) && self.media[0].power.borrow().gone {
                break Ran::Cut;
            }
            let busy = world.people.borrow().touched != touched || !world.touches.borrow().is_empty();
            // Who sees this waits for work, and not for anybody.
            let busy = busy || encrypting;
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet > 2 {
                match world.alarm.get() {
                    Some(alarm) if alarm < start + 86_400_000 && quiet < 5_000 => world.now.set(alarm),
                    _ => break Ran::Waiting,
                }
            }
        };
        // Invariant 7, however it ended: nothing that opens a ballot stays in the platform's memory.
        drop(future);
        assert!(
            secrets.iter().all(election::ballot::Secret::is_empty),
            "nonces stayed: {ran:?}"
        );
        assert!(opening.iter().all(|byte| *byte == 0), "an opening stayed: {ran:?}");
        assert!(
            !prepared.iter().any(PreparedSelection::is_fresh),
            "a prepared selection stayed: {ran:?}"
        );
        ran
    }

    /// The power goes and comes back; whoever stood there takes the card out.
    pub fn power_cycle(&self) {
        for medium in &self.media {
            medium.fail_power();
        }
        let mut power = self.media[0].power.borrow_mut();
        power.left = None;
        power.gone = false;
        drop(power);
        self.world.pull();
    }
}
