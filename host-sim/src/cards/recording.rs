//! A card that keeps a copy of everything it is told.

use card::TransmitError;

use super::Chip;

/// `chip`, with every command APDU it was sent. For tests: the commands hold PINs.
pub struct Recording<C> {
    /// The card.
    pub chip: C,
    /// What it was sent, oldest first.
    pub commands: Vec<Vec<u8>>,
}

impl<C: Chip> Recording<C> {
    /// Begins with nothing recorded.
    #[must_use]
    pub const fn new(chip: C) -> Self {
        Self { chip, commands: vec![] }
    }
}

impl<C: Chip> Chip for Recording<C> {
    fn reset(&mut self) {
        self.chip.reset();
    }

    fn apdu(&mut self, command: &[u8]) -> Result<Vec<u8>, TransmitError> {
        self.commands.push(command.to_vec());
        self.chip.apdu(command)
    }

    fn atr(&self) -> &[u8] {
        self.chip.atr()
    }
}
