//! The internal store in a region of NOR flash: each item has two halves, and in them records one behind the other; the newest whole one
//! stands. A full half is left for the other one, which is erased first: a cut leaves the old item or the new one.
//!
//! A record: "IPST", number, length, CRC-32 over item, number, length and bytes (4 bytes each, little-endian), then the bytes, up to a
//! multiple of [`CELL`]. The head is programmed last. An erased item is programmed to zeros from the oldest record on, then its blocks are
//! erased; a part that refuses the zeros still has its blocks erased.
//!
//! A cell that cannot be read, as one whose power went while it was programmed on a part with error correction, is taken as programmed and as
//! part of nothing whole. Only where no cell of an item can be read the part is at fault.

use crc::{CRC_32_ISO_HDLC, Crc, Digest};
use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use kiosk::ports::{Item, Store, StoreError};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const MARK: [u8; 4] = *b"IPST";
/// What is programmed together, at the most.
pub const CELL: u32 = 16;
const CELL_LEN: usize = 16;
/// What stands for a cell that cannot be read: programmed, and no record's head.
const TORN: [u8; CELL_LEN] = [0; CELL_LEN];
/// Blocks of half a roll delta; all other items fit into one.
const DELTA_BLOCKS: u32 = 16;
/// Longest item, the roll delta.
pub const LONGEST: usize = 65_536 - 2 * CELL_LEN;

/// The store.
pub struct FlashStore<F> {
    flash: F,
}

/// The newest record of an item, and where each half goes on.
struct Found {
    /// Offset of its bytes, length, number, half.
    newest: Option<(u32, u32, u32, usize)>,
    /// First cell of each half after which nothing is programmed.
    ends: [u32; 2],
    /// Where the halves begin.
    starts: [u32; 2],
    /// Bytes of a half.
    half: u32,
}

impl<F: MultiwriteNorFlash> FlashStore<F> {
    /// The store in this flash, from its beginning.
    ///
    /// # Errors
    /// [`StoreError::Device`] if the part is too small, or reads, writes or erases in pieces that do not suit.
    pub fn new(flash: F) -> Result<Self, StoreError> {
        let suits = CELL_LEN.is_multiple_of(F::WRITE_SIZE)
            && CELL_LEN.is_multiple_of(F::READ_SIZE)
            && F::ERASE_SIZE >= 4_096
            && flash.capacity() >= F::ERASE_SIZE * 2 * (Item::ALL.len() - 1 + 16);
        if suits {
            Ok(Self { flash })
        } else {
            Err(StoreError::Device)
        }
    }

    /// Gives the flash back.
    pub fn release(self) -> F {
        self.flash
    }

    /// Offset of the item's first half, and bytes of a half.
    fn place(item: Item) -> (u32, u32) {
        let block = u32::try_from(F::ERASE_SIZE).unwrap_or(u32::MAX);
        let index = u32::from(item as u8);
        match item {
            Item::Delta => (2 * block * 6, block.saturating_mul(DELTA_BLOCKS)),
            // The place of the delta among the small ones is taken by what comes after it.
            _ if index > Item::Delta as u32 => (2 * block * (index - 1), block),
            _ => (2 * block * index, block),
        }
    }

    async fn cell(&mut self, at: u32) -> Result<[u8; CELL_LEN], StoreError> {
        let mut cell = [0; CELL_LEN];
        self.flash.read(at, &mut cell).await.map_err(|_| StoreError::Device)?;
        Ok(cell)
    }

    async fn find(&mut self, item: Item) -> Result<Found, StoreError> {
        let (start, half) = Self::place(item);
        let starts = [start, start + half];
        let mut found = Found {
            newest: None,
            ends: starts,
            starts,
            half,
        };
        let mut readable = false;
        for (side, (start, end)) in starts.into_iter().zip(&mut found.ends).enumerate() {
            let mut at = start;
            // Ends: each round takes a cell at least.
            while at < start + half {
                let cell = self.cell(at).await;
                readable |= cell.is_ok();
                let cell = cell.unwrap_or(TORN);
                if cell != [0xFF; CELL_LEN] {
                    *end = at + CELL;
                }
                let room = start + half - at - CELL;
                match self.record(item, &cell, at + CELL, room).await {
                    Some((length, number)) => {
                        if found.newest.is_none_or(|(_, _, newest, _)| number > newest) {
                            found.newest = Some((at + CELL, length, number, side));
                        }
                        at += CELL + length.next_multiple_of(CELL);
                        *end = at;
                    }
                    None => at += CELL,
                }
            }
        }
        if readable { Ok(found) } else { Err(StoreError::Device) }
    }

    /// Length and number of the record that begins with this head, if it is whole.
    async fn record(&mut self, item: Item, head: &[u8], at: u32, room: u32) -> Option<(u32, u32)> {
        let (mark, rest) = head.split_first_chunk::<4>()?;
        let word = |index: usize| {
            let bytes = rest
                .get(4 * index..4 * index + 4)
                .and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes)
        };
        let (number, length, check) = (word(0), word(1), word(2));
        if *mark != MARK || length > room {
            return None;
        }
        let mut digest = begin(item, number, length);
        let mut left = length;
        let mut at = at;
        while left > 0 {
            let cell = self.cell(at).await.ok()?;
            let take = left.min(CELL);
            digest.update(cell.get(..usize::try_from(take).unwrap_or(0)).unwrap_or_default());
            left -= take;
            at += CELL;
        }
        (digest.finalize() == check).then_some((length, number))
    }

    async fn program(&mut self, at: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let mut place = at;
        for part in bytes.chunks(CELL_LEN) {
            let mut cell = [0xFF; CELL_LEN];
            for (to, from) in cell.iter_mut().zip(part) {
                *to = *from;
            }
            self.flash.write(place, &cell).await.map_err(|_| StoreError::Device)?;
            place += CELL;
        }
        Ok(())
    }

    async fn blank(&mut self, start: u32, half: u32) -> Result<(), StoreError> {
        self.flash
            .erase(start, start + half)
            .await
            .map_err(|_| StoreError::Device)
    }
}

fn begin(item: Item, number: u32, length: u32) -> Digest<'static, u32> {
    static CHECK: Crc<u32> = CRC;
    let mut digest = CHECK.digest();
    digest.update(&[item as u8]);
    digest.update(&number.to_le_bytes());
    digest.update(&length.to_le_bytes());
    digest
}

impl<F: MultiwriteNorFlash> Store for FlashStore<F> {
    async fn read(&mut self, item: Item, buffer: &mut [u8]) -> Result<Option<usize>, StoreError> {
        let Some((mut at, length, ..)) = self.find(item).await?.newest else {
            return Ok(None);
        };
        let length = usize::try_from(length).map_err(|_| StoreError::TooLong)?;
        let place = buffer.get_mut(..length).ok_or(StoreError::TooLong)?;
        for part in place.chunks_mut(CELL_LEN) {
            let cell = self.cell(at).await?;
            for (to, from) in part.iter_mut().zip(cell) {
                *to = from;
            }
            at += CELL;
        }
        Ok(Some(length))
    }

    async fn write(&mut self, item: Item, bytes: &[u8]) -> Result<(), StoreError> {
        let length = u32::try_from(bytes.len()).map_err(|_| StoreError::TooLong)?;
        let found = self.find(item).await?;
        let size = CELL + length.next_multiple_of(CELL);
        if size > found.half {
            return Err(StoreError::TooLong);
        }
        let (number, side) = found
            .newest
            .map_or((1, 0), |(_, _, number, side)| (number.wrapping_add(1), side));
        let [one, two] = found.starts;
        let (start, other) = if side == 0 { (one, two) } else { (two, one) };
        let end = if side == 0 { found.ends[0] } else { found.ends[1] };
        let at = if end + size <= start + found.half {
            end
        } else {
            self.blank(other, found.half).await?;
            other
        };
        self.program(at + CELL, bytes).await?;
        let mut digest = begin(item, number, length);
        digest.update(bytes);
        let mut head = [0; CELL_LEN];
        let parts = [
            MARK,
            number.to_le_bytes(),
            length.to_le_bytes(),
            digest.finalize().to_le_bytes(),
        ];
        for (to, from) in head.iter_mut().zip(parts.as_flattened()) {
            *to = *from;
        }
        self.program(at, &head).await
    }

    async fn erase(&mut self, item: Item) -> Result<(), StoreError> {
        let found = self.find(item).await?;
        // The half without the newest record first: an older one must never come back.
        let newest = found.newest.map_or(0, |(_, _, _, side)| side);
        let [one, two] = found.starts;
        let mut outcome = Ok(());
        for start in if newest == 0 { [two, one] } else { [one, two] } {
            let mut at = start;
            while at < start + found.half {
                if self.cell(at).await != Ok([0xFF; CELL_LEN]) {
                    // Refused, or only half done: the bytes go with their blocks all the same, so nobody turns back here.
                    let _ = self.program(at, &TORN).await;
                }
                at += CELL;
            }
            // Both halves, whatever the first one says.
            outcome = self.blank(start, found.half).await.and(outcome);
        }
        outcome
    }
}

#[cfg(test)]
mod tests;
