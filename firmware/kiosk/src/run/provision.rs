//! Setting a kiosk up: registration by two staff cards, the election secret from the desk, takeover from another kiosk.

use election::hash::Digest;
use election::ledger::{MAX_BODY, PAIR, Registration, StaffBody, Takeover, Transaction, staff_pair};
use election::package::Package;
use election::tag::ElectionSecret;
use election::wire;

use super::Stop;
use super::judge::Judge;
use crate::ballot_box::{self, Expected, MediaFault, Memory, TakenOver};
use crate::identity::{self, Identity};
use crate::ports::{Clock, Item, Medium, Platform, Store};
use crate::screen::{Fault, StaffAction, StaffScreen, Touch};
use crate::staff::{Act, Desk};

/// The stored registration, or a new one; `out` gets the transaction.
pub(crate) async fn register<P: Platform>(
    desk: &mut Desk<'_, P>,
    store: &mut P::Store,
    package: &Package<'_>,
    identity: &Identity,
    software: &Digest,
    out: &mut [u8; 512],
) -> Result<usize, Stop> {
    let wanted = identity.request(package.election(), package.header.station, software);
    if let Some(length) = store.read(Item::Registration, out).await? {
        match out.get(..length).map(Transaction::read) {
            Some(Ok(Transaction::Register { body, .. })) if same_kiosk(&body, &wanted) => return Ok(length),
            Some(Ok(Transaction::Register { body, .. })) if body.election == wanted.election => {
                // The keys are not those that were registered: somebody exchanged the store.
                return Err(Fault::Identity(identity::IdentityError::Damaged).into());
            }
            // Of an election that is over, or damaged: registered anew.
            _ => {}
        }
    }
    let mut body = [0; MAX_BODY];
    let body: &[u8] = wire::encode(&wanted, &mut body).map_err(|_| Fault::Defect)?;
    store.write(Item::Request, body).await?;
    let kiosk = identity.kiosk();
    loop {
        let screen = StaffScreen::Provision {
            kiosk: &kiosk,
            software,
        };
        if desk.ask(&screen).await != Touch::Confirm {
            if store.updates() {
                super::update::update(desk, store, package, software).await?;
            }
            continue;
        }
        let act = Act {
            action: StaffAction::Provision,
            label: Registration::LABEL,
            message: body,
        };
        let Some(pair) = desk.sign(package, &act).await else {
            continue;
        };
        if !super::update::kept(desk, store).await {
            continue;
        }
        let mut staff = [0; PAIR];
        let transaction = Transaction::Register {
            body: wanted,
            staff: staff_pair(pair, &mut staff),
        };
        let length = wire::encode(&transaction, out).map_err(|_| Fault::Defect)?.len();
        store
            .write(Item::Registration, out.get(..length).unwrap_or(&[]))
            .await?;
        return Ok(length);
    }
}

/// The software may be a newer one; keys, election and station may not.
fn same_kiosk(one: &Registration, two: &Registration) -> bool {
    one.election == two.election && one.kiosk == two.kiosk && one.sealing == two.sealing && one.station == two.station
}

/// The election secret, waited for if need be.
pub(crate) async fn secret<P: Platform>(
    desk: &mut Desk<'_, P>,
    store: &mut P::Store,
    package: &Package<'_>,
    identity: &Identity,
) -> Result<ElectionSecret, Stop> {
    loop {
        let refused = match identity::secret(store, identity, package).await? {
            Some(Some(secret)) => return Ok(secret),
            Some(None) => true,
            None => false,
        };
        desk.ask(&StaffScreen::AwaitSecret { refused }).await;
    }
}

/// Takes over from the kiosk whose surviving medium is in. Ends in a restart, or in the fault that the media are.
pub(crate) async fn take_over<P: Platform>(
    desk: &mut Desk<'_, P>,
    store: &mut P::Store,
    media: (&mut P::Medium, &mut P::Medium),
    package: &Package<'_>,
    expected: &Expected,
    judge: &Judge<'_>,
    memory: &mut Memory<'_>,
) -> Stop {
    let (original, duplicate) = media;
    let proposal = match ballot_box::propose(original, duplicate, expected, judge, memory).await {
        Ok(proposal) => proposal,
        Err(fault) => return Fault::Media(fault).into(),
    };
    loop {
        let screen = StaffScreen::TakeOver {
            old: &proposal.old,
            recorded: proposal.count,
        };
        if desk.ask(&screen).await != Touch::Confirm {
            // Nothing was written. The medium is another kiosk's, which is said until it is taken out and the kiosk starts again.
            return Fault::Media(MediaFault::OtherKiosk(proposal.surviving)).into();
        }
        let body = Takeover {
            election: expected.election,
            epoch: proposal.epoch(),
            old: proposal.old,
            new: expected.kiosk,
            predecessor: proposal.predecessor,
            count: proposal.count,
        };
        let mut message = [0; MAX_BODY];
        let Ok(message) = body.message(&mut message) else {
            return Fault::Defect.into();
        };
        let act = Act {
            action: StaffAction::TakeOver,
            label: Takeover::LABEL,
            message,
        };
        let Some(staff) = desk.sign(package, &act).await else {
            continue;
        };
        if !super::update::kept(desk, store).await {
            continue;
        }
        let taken = TakenOver {
            old: proposal.old,
            predecessor: proposal.predecessor,
            count: proposal.count,
            seconds: desk.clock.seconds(),
            staff,
        };
        let (medium, fresh) = match proposal.surviving {
            ballot_box::Role::Original => (original, duplicate),
            ballot_box::Role::Duplicate => (duplicate, original),
        };
        if let Err(fault) = ballot_box::adopt(fresh, &proposal, memory.scratch).await {
            return Fault::Media(fault).into();
        }
        return match ballot_box::rebind(medium, &proposal, &taken, memory.scratch).await {
            Ok(()) => Stop::Restart,
            Err(fault) => Fault::Media(fault).into(),
        };
    }
}

/// A medium of another kiosk in one of the two slots: that, and only that, may be a takeover.
pub(crate) async fn is_takeover<M: Medium>(original: &mut M, duplicate: &mut M, kiosk: &Digest) -> bool {
    let one = ballot_box::label_of(original, ballot_box::Role::Original).await;
    let two = ballot_box::label_of(duplicate, ballot_box::Role::Duplicate).await;
    matches!((one, two), (Ok(one), Ok(two)) if (one.kiosk == *kiosk) != (two.kiosk == *kiosk))
}
