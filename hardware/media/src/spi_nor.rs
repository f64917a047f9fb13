//! A serial NOR part over SPI: the removable medium of a microcontroller, by the commands that all makers share.
//!
//! Identification, tables (SFDP) and opcodes after JEDEC JESD216; what the parts of Macronix, Winbond and Micron have in common, in single-line SPI.
//! It must never know what the bytes mean. Pins, clocks and the bus are the board's, behind the `embedded-hal` traits.
//!
//! The part may be pulled out at any time: each access first asks who is there, because a line that floats high reads like a part that is
//! blank, and a ballot box must never take "nothing there" for "nothing voted".

use core::fmt;

use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::spi::{Operation, SpiDevice};
use embedded_storage_async::nor_flash::{ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash};

/// Bytes that one command programs; it wraps around at their end.
const PAGE: usize = 256;
/// Smallest piece that is erased.
const BLOCK: usize = 4_096;
/// What addresses of three bytes reach.
const THREE_BYTES: u32 = 1 << 24;
/// Looks at the status while a page is programmed, 100 us apart: 20 ms, where the slowest of these parts say 5.
const PROGRAM_LOOKS: u32 = 200;
/// Looks while a block is erased, 1 ms apart: 2 s, where the slowest say 0.4.
const ERASE_LOOKS: u32 = 2_000;

/// Commands (JESD216 and the makers' sheets).
mod op {
    pub const PROGRAM: u8 = 0x02;
    pub const PROGRAM_4B: u8 = 0x12;
    pub const READ: u8 = 0x03;
    pub const READ_4B: u8 = 0x13;
    pub const STATUS: u8 = 0x05;
    pub const WRITE_ENABLE: u8 = 0x06;
    pub const ERASE_4K: u8 = 0x20;
    pub const ERASE_4K_4B: u8 = 0x21;
    pub const SFDP: u8 = 0x5A;
    pub const IDENTITY: u8 = 0x9F;
    pub const WAKE: u8 = 0xAB;
}

/// Status: a program or erase is under way.
const BUSY: u8 = 0x01;
/// Status: the next program or erase is allowed.
const ENABLED: u8 = 0x02;
/// Status: blocks are protected (BP0 to BP3).
const PROTECTED: u8 = 0x3C;

/// Why a part was not used, or an access failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpiNorError {
    /// Nobody answers, or another part than at the beginning: it was pulled out, or its contacts are bad.
    Missing,
    /// The bus itself failed.
    Bus,
    /// The part has no table of its own properties, or one that does not hold: take one after JESD216.
    Unknown,
    /// It does not erase blocks of 4 KiB.
    Blocks,
    /// It is write protected (by its register or its pin).
    Protected,
    /// It did not finish in time: worn out or broken.
    Timeout,
    /// Not at a page's or block's beginning.
    NotAligned,
    /// Behind its end.
    OutOfBounds,
}

impl fmt::Display for SpiNorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no flash part answers: is it plugged in, are its contacts clean?",
            Self::Bus => "the bus to the flash part does not work",
            Self::Unknown => "the flash part does not say what it is: take one that follows JESD216",
            Self::Blocks => "the flash part does not erase blocks of 4 KiB",
            Self::Protected => "the flash part is write protected",
            Self::Timeout => "the flash part did not finish in time: take another one",
            Self::NotAligned => "an access to the flash part begins inside a page",
            Self::OutOfBounds => "an access to the flash part goes behind its end",
        })
    }
}

impl core::error::Error for SpiNorError {}

impl NorFlashError for SpiNorError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

/// A part that has said who it is.
pub struct SpiNor<S, D> {
    spi: S,
    delay: D,
    identity: [u8; 3],
    /// Bytes, whole blocks.
    size: u32,
    /// Addresses of four bytes, by opcodes of their own; nothing in the part is switched, so a reset changes nothing.
    long: bool,
}

impl<S, D> SpiNor<S, D> {
    /// A place for a part that nobody has asked yet: it has no bytes before [`SpiNor::wake`].
    pub const fn new(spi: S, delay: D) -> Self {
        Self {
            spi,
            delay,
            identity: [0; 3],
            size: 0,
            long: false,
        }
    }
}

impl<S: SpiDevice, D: DelayNs> SpiNor<S, D> {
    /// [`SpiNor::new`] and [`SpiNor::wake`].
    ///
    /// # Errors
    /// [`SpiNorError`].
    pub async fn open(spi: S, delay: D) -> Result<Self, SpiNorError> {
        let mut part = Self::new(spi, delay);
        part.wake().await?;
        Ok(part)
    }

    /// Wakes the part, waits for what was under way when the program started, and reads what it says of itself: at the start, and whenever
    /// one was put in.
    ///
    /// # Errors
    /// [`SpiNorError`]; the place has no bytes then.
    pub async fn wake(&mut self) -> Result<(), SpiNorError> {
        self.size = 0;
        self.spi.write(&[op::WAKE]).await.map_err(|_| SpiNorError::Bus)?;
        self.delay.delay_us(100).await;
        // Only the program may have been reset, not the part; and while it works it says no name.
        self.idle(ERASE_LOOKS, 1_000).await?;
        self.identity = self.who().await?;
        if self.status().await? & PROTECTED != 0 {
            return Err(SpiNorError::Protected);
        }
        self.read_tables().await
    }

    /// Maker, type and density code, as the part gives them.
    #[must_use]
    pub const fn identity(&self) -> [u8; 3] {
        self.identity
    }

    /// Gives the bus back.
    pub fn release(self) -> (S, D) {
        (self.spi, self.delay)
    }

    async fn exchange(&mut self, command: &[u8], answer: &mut [u8]) -> Result<(), SpiNorError> {
        self.spi
            .transaction(&mut [Operation::Write(command), Operation::Read(answer)])
            .await
            .map_err(|_| SpiNorError::Bus)
    }

    async fn who(&mut self) -> Result<[u8; 3], SpiNorError> {
        let mut identity = [0; 3];
        self.exchange(&[op::IDENTITY], &mut identity).await?;
        if identity == [0xFF; 3] || identity == [0; 3] {
            return Err(SpiNorError::Missing);
        }
        Ok(identity)
    }

    async fn same(&mut self) -> Result<(), SpiNorError> {
        if self.who().await? == self.identity {
            Ok(())
        } else {
            Err(SpiNorError::Missing)
        }
    }

    async fn status(&mut self) -> Result<u8, SpiNorError> {
        let mut status = [0];
        self.exchange(&[op::STATUS], &mut status).await?;
        Ok(status[0])
    }

    async fn idle(&mut self, looks: u32, pause: u32) -> Result<(), SpiNorError> {
        for _ in 0..looks {
            match self.status().await? {
                0xFF => return Err(SpiNorError::Missing),
                status if status & BUSY == 0 => return Ok(()),
                _ => self.delay.delay_us(pause).await,
            }
        }
        Err(SpiNorError::Timeout)
    }

    /// Waits for the end of a program or erase. A part that left meanwhile may answer with low lines: who is there is asked again.
    async fn ready(&mut self, looks: u32, pause: u32) -> Result<(), SpiNorError> {
        self.idle(looks, pause).await?;
        self.same().await
    }

    async fn sfdp(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), SpiNorError> {
        let [_, a, b, c] = at.to_be_bytes();
        self.exchange(&[op::SFDP, a, b, c, 0], bytes).await
    }

    /// JESD216: the header, the basic table, and the table of opcodes with addresses of four bytes.
    async fn read_tables(&mut self) -> Result<(), SpiNorError> {
        let mut header = [0; 8];
        self.sfdp(0, &mut header).await?;
        let [b'S', b'F', b'D', b'P', _, _, more, _] = header else {
            return Err(SpiNorError::Unknown);
        };
        let (mut basic, mut opcodes) = (None, None);
        for table in 0..=u32::from(more) {
            let mut entry = [0; 8];
            self.sfdp(8 + 8 * table, &mut entry).await?;
            let [low, _, _, words, a, b, c, high] = entry;
            let place = u32::from_le_bytes([a, b, c, 0]);
            match (high, low) {
                (0xFF, 0x00) if words >= 2 => basic = Some(place),
                (0xFF, 0x84) if words >= 1 => opcodes = Some(place),
                _ => {}
            }
        }
        let mut words = [0; 8];
        self.sfdp(basic.ok_or(SpiNorError::Unknown)?, &mut words).await?;
        let [first, erase, _, _, density @ ..] = words;
        if first & 0x03 != 0x01 || erase != op::ERASE_4K {
            return Err(SpiNorError::Blocks);
        }
        let density = u32::from_le_bytes(density);
        let bits = if density >> 31 == 0 {
            u64::from(density) + 1
        } else {
            1_u64.checked_shl(density & 0x7FFF_FFFF).ok_or(SpiNorError::Unknown)?
        };
        // Addresses of four bytes reach 4 GiB; more is not used.
        let size = u32::try_from(bits / 8).unwrap_or(!(BLOCK as u32 - 1));
        if size == 0 || !size.is_multiple_of(BLOCK as u32) {
            return Err(SpiNorError::Unknown);
        }
        if size > THREE_BYTES
            && let Some(place) = opcodes
        {
            let mut words = [0; 4];
            self.sfdp(place, &mut words).await?;
            let supported = u32::from_le_bytes(words);
            // Read 13h, program 12h, erase type 1, which is the one of 4 KiB where there is one.
            self.long = [0, 6, 9].iter().all(|bit| supported >> bit & 1 == 1);
        }
        // Without those opcodes the part is used as far as three bytes reach.
        self.size = if self.long { size } else { size.min(THREE_BYTES) };
        Ok(())
    }

    fn command(&self, at: u32, short: u8, long: u8) -> ([u8; 5], usize) {
        let [a, b, c, d] = at.to_be_bytes();
        if self.long {
            ([long, a, b, c, d], 5)
        } else {
            ([short, b, c, d, 0], 4)
        }
    }

    async fn enable(&mut self) -> Result<(), SpiNorError> {
        self.spi
            .write(&[op::WRITE_ENABLE])
            .await
            .map_err(|_| SpiNorError::Bus)?;
        let status = self.status().await?;
        if status & ENABLED == 0 || status & PROTECTED != 0 {
            self.same().await?;
            return Err(SpiNorError::Protected);
        }
        Ok(())
    }

    fn check(&self, from: u32, length: usize, unit: usize) -> Result<(), SpiNorError> {
        let from = usize::try_from(from).map_err(|_| SpiNorError::OutOfBounds)?;
        if !from.is_multiple_of(unit) || !length.is_multiple_of(unit) {
            return Err(SpiNorError::NotAligned);
        }
        match from.checked_add(length) {
            Some(end) if end <= self.capacity() => Ok(()),
            _ => Err(SpiNorError::OutOfBounds),
        }
    }
}

impl<S, D> ErrorType for SpiNor<S, D> {
    type Error = SpiNorError;
}

impl<S: SpiDevice, D: DelayNs> ReadNorFlash for SpiNor<S, D> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SpiNorError> {
        self.check(offset, bytes.len(), 1)?;
        self.same().await?;
        let (command, length) = self.command(offset, op::READ, op::READ_4B);
        self.exchange(command.get(..length).unwrap_or_default(), bytes).await?;
        // Whoever pulled it out meanwhile left high lines in these bytes.
        self.same().await
    }

    fn capacity(&self) -> usize {
        usize::try_from(self.size).unwrap_or(0)
    }
}

impl<S: SpiDevice, D: DelayNs> NorFlash for SpiNor<S, D> {
    const WRITE_SIZE: usize = PAGE;
    const ERASE_SIZE: usize = BLOCK;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), SpiNorError> {
        let length = to.checked_sub(from).ok_or(SpiNorError::OutOfBounds)?;
        let length = usize::try_from(length).map_err(|_| SpiNorError::OutOfBounds)?;
        self.check(from, length, BLOCK)?;
        self.same().await?;
        for at in (from..to).step_by(BLOCK) {
            self.enable().await?;
            let (command, length) = self.command(at, op::ERASE_4K, op::ERASE_4K_4B);
            let command = command.get(..length).unwrap_or_default();
            self.spi.write(command).await.map_err(|_| SpiNorError::Bus)?;
            self.ready(ERASE_LOOKS, 1_000).await?;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SpiNorError> {
        self.check(offset, bytes.len(), PAGE)?;
        self.same().await?;
        for (at, page) in (offset..).step_by(PAGE).zip(bytes.chunks(PAGE)) {
            self.enable().await?;
            let (command, length) = self.command(at, op::PROGRAM, op::PROGRAM_4B);
            let command = command.get(..length).unwrap_or_default();
            self.spi
                .transaction(&mut [Operation::Write(command), Operation::Write(page)])
                .await
                .map_err(|_| SpiNorError::Bus)?;
            self.ready(PROGRAM_LOOKS, 100).await?;
        }
        Ok(())
    }
}
