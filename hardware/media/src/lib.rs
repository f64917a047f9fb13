//! Ballot-box media: files.

