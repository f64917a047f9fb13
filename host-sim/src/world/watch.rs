//! Somebody who looks over a kiosk's shoulder: sees every write before it happens and every picture. Changes nothing of the kiosk;
//! may let a medium fail at the very moment it is written. Laws are checked from here.

use std::cell::OnceCell;
use std::rc::Rc;

use kiosk::ballot_box::Role;

use super::media::Slot;
use super::view::View;

/// See the module.
pub trait Watch {
    /// `data` is about to be written to the medium in the slot `role`.
    fn write(&self, slots: &[Slot; 2], role: Role, offset: u64, data: &[u8]);

    /// A picture appears.
    fn shown(&self, slots: &[Slot; 2], view: &View);

    /// The card in the reader has answered.
    fn heard(&self, _answer: &[u8]) {}
}

/// Whoever watches a kiosk, if anybody does.
pub type Watching = Rc<OnceCell<Rc<dyn Watch>>>;
