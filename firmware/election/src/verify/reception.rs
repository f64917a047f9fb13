//! Step 10: not more different voters than reception admitted, by station and epoch.

use super::closings::sort_indices;
use super::{Broken, Checked, Why, at};
use crate::record::{FileName, ReceptionCount};

impl Checked<'_, '_> {
    /// Checks reception's counts (signature, roster, none twice) and that no station and epoch has more different tags; where there
    /// is no count, there may be none. `order` has room for as many numbers as there are cast ballots.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check_reception(&self, counts: &[ReceptionCount], order: &mut [u32]) -> Result<(), Broken> {
        for (number, count) in counts.iter().enumerate() {
            let broken = |why| Broken::item(FileName::Reception, super::count(number), why);
            match count.check(&self.record.genesis) {
                None => return Err(broken(Why::ReceptionKey)),
                Some(Err(_)) => return Err(broken(Why::ReceptionSignature)),
                Some(Ok(())) => {}
            }
            let again = |other: &ReceptionCount| (other.station, other.epoch) == (count.station, count.epoch);
            if counts.iter().take(number).any(again) {
                return Err(broken(Why::ReceptionTwice));
            }
        }
        let order = order
            .get_mut(..self.ballots.len())
            .ok_or(Broken::scratch(FileName::Reception))?;
        let key = |index: u32| {
            let row = self.ballots.get(at(index))?;
            Some((self.kiosk_of(row)?.station, row.epoch, row.tag))
        };
        sort_indices(order, key);
        let mut last = None;
        let mut place = None;
        let mut tags = 0u32;
        for index in order.iter() {
            let Some((station, epoch, tag)) = key(*index) else {
                continue;
            };
            if place != Some((station, epoch)) {
                place = Some((station, epoch));
                last = None;
                tags = 0;
            }
            if last == Some(tag) {
                continue;
            }
            last = Some(tag);
            tags = tags.saturating_add(1);
            let count = counts
                .iter()
                .find(|count| (count.station, count.epoch) == (station, epoch));
            let admissions = count.map_or(0, |count| count.admissions);
            if tags > admissions {
                let tags = self.tags_at(order, &key, (station, epoch));
                return Err(Broken::new(
                    FileName::Reception,
                    Why::MoreThanAdmitted {
                        station,
                        epoch,
                        tags,
                        admissions,
                    },
                ));
            }
        }
        Ok(())
    }

    /// All different tags of a station and epoch, for the message.
    fn tags_at(
        &self,
        order: &[u32],
        key: &impl Fn(u32) -> Option<(u16, u8, crate::hash::Digest)>,
        place: (u16, u8),
    ) -> u32 {
        let mut last = None;
        let mut tags = 0u32;
        for (station, epoch, tag) in order.iter().filter_map(|index| key(*index)) {
            if (station, epoch) == place && last != Some(tag) {
                last = Some(tag);
                tags = tags.saturating_add(1);
            }
        }
        tags
    }
}
