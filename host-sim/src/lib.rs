//! The world around a kiosk: virtual cards, voters, network, power, chain.

pub mod cards;
