//! What the tests of the whole project share: the workspace as it is on disk, the rule of the arrows, the requirement table.
//!
//! Nothing here is shipped. It judges the rooms from outside and must never be a dependency of one.

#[cfg(feature = "stations")]
pub mod appliance;
pub mod arrows;
#[cfg(feature = "stations")]
pub mod hands;
#[cfg(feature = "stations")]
pub mod machine;
#[cfg(feature = "stations")]
pub mod pcscd;
pub mod programs;
pub mod requirements;
#[cfg(feature = "stations")]
pub mod station;
pub mod tree;
pub mod verifiers;
pub mod xvfb;
