//! A kiosk's internal memory. It belongs to the machine and survives its power.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use kiosk::ports::{Item, Space, Store, StoreError};

use super::booth::Booth;
use super::boundary::{Boundary, Device, Moment, Written};
use super::power::Power;
use super::view::View;

/// Longest item. The largest is a roll delta.
const LONGEST: usize = 8 << 20;

/// What is stored. Clones are the same store; the desk fetches and puts items through it.
#[derive(Clone, Default)]
pub struct Items {
    items: Rc<RefCell<BTreeMap<Item, Vec<u8>>>>,
}

impl Items {
    /// An item.
    #[must_use]
    pub fn get(&self, item: Item) -> Option<Vec<u8>> {
        self.items.borrow().get(&item).cloned()
    }

    /// Puts an item in, as the desk does.
    pub fn put(&self, item: Item, bytes: &[u8]) {
        self.items.borrow_mut().insert(item, bytes.to_vec());
    }

    /// Takes an item out.
    pub fn remove(&self, item: Item) {
        self.items.borrow_mut().remove(&item);
    }
}

/// The kiosk's port to it.
pub struct StorePort {
    pub(super) items: Items,
    pub(super) power: Rc<Power>,
    pub(super) booth: Booth,
    /// Whether it works.
    pub(super) works: Rc<Cell<bool>>,
    /// What is left of the disk.
    pub(super) space: Rc<Cell<Option<Space>>>,
}

impl StorePort {
    async fn boundary(&self, moment: Moment, item: Item) {
        let at = Boundary {
            device: Device::Store,
            moment,
            what: Written::Item(item),
            starting: *self.booth.view() == View::Starting,
        };
        self.power.boundary(at).await;
    }

    fn working(&self) -> Result<(), StoreError> {
        if self.works.get() {
            Ok(())
        } else {
            Err(StoreError::Device)
        }
    }
}

impl Store for StorePort {
    async fn read(&mut self, item: Item, buffer: &mut [u8]) -> Result<Option<usize>, StoreError> {
        let items = self.items.items.borrow();
        let Some(bytes) = items.get(&item) else {
            return Ok(None);
        };
        let place = buffer.get_mut(..bytes.len()).ok_or(StoreError::TooLong)?;
        place.copy_from_slice(bytes);
        Ok(Some(bytes.len()))
    }

    async fn write(&mut self, item: Item, bytes: &[u8]) -> Result<(), StoreError> {
        if bytes.len() > LONGEST {
            return Err(StoreError::TooLong);
        }
        self.boundary(Moment::BeforeWrite, item).await;
        self.working()?;
        self.items.put(item, bytes);
        self.boundary(Moment::AfterWrite, item).await;
        Ok(())
    }

    async fn erase(&mut self, item: Item) -> Result<(), StoreError> {
        self.boundary(Moment::BeforeWrite, item).await;
        self.working()?;
        self.items.remove(item);
        self.boundary(Moment::AfterWrite, item).await;
        Ok(())
    }

    async fn space(&mut self) -> Option<Space> {
        self.space.get()
    }
}
