//! The election desk: import, ceremony, roll, package, provision, anchor, tally, verify.

