//! The proof of a write.

/// The proof that the record of one outcome stands on both media. Only the ballot box makes one, it cannot be copied, and opening
/// the outcome uses it up.
#[must_use]
pub struct Durable {
    ticket: u32,
}

impl Durable {
    pub(super) const fn new(ticket: u32) -> Self {
        Self { ticket }
    }

    /// Which outcome it belongs to.
    pub(crate) const fn ticket(&self) -> u32 {
        self.ticket
    }
}

/// For the session's own tests, which have no box.
#[cfg(test)]
pub(crate) const fn proof_for_tests(ticket: u32) -> Durable {
    Durable::new(ticket)
}
