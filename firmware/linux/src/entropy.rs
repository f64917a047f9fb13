//! Randomness: the kernel's generator, and beside it a hardware source where the machine has one (a TPM's or a processor's, as the kernel
//! offers them). Both are tested and mixed by the kiosk.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use kiosk::ports::{Entropy, EntropyError};
use zeroize::Zeroizing;

/// Bytes read from the second source at once.
const BLOCK: usize = 32;
/// Blocks that lie ready.
const READY: usize = 2;
/// How long the second source may take for a block. One that hangs stops the kiosk rather than leaving it with half of its randomness.
const PATIENCE: Duration = Duration::from_secs(2);

type Block = Zeroizing<[u8; BLOCK]>;

/// The sources.
pub struct SystemEntropy {
    second: Option<Receiver<Block>>,
}

impl SystemEntropy {
    /// The kernel's generator, and `second` (a device such as `/dev/hwrng`) where there is one.
    ///
    /// # Errors
    /// The second source cannot be opened, or there is no thread for it.
    pub fn new(second: Option<&Path>) -> std::io::Result<Self> {
        let second = second.map(source).transpose()?;
        Ok(Self { second })
    }
}

/// Reads blocks on a thread, because a device may hang. Ends when nobody takes them any more, or at the first error.
fn source(path: &Path) -> std::io::Result<Receiver<Block>> {
    let mut device = File::open(path)?;
    let (give, take) = sync_channel(READY);
    std::thread::Builder::new().name("randomness".into()).spawn(move || {
        let mut block: Block = Zeroizing::new([0; BLOCK]);
        while device.read_exact(block.as_mut()).is_ok() && give.send(block.clone()).is_ok() {}
    })?;
    Ok(take)
}

impl Entropy for SystemEntropy {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(bytes).map_err(|_| EntropyError)
    }

    fn fill_second(&mut self, bytes: &mut [u8]) -> Result<bool, EntropyError> {
        let Some(blocks) = &self.second else {
            return Ok(false);
        };
        for part in bytes.chunks_mut(BLOCK) {
            let block = blocks.recv_timeout(PATIENCE).map_err(|_| EntropyError)?;
            let (block, _) = block.split_at_checked(part.len()).ok_or(EntropyError)?;
            part.copy_from_slice(block);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiosk::random::Random;

    #[test]
    fn two_good_sources_seed_the_generator() {
        let mut both = SystemEntropy::new(Some(Path::new("/dev/urandom"))).unwrap();
        assert_eq!(both.fill_second(&mut [0; 40]), Ok(true));
        assert!(Random::new(&mut both).is_ok());
        let mut one = SystemEntropy::new(None).unwrap();
        assert_eq!(one.fill_second(&mut [0; 40]), Ok(false));
        assert!(Random::new(&mut one).is_ok());
    }

    /// A source that is stuck or has run dry stops the kiosk; the good one beside it does not hide it.
    #[test]
    fn a_stuck_or_dry_second_source_is_an_error() {
        for bad in ["/dev/zero", "/dev/null"] {
            let mut both = SystemEntropy::new(Some(Path::new(bad))).unwrap();
            assert!(Random::new(&mut both).is_err(), "{bad}");
        }
        assert!(SystemEntropy::new(Some(Path::new("/nowhere/hwrng"))).is_err());
    }
}
