//! Starting: package, identity, registration, media, secret; then opening, polls or the closing screen.

use election::ballot::Election;
use election::group::Point;
use election::manifest::Mode;
use election::package::Package;
use election::roll::{Delta, RollError};
use embassy_futures::select::{Either, select};
use embassy_sync::mutex::Mutex;

use super::judge::Judge;
use super::polls::Polls;
use super::uplink::{Line, pump};
use super::vault::{Vault, housekeeping};
use super::{Buffers, Config, Sizes, Stop, closing, provision};
use crate::ballot_box::{self, BallotBox, Expected, MediaFault, Mounted, Progress, Role};
use crate::identity::{self, Identity, PackageFault};
use crate::ports::{Item, Lamp, Panel, Platform, Ports, Signals, Store};
use crate::random::Random;
use crate::screen::{Fault, Restarted, Screen, StaffScreen, Touch};
use crate::staff::split;

pub(crate) async fn start<P: Platform>(ports: &mut Ports<P>, config: &Config<'_>, buffers: Buffers<'_>) -> Stop {
    match inner(ports, config, buffers).await {
        Ok(stop) | Err(stop) => stop,
    }
}

async fn inner<P: Platform>(ports: &mut Ports<P>, config: &Config<'_>, buffers: Buffers<'_>) -> Result<Stop, Stop> {
    ports.panel.show(&Screen::Starting);
    ports.signals.lamp(Lamp::Off);
    let (mut desk, rest) = split(ports);
    let mut random = Random::new(rest.entropy)?;

    let bytes = config.package.ok_or(Fault::Package(PackageFault::Missing))?;
    let package = identity::accept(rest.store, bytes, config.authority, config.station)
        .await?
        .map_err(Fault::Package)?;
    if package.manifest.mode == Mode::Statutory && rest.uplink.is_some() {
        return Err(Fault::UplinkInStatutory.into());
    }
    let identity = Identity::load(rest.store, &mut random).await.map_err(Fault::Identity)?;
    let mut registration = [0; 512];
    let length = provision::register(
        &mut desk,
        rest.store,
        &package,
        &identity,
        config.software,
        &mut registration,
    )
    .await?;
    let registration = registration.get(..length).unwrap_or(&[]);

    // The media.
    let manifest = package.manifest;
    let expected = Expected {
        election: *package.election(),
        kiosk: identity.kiosk(),
        station: config.station,
        epochs: manifest.epoch_count(),
        ballot: manifest.max_ballot_len(),
        batch: usize::from(manifest.batch),
    };
    desk.panel.show(&Screen::Starting);
    let label = ballot_box::label_of(rest.original, Role::Original).await;
    let label = label.map_err(Fault::Media)?;
    let judge = Judge {
        manifest,
        election: expected.election,
        station: config.station,
        epoch: label.epoch,
    };
    let sizes = Sizes::new(&manifest, &label.layout);
    if !sizes.fit(&buffers) {
        return Err(Fault::Buffers.into());
    }
    let Buffers {
        mut memory,
        slot,
        secrets,
        opening,
        request,
        reply,
        generator,
        joint,
        delta: delta_buffer,
    } = buffers;
    let delta = delta(rest.store, &package, config, delta_buffer).await?;
    if provision::is_takeover(rest.original, rest.duplicate, &expected.kiosk).await {
        let media = (rest.original, rest.duplicate);
        return Ok(provision::take_over(&mut desk, media, &package, &expected, &judge, &mut memory).await);
    }
    let (mut ballot_box, mounted) = BallotBox::mount(
        rest.original,
        rest.duplicate,
        &expected,
        judge,
        memory,
        slot,
        &mut random,
    )
    .await
    .map_err(Fault::Media)?;
    if ballot_box.log().is_closed() {
        // Wiped at closing; a cut may have come between. Before anything that can fail.
        rest.store.erase(Item::Secret).await?;
    }
    progressed(rest.store, &ballot_box).await?;
    ballot_box.settle().await.map_err(housekeeping)?;
    if !ballot_box.log().is_closed() {
        ballot_box.announce(registration).await.map_err(housekeeping)?;
    }

    let epoch = label.epoch;
    let open = ballot_box.log().is_open();
    let closed = ballot_box.log().is_closed();
    let restarted = Restarted {
        voter: ballot_box.last_voter(),
        copied: mounted.copied,
        void: ballot_box.counts().void,
        counts: ballot_box.counts(),
    };
    let mut vault = Vault {
        ballot_box,
        store: rest.store,
        online: rest.uplink.is_some().then_some(false),
        height: 0,
    };
    let signer = &identity.signer;
    // The media may be ahead of what is remembered. Not before opening: until then nothing stands, and a pair may be formatted anew.
    if open || closed {
        vault.remember().await?;
    }
    vault.batches(expected.batch, signer, &mut random).await?;

    let secret = if closed {
        None
    } else {
        let secret = provision::secret(&mut desk, vault.store, &package, &identity).await?;
        if open {
            let screen = Screen::Staff(StaffScreen::Restarted(restarted));
            desk.wait_for(&screen, &[Touch::Confirm]).await;
        }
        Some(secret)
    };
    let g = generator.build(&Point::GENERATOR);
    let key = Point::from_bytes(&package.keys.joint.0).map_err(|_| Fault::Package(PackageFault::Missing))?;
    let election = Election::new(expected.election, g, joint.build(&key)).map_err(|_| Fault::Defect)?;

    let vault = Mutex::new(vault);
    let mut line = Line {
        request,
        reply,
        chain: package.genesis.chain_id(),
        validators: package.genesis.validators,
    };
    let clock = desk.clock;
    let polls = async {
        if let Some(secret) = secret {
            Polls {
                desk: &mut desk,
                entropy: rest.entropy,
                vault: &vault,
                package: &package,
                delta: delta.as_ref(),
                secret,
                election: &election,
                signer,
                random: &mut random,
                config,
                epoch,
                slot,
                secrets,
                opening,
                ballot: 0,
                challenged: heapless::Deque::new(),
            }
            .day()
            .await?;
        }
        closing::closed(&mut desk, &vault, &package, signer).await
    };
    match rest.uplink {
        None => polls.await,
        Some(uplink) => match select(polls, pump(uplink, &vault, clock, &mut line)).await {
            Either::First(ended) => ended,
            Either::Second(stop) => Err(stop),
        },
    }
}

/// The roll delta in force. One that is not newer than the package is in the package already.
async fn delta<'d, S: Store>(
    store: &mut S,
    package: &Package<'_>,
    config: &Config<'_>,
    buffer: &'d mut [u8],
) -> Result<Option<Delta<'d>>, Stop> {
    let Some(length) = store.read(Item::Delta, buffer).await? else {
        return Ok(None);
    };
    let file: &'d [u8] = buffer;
    let file = file.get(..length).ok_or(Fault::Buffers)?;
    let styles = package.manifest.style_count();
    let delta = Delta::open(file, config.authority, package.election(), config.station, styles);
    match delta.and_then(|delta| delta.accept(package.header.serial, None).map(|()| delta)) {
        Ok(delta) => Ok(Some(delta)),
        Err(RollError::Older { .. } | RollError::Election) => Ok(None),
        Err(error) => Err(Fault::Delta(error).into()),
    }
}

/// Whether these are the media this epoch was opened with, and not an older state of them (F6).
async fn progressed<S: Store, M, L>(store: &mut S, ballot_box: &BallotBox<'_, M, L>) -> Result<(), Stop> {
    let mut buffer = [0; Progress::MAX];
    let Some(length) = store.read(Item::Progress, &mut buffer).await? else {
        return Ok(());
    };
    let Some(progress) = buffer.get(..length).and_then(Progress::decode) else {
        return Ok(());
    };
    let label = ballot_box.label();
    if progress.election != label.election {
        return Ok(());
    }
    // One set of keys, one pair, one epoch: a second pair would begin a second row of batches under the same key.
    if progress.pair != label.pair {
        return Err(Fault::Media(MediaFault::OtherPair).into());
    }
    let log = ballot_box.log();
    let counts = ballot_box.counts();
    // More of anything is a cut between the media and the store. Fewer votes is also what damage on both media at one place leaves: nor may
    // polls go on then as if somebody had left.
    if log.entries() < progress.entries
        || counts.recorded < progress.cast
        || counts.spoiled < progress.spoiled
        || (progress.closed && !log.is_closed())
    {
        return Err(Fault::Media(MediaFault::Older).into());
    }
    Ok(())
}

impl Mounted {
    /// Whether everything was as it should be.
    #[must_use]
    pub const fn clean(&self) -> bool {
        self.copied == 0 && self.torn == 0 && self.single == 0
    }
}
