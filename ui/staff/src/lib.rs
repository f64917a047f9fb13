//! The election desk: import, ceremony, roll, package, provision, anchor, tally, verify.
//!
//! Every command of the program `staff` is a thin shell over a function here with a typed input, a typed report and a
//! progress callback, so that the simulator plays the same desk that a town hall uses. The desk never learns who
//! voted what: it holds no voter's name, and it decrypts sums only.

mod contest;
pub mod definition;
pub mod encode;
pub mod files;
pub mod html;
pub mod import;
pub mod keyfile;
mod node;
mod order;
pub mod problem;
pub mod progress;
pub mod report;
pub mod results;
pub mod roll;
pub mod schema;
mod style;
mod texts;

pub use problem::{Kind, Outcome, Problem};
