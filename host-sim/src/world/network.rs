//! The network between kiosks and the chain's gateway. Off for hours is normal.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use election::ledger::frame::MAX_REPLY;
use kiosk::ports::{Uplink, UplinkError};

use super::time::{SECOND, Timeline};
use crate::validators::Ledger;

/// Milliseconds from a kiosk to the gateway and back.
const ROUND_TRIP: u64 = 40;
/// How long a kiosk waits for an answer that does not come.
const PATIENCE: u64 = 3 * SECOND;

/// The chain that the gateway serves. Clones are the same one.
pub type SharedChain = Rc<RefCell<Ledger>>;

/// When the network is down: from and until, in milliseconds since the world began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// From.
    pub from: u64,
    /// Until, not included.
    pub until: u64,
}

/// One kiosk's network. Clones are the same one.
#[derive(Clone, Default)]
pub struct Network {
    outages: Rc<RefCell<Vec<Outage>>>,
    unplugged: Rc<Cell<bool>>,
}

impl Network {
    /// A network that is down then.
    #[must_use]
    pub fn new(outages: Vec<Outage>) -> Self {
        Self {
            outages: Rc::new(RefCell::new(outages)),
            unplugged: Rc::default(),
        }
    }

    /// One more outage.
    pub fn add(&self, outage: Outage) {
        self.outages.borrow_mut().push(outage);
    }

    /// Pulls the cable, or plugs it in.
    pub fn plug(&self, plugged: bool) {
        self.unplugged.set(!plugged);
    }

    /// Whether the cable is in.
    #[must_use]
    pub fn is_plugged(&self) -> bool {
        !self.unplugged.get()
    }

    fn is_down(&self, now: u64) -> bool {
        self.unplugged.get()
            || self
                .outages
                .borrow()
                .iter()
                .any(|outage| (outage.from..outage.until).contains(&now))
    }
}

/// The kiosk's port to the gateway.
pub struct GatewayPort {
    pub(super) network: Network,
    pub(super) chain: SharedChain,
    pub(super) time: Rc<Timeline>,
}

impl Uplink for GatewayPort {
    async fn exchange(&mut self, request: &[u8], reply: &mut [u8]) -> Result<usize, UplinkError> {
        // The request arrives, or not; the answer arrives, or not: a kiosk must bear an accepted batch without an answer.
        self.time.sleep(ROUND_TRIP / 2).await;
        if self.network.is_down(self.time.now()) {
            self.time.sleep(PATIENCE).await;
            return Err(UplinkError);
        }
        let mut buffer = Box::new([0; MAX_REPLY]);
        let answer = self.chain.borrow_mut().answer(request, &mut buffer).to_vec();
        self.time.sleep(ROUND_TRIP / 2).await;
        if self.network.is_down(self.time.now()) {
            self.time.sleep(PATIENCE).await;
            return Err(UplinkError);
        }
        let place = reply.get_mut(..answer.len()).ok_or(UplinkError)?;
        place.copy_from_slice(&answer);
        Ok(answer.len())
    }
}
