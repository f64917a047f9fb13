//! The day of a kiosk: the one loop, with everything it calls, over ports that answer nothing.

use core::future::Future as _;
use core::hint::black_box;
use core::pin::pin;
use core::task::{Context, Waker};

use election::ballot::{PreparedSelection, PreparedSum, Secret};
use election::batch;
use election::table::Table6;
use kiosk::ballot_box::{Memory, Row};
use kiosk::ports::Ports;
use kiosk::run::{Buffers, Config, Exit, run};

use crate::inputs::{bytes, digest, key};
use crate::ports::{Bare, Nothing};

/// One step of a day.
pub fn all() -> bool {
    let mut ports = Ports::<Bare> {
        clock: Nothing,
        entropy: Nothing,
        panel: Nothing,
        reader: Nothing,
        certificates: Nothing,
        original: Nothing,
        duplicate: Nothing,
        store: Nothing,
        signals: Nothing,
        uplink: black_box(Some(Nothing)),
    };
    let (authority, software) = (key(), digest());
    let config = Config {
        package: black_box(Some(bytes())),
        authority: &authority,
        station: black_box(1),
        software: &software,
        key_unprotected: black_box(false),
    };
    let (mut rows, mut used, mut scratch, mut slot) = ([Row::EMPTY; 8], [0; 1], [0; 4096], [0; 4096]);
    let mut entries = [batch::Entry {
        kind: batch::Kind::Cast,
        code: digest(),
        leaf: digest(),
    }; 8];
    let mut secrets = [const { Secret::EMPTY }; 8];
    let mut prepared = [const { PreparedSelection::EMPTY }; 8];
    let mut sums = [const { PreparedSum::EMPTY }; 2];
    let (mut opening, mut request, mut reply, mut delta) = ([0; 512], [0; 4096], [0; 4096], [0; 512]);
    let (mut generator, mut joint) = (Table6::EMPTY, Table6::EMPTY);
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
    let day = pin!(run(&mut ports, &config, buffers));
    match day.poll(&mut Context::from_waker(Waker::noop())) {
        core::task::Poll::Ready(exit) => matches!(exit, Exit::Closed { .. }),
        core::task::Poll::Pending => false,
    }
}
