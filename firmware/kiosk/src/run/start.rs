//! Starting: package, identity, registration, media, secret; then opening, polls or the closing screen.

use election::ballot::{Ahead, Election};
use election::group::Point;
use election::hash::Digest;
use election::ledger::Followed;
use election::manifest::Mode;
use election::package::Package;
use election::roll::{Delta, RollError};
use embassy_futures::select::{Either, select};
use embassy_sync::mutex::Mutex;

use super::judge::Judge;
use super::polls::Polls;
use super::uplink::{Line, pump};
use super::vault::{Vault, housekeeping};
use super::{Buffers, Config, Sizes, Stop, closing, names, provision};
use crate::ballot_box::{self, BallotBox, Broken, Expected, MediaFault, Mounted, Progress, Role};
use crate::identity::{self, Identity, PackageFault};
use crate::ports::{Item, Lamp, Medium, Panel, Platform, Ports, Signals, Store};
use crate::random::Random;
use crate::screen::{Fault, Recorded, Restarted, Screen, StaffScreen};
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
    names::take(desk.panel, &package)?;
    desk.panel.clips(package.clips.as_ref());
    desk.panel.updates(rest.store.updates());
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
    let remembered = remembered(rest.store, &expected.election).await?;
    let mut lost = None;
    let label = match ballot_box::label_of(rest.original, Role::Original).await {
        Ok(label) => label,
        Err(fault) => {
            let scratch = &mut *buffers.memory.scratch;
            let media = (&mut *rest.original, &mut *rest.duplicate);
            lost = closed_without(fault, media, &expected, scratch).await;
            let label = match lost {
                Some(_) => ballot_box::label_of(rest.duplicate, Role::Duplicate).await,
                None => Err(fault),
            };
            match label {
                Ok(label) => label,
                Err(fault) => {
                    let media = (rest.original, rest.duplicate);
                    return Ok(unmounted(fault, media, &expected, rest.store, remembered.as_ref(), scratch).await);
                }
            }
        }
    };
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
        prepared,
        sums,
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
        return Ok(provision::take_over(&mut desk, rest.store, media, &package, &expected, &judge, &mut memory).await);
    }
    // Twice at most: the second time without the medium that failed.
    let (mut ballot_box, mounted) = loop {
        let media = (&mut *rest.original, &mut *rest.duplicate);
        let memory = memory.lend();
        let mounted = match lost {
            None => BallotBox::mount(media.0, media.1, &expected, judge, memory, slot, &mut random).await,
            Some(lost) => BallotBox::mount_alone(media, lost, &expected, judge, memory, slot, &mut random).await,
        };
        let (mut ballot_box, mounted) = match mounted {
            Ok(mounted) => mounted,
            Err(fault) => {
                let media = (&mut *rest.original, &mut *rest.duplicate);
                if lost.is_none() {
                    lost = closed_without(fault, media, &expected, slot).await;
                    if lost.is_some() {
                        continue;
                    }
                }
                let media = (rest.original, rest.duplicate);
                return Ok(unmounted(fault, media, &expected, rest.store, remembered.as_ref(), slot).await);
            }
        };
        if ballot_box.log().is_closed() {
            // Wiped at closing; a cut may have come between. Before anything that can fail.
            rest.store.erase(Item::Secret).await?;
        }
        progressed(remembered.as_ref(), &ballot_box)?;
        ballot_box.settle().await.map_err(housekeeping)?;
        if !ballot_box.log().is_closed() || closed_by_another(&package, &ballot_box) {
            break (ballot_box, mounted);
        }
        let opened = ballot_box.log().opened_with().copied().unwrap_or(package.hash);
        match ballot_box.finish(&opened, &identity.signer).await {
            Ok(_) => break (ballot_box, mounted),
            // It can be read and not written: what stands on both stands, and the other one closes alone.
            Err(Broken {
                fault: Fault::Medium(role, _) | Fault::ReadBack(role),
                ..
            }) if lost.is_none() => lost = Some(role),
            Err(broken) => return Err(housekeeping(broken)),
        }
    };
    let again = closed_by_another(&package, &ballot_box);
    if !ballot_box.log().is_closed() || again {
        ballot_box.announce(registration).await.map_err(housekeeping)?;
    }

    let epoch = label.epoch;
    let open = ballot_box.log().is_open();
    let closed = ballot_box.log().is_closed();
    let counts = ballot_box.counts();
    let told = remembered.map_or(0, |progress| progress.told);
    let restarted = Restarted {
        // Who has left has read it already: nothing is said of whoever was there hours ago.
        voter: ballot_box.last_voter().filter(|_| told < counts.admitted),
        taken_over: told < ballot_box.log().inherited(),
        copied: mounted.copied > 0,
        void: counts.void,
    };
    let mut vault = Vault {
        ballot_box,
        store: rest.store,
        online: rest.uplink.is_some().then_some(false),
        height: 0,
        told,
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
            desk.ask(&StaffScreen::Restarted(restarted)).await;
            vault.told().await?;
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
        followed: Followed::new(&package.genesis),
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
                ahead: Ahead::new(prepared, sums),
                opening,
                digits: crate::session::PinDigits::ANY,
                ballot: 0,
                challenged: heapless::Deque::new(),
            }
            .day()
            .await?;
        }
        if again {
            closing::again(&mut desk, &vault, &package).await?;
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

/// Whether polls were closed on a kiosk that this one took over from, and not yet on this one: staff signed for that kiosk, which did not come
/// to sign itself. A closing with those signatures and this kiosk's key would not be counted.
fn closed_by_another<M, L>(package: &Package<'_>, ballot_box: &BallotBox<'_, M, L>) -> bool {
    let (log, label) = (ballot_box.log(), ballot_box.label());
    let taken = label.takeover.is_some() || log.taken_by() == Some(&label.kiosk);
    taken
        && log
            .closed_by()
            .is_some_and(|staff| !closing::is_for(package, label, staff))
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

/// What this kiosk remembers of its box in this election.
async fn remembered<S: Store>(store: &mut S, election: &Digest) -> Result<Option<Progress>, Stop> {
    let mut buffer = [0; Progress::MAX];
    let length = store.read(Item::Progress, &mut buffer).await?;
    let bytes = length.and_then(|length| buffer.get(..length));
    Ok(bytes
        .and_then(Progress::decode)
        .filter(|progress| progress.election == *election))
}

/// The media cannot be mounted. If one of them says that polls are closed, E goes all the same: what is whole on either stands. And if it is
/// a device that fails while polls are open, whether the vote of whoever stood there is recorded is unknown until somebody can read it (F3).
async fn unmounted<M: Medium, S: Store>(
    fault: MediaFault,
    (original, duplicate): (&mut M, &mut M),
    expected: &Expected,
    store: &mut S,
    remembered: Option<&Progress>,
    buffer: &mut [u8],
) -> Stop {
    let mut closed = remembered.is_some_and(|progress| progress.closed);
    for medium in [original, duplicate] {
        let found = ballot_box::closed_by(medium, &expected.election, &expected.kiosk, buffer).await;
        closed |= found.unwrap_or(false);
    }
    if closed && store.erase(Item::Secret).await.is_err() {
        return Fault::Store.into();
    }
    let device = matches!(fault, MediaFault::Device(..) | MediaFault::Label(_));
    let unknown = device && !closed && remembered.is_some();
    Stop::Fault(Fault::Media(fault), unknown.then_some(Recorded::Unknown))
}

/// The medium that a closed kiosk goes without: it fails as a device or its label cannot be read, and the other one says that polls are closed.
/// Nobody can vote any more, so this kiosk completes it with one medium; a spare, which would need two staff cards once more, is for a kiosk that died.
async fn closed_without<M: Medium>(
    fault: MediaFault,
    (original, duplicate): (&mut M, &mut M),
    expected: &Expected,
    buffer: &mut [u8],
) -> Option<Role> {
    let (MediaFault::Device(lost, _) | MediaFault::Label(lost)) = fault else {
        return None;
    };
    let other = match lost {
        Role::Original => duplicate,
        Role::Duplicate => original,
    };
    let closed = ballot_box::closed_by(other, &expected.election, &expected.kiosk, buffer).await;
    closed.unwrap_or(false).then_some(lost)
}

/// Whether these are the media this epoch was opened with, and not an older state of them (F6).
fn progressed<M, L>(progress: Option<&Progress>, ballot_box: &BallotBox<'_, M, L>) -> Result<(), Stop> {
    let Some(progress) = progress else {
        return Ok(());
    };
    let label = ballot_box.label();
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
