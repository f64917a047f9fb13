//! Updates of the image, from a drive to the second place on the disk.
//!
//! ```text
//!  kiosk (no privilege)            updater (root, one socket, started when the kiosk asks)
//!  client  -- Look ------------->  server: image.bin of the drive; signature, version, room, no open election      offer
//!          <- offer, nonce ------
//!          -- two signatures --->  server: package of this station, roster, two cards over this offer and nonce    offer
//!          <- how far -----------  install: old entries away, root, tree, starting program; hashed, synced, read back
//!          -- switch ----------->  install: one sector makes a program of the file, whose name has three tries      entries
//!  kiosk gone after the switch     the machine starts again; if it does not, the old kiosk says so and does nothing else    pending
//!  the first card has answered     install: the new software, blessed, gets a name without tries                    install
//! ```
//! The kiosk is trusted with nothing: it can ask, and cannot have anything written that the authority has not signed and two staff cards have not
//! approved in this moment. Against software of the kiosk that somebody has taken over stand the signature, the version and the two cards: that no
//! election is open is read from the kiosk's own files, which such software can change. What must never be known here: votes, keys of the kiosk, PINs.

pub mod client;
pub mod disk;
pub mod entries;
pub mod install;
pub mod offer;
pub mod pending;
pub mod program;
pub mod retreat;
pub mod server;
#[cfg(test)]
mod tests;
pub mod trial;
pub mod wire;
