//! Two arenas, and nothing else that allocates: one for the screen (Slint), one for certificates (X.509, RSA). A screen can never take what
//! judging a certificate needs, nor the other way round. The kiosk's own path allocates nothing (tests/no-heap).
//!
//! A full arena ends in the panic handler: the safe screen, a restart, the media whole.
#![allow(unsafe_code)] // An allocator is unsafe by its trait.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use card::{CertificateError, CertificateVerifier, Date, KeyUse};
use embedded_alloc::LlffHeap;

/// The two arenas, to be the board's `#[global_allocator]`.
pub struct Arenas {
    screens: Arena,
    certificates: Arena,
}

struct Arena {
    heap: LlffHeap,
    from: AtomicUsize,
    size: AtomicUsize,
    peak: AtomicUsize,
}

/// Whether a certificate is being judged.
static JUDGING: AtomicBool = AtomicBool::new(false);

/// How full an arena was at most, in bytes, and its size.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// At most.
    pub peak: usize,
    /// Size.
    pub size: usize,
}

impl Arena {
    const fn empty() -> Self {
        Self {
            heap: LlffHeap::empty(),
            from: AtomicUsize::new(0),
            size: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    fn fill(&self) -> Fill {
        Fill {
            peak: self.peak.load(Ordering::Relaxed),
            size: self.size.load(Ordering::Relaxed),
        }
    }

    unsafe fn init(&self, from: usize, size: usize) {
        self.from.store(from, Ordering::Relaxed);
        self.size.store(size, Ordering::Relaxed);
        unsafe { self.heap.init(from, size) };
    }

    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let place = unsafe { self.heap.alloc(layout) };
        self.peak.fetch_max(self.heap.used(), Ordering::Relaxed);
        place
    }

    fn has(&self, place: *mut u8) -> bool {
        (place as usize).wrapping_sub(self.from.load(Ordering::Relaxed)) < self.size.load(Ordering::Relaxed)
    }
}

impl Default for Arenas {
    fn default() -> Self {
        Self::empty()
    }
}

impl Arenas {
    /// Without memory yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            screens: Arena::empty(),
            certificates: Arena::empty(),
        }
    }

    /// Gives them memory.
    ///
    /// # Safety
    /// Once, before the first allocation; each place is `size` bytes that nobody else uses from then on.
    pub unsafe fn init(&self, screens: (usize, usize), certificates: (usize, usize)) {
        unsafe {
            self.screens.init(screens.0, screens.1);
            self.certificates.init(certificates.0, certificates.1);
        }
    }

    /// How full the screen's arena was at most.
    #[must_use]
    pub fn screens(&self) -> Fill {
        self.screens.fill()
    }

    /// How full the certificates' arena was at most.
    #[must_use]
    pub fn certificates(&self) -> Fill {
        self.certificates.fill()
    }
}

unsafe impl GlobalAlloc for Arenas {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let arena = if JUDGING.load(Ordering::Relaxed) {
            &self.certificates
        } else {
            &self.screens
        };
        unsafe { arena.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        let arena = if self.certificates.has(place) {
            &self.certificates
        } else {
            &self.screens
        };
        unsafe { arena.heap.dealloc(place, layout) }
    }
}

/// Judges certificates in their own arena.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fenced<V>(pub V);

/// While it lives, allocations go to the certificates' arena. Nothing else runs meanwhile: judging awaits nothing.
struct Fence;

impl Fence {
    fn new() -> Self {
        JUDGING.store(true, Ordering::Relaxed);
        Self
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        JUDGING.store(false, Ordering::Relaxed);
    }
}

impl<V: CertificateVerifier> CertificateVerifier for Fenced<V> {
    fn verify(
        &self,
        certificate: &[u8],
        authorities: &mut dyn Iterator<Item = &[u8]>,
        usage: KeyUse,
        at: Date,
    ) -> Result<card::CardPublicKey, CertificateError> {
        let _fence = Fence::new();
        self.0.verify(certificate, authorities, usage, at)
    }

    fn verify_rsa(&self, key: &card::CardPublicKey, hash: &[u8; 32], signature: &[u8; 256]) -> bool {
        let _fence = Fence::new();
        self.0.verify_rsa(key, hash, signature)
    }
}
