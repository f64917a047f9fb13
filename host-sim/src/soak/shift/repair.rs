//! What staff do when a kiosk stops: restart it, put the right media in, put a spare in its place.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use kiosk::ballot_box::{MediaFault, Role};
use kiosk::ports::MediumError;
use kiosk::screen::{Fault, Restarted};

use super::{AGAIN, Shift, TRIES};
use crate::soak::laws::Law;
use crate::soak::reading::Reading;
use crate::soak::trouble::Wrong;
use crate::voters::staff::Task;
use crate::world::machine::Machine;
use crate::world::media::{Memory, Shared};
use crate::world::time::MINUTE;
use crate::world::view::View;

impl Shift {
    /// From a kiosk that has stopped to one that works, or is closed.
    pub(super) async fn settle(&mut self, first: Task) -> Result<Option<Restarted>> {
        let mut task = first;
        let mut read: Option<Restarted> = None;
        for _ in 0..TRIES {
            if !self.machine.power.is_out() {
                self.machine.switch_off().await;
            }
            self.dark().await;
            self.exchange_media();
            self.machine.switch_on();
            let (notes, _) = self.staff(task).await?;
            let fault = notes.fault;
            if notes.restarted.is_some_and(|found| found.voter.is_some()) || read.is_none() {
                read = notes.restarted;
            }
            if notes.words.is_some() {
                self.closing = Some(notes.clone());
            }
            match fault {
                // A closed kiosk shows the words also if one medium is not there: it cannot know it from one that has died.
                None if self.wrong == Some(Wrong::Missing) && self.closing.is_some() => {
                    self.exchange_media();
                    self.failures = 0;
                    return Ok(read);
                }
                None if self.put_back.is_some() => {
                    self.check(Law::EveryRefusalHasAReason, false, || {
                        format!("the kiosk works with the wrong media: {:?}", self.wrong)
                    });
                    task = Task::Restart;
                }
                None => {
                    self.failures = 0;
                    return Ok(read);
                }
                Some((fault, _)) => task = self.cure(fault).await?,
            }
        }
        bail!("the kiosk does not come back")
    }

    /// Staff take the right media out and put others in, or the right ones in again.
    fn exchange_media(&mut self) {
        if let Some(right) = self.put_back.take() {
            self.wrong = None;
            for (slot, medium) in self.machine.slots.iter().zip(right) {
                slot.put(medium);
            }
            return;
        }
        let Some(wrong) = self.weather.wrong_media() else {
            return;
        };
        let right = self.machine.slots.each_ref().map(crate::world::media::Slot::medium);
        let [Some(original), Some(duplicate)] = &right else {
            return;
        };
        let copy = |medium: &Shared| -> Option<Shared> { Some(Rc::new(RefCell::new(medium.borrow().durable()))) };
        // Only where they differ from what the kiosk may remember can an older copy be refused.
        let older = self.weather.older();
        let media: [Option<Shared>; 2] = match wrong {
            Wrong::Stray => {
                let (size, sector) = (original.borrow().bytes().len(), original.borrow().sector());
                let stray = Rc::new(RefCell::new(Memory::new(size, sector)));
                [Some(stray), Some(duplicate.clone())]
            }
            Wrong::Swapped => [Some(duplicate.clone()), Some(original.clone())],
            Wrong::Twice => [Some(original.clone()), copy(original)],
            Wrong::Missing => [Some(original.clone()), None],
            Wrong::Foreign => {
                let neighbours = self.neighbours.borrow();
                let other = neighbours.iter().find(|(station, _)| *station != self.station);
                let Some((_, other)) = other else { return };
                [copy(other), Some(duplicate.clone())]
            }
            Wrong::Older => {
                let Some([one, two]) = older else { return };
                let same = |old: &Shared, new: &Shared| {
                    let votes =
                        |medium: &Shared| Reading::content(&medium.borrow()).map(|content| content.records.len());
                    matches!((votes(old), votes(new)), (Ok(old), Ok(new)) if old >= new)
                };
                if same(&one, original) || same(&two, duplicate) {
                    return;
                }
                [Some(one), Some(two)]
            }
        };
        self.note(&format!("staff put in the wrong media: {wrong:?}"));
        self.wrong = Some(wrong);
        for (slot, medium) in self.machine.slots.iter().zip(media) {
            slot.put(medium);
        }
        self.put_back = Some(right);
    }

    /// What staff do about a fault; gives what they come for next.
    async fn cure(&mut self, fault: Fault) -> Result<Task> {
        self.note(&format!("fault {fault:?}"));
        let reason = |shift: &Self, holds: bool| {
            shift.check(Law::EveryRefusalHasAReason, holds, || {
                format!("the kiosk stops with {fault:?}, for which there is no reason")
            });
        };
        if let Some(wrong) = self.wrong {
            let named = names(wrong, fault)
                || role_of(fault).is_some_and(|role| self.weather.has_been_ill(role))
                || fault == Fault::Entropy && self.weather.had_no_entropy()
                || fault == Fault::Store && self.weather.had_no_store();
            self.check(Law::EveryRefusalHasAReason, named, || {
                format!("wrong media ({wrong:?}) are refused as {fault:?}")
            });
            return Ok(Task::Restart);
        }
        self.failures += 1;
        match (role_of(fault), fault) {
            (Some(role), _) => {
                reason(self, self.weather.has_been_ill(role));
                if self.failures >= 2
                    && let Some(spare) = self.spares.pop()
                {
                    self.replace(spare, role.other()).await?;
                    return Ok(Task::TakeOver);
                }
            }
            (None, Fault::Entropy) => reason(self, self.weather.had_no_entropy()),
            (None, Fault::Store) => reason(self, self.weather.had_no_store()),
            (None, _) => {
                reason(self, false);
                bail!("out of order: {fault:?}");
            }
        }
        if self.failures >= 2 {
            self.world.executor.time().sleep(AGAIN).await;
        }
        Ok(Task::Restart)
    }

    /// Takes the kiosk out; a spare stands there with the surviving medium, without power yet.
    pub(super) async fn replace(&mut self, spare: Rc<Machine>, surviving: Role) -> Result<()> {
        self.note(&format!("a spare takes over with the {surviving}"));
        if !self.machine.power.is_out() {
            self.machine.switch_off().await;
        }
        self.machine.booth.wait_for(|view| *view == View::Dark).await;
        let index = surviving as usize;
        let medium = self.machine.slots[index]
            .put(None)
            .context("the surviving medium is missing")?;
        self.removed.extend(self.machine.slots[1 - index].put(None));
        spare.slots[index].put(Some(medium));
        self.world.executor.time().sleep(5 * MINUTE).await;
        // Whoever stood there takes their card along.
        self.machine.booth.slot.pull();
        self.fuses.fit(&spare);
        spare.power.cut();
        spare.booth.put(View::Dark);
        self.weather.moves_to(spare.clone());
        self.former.push(std::mem::replace(&mut self.machine, spare));
        self.failures = 0;
        Ok(())
    }
}

/// Which medium a fault speaks of.
const fn role_of(fault: Fault) -> Option<Role> {
    match fault {
        Fault::Medium(role, _) | Fault::ReadBack(role) => Some(role),
        Fault::Media(MediaFault::Device(role, _) | MediaFault::Label(role)) => Some(role),
        _ => None,
    }
}

/// Whether a fault names what is wrong with the media.
const fn names(wrong: Wrong, fault: Fault) -> bool {
    let Fault::Media(fault) = fault else { return false };
    matches!(
        (wrong, fault),
        (Wrong::Stray, MediaFault::Stray(Role::Original))
            | (Wrong::Swapped, MediaFault::Swapped)
            | (Wrong::Twice, MediaFault::Twice)
            | (
                Wrong::Foreign,
                MediaFault::OtherStation(Role::Original) | MediaFault::OtherKiosk(Role::Original)
            )
            | (Wrong::Older, MediaFault::Older)
            | (
                Wrong::Missing,
                MediaFault::Device(Role::Duplicate, MediumError::Missing)
            )
    )
}
