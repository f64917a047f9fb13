//! The election desk: import, ceremony, roll, package, provision, anchor, tally, verify.
//!
//! Every command of the program `staff` is a thin shell over a function here with a typed input, a typed report and a
//! progress callback, so that the simulator plays the same desk that a town hall uses. The desk never learns who
//! voted what: it holds no voter's name, and it decrypts sums only.

#[cfg(feature = "screens")]
pub mod alike;
pub mod anchor;
pub mod ballots;
pub mod cards;
pub mod ceremony;
pub mod cli;
mod contest;
pub mod decrypt;
pub mod definition;
pub mod desk;
pub mod encode;
pub mod files;
pub mod genesis;
pub mod html;
pub mod image;
pub mod import;
pub mod json;
pub mod keyfile;
pub mod ledger_view;
pub mod line;
pub mod medium;
mod node;
pub mod opened;
mod order;
pub mod package;
pub mod prepare;
pub mod problem;
pub mod progress;
pub mod provision;
pub mod reception;
pub mod record;
pub mod report;
pub mod results;
pub mod roll;
pub mod schema;
#[cfg(feature = "screens")]
pub mod screens;
#[cfg(feature = "screens")]
pub mod speak;
mod style;
pub mod tally;
mod texts;
mod totals;
pub mod verify;

pub use problem::{Kind, Outcome, Problem};
