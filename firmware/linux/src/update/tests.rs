//! Laws of updates: whatever a power cut leaves starts; nothing unsigned, unapproved, older, larger or changed is written; a new image that does not come
//! up gives way to the old one; after the switch the old one does nothing more. The disk is a model with a cache that a cut loses any part of.

mod built;
mod cuts;
mod disk;
mod fat;
mod gives_way;
mod machine;
mod model;
mod package;
mod room;
mod switched;
mod talks;
