//! What people who challenged a ballot took home: photographs of the QR codes, and a note of what they had chosen.
//!
//! Only the simulator writes this down: a kiosk stores no opening anywhere. `staff check-opened` and `verify.py --opening` read it. The
//! folder of a challenged ballot is named by its tracking code:
//!
//! ```text
//! DIR/4T9K-.../contest-1.opening ...  the bytes of one QR code each
//! DIR/4T9K-.../codes.txt              the same in hex, one a line, as scanners give them
//! DIR/4T9K-.../chosen.json            {contest id: [option id]}, what the voter saw at the review
//! ```

use std::path::Path;

use anyhow::Result;
use election::ballot::code_text;
use staff::files;

use crate::truth::Visited;

/// Writes everything into `folder`, which is new or empty.
///
/// # Errors
/// The folder is not empty or cannot be written.
pub fn write(folder: &Path, visits: &[Visited]) -> Result<()> {
    files::empty_folder(folder)?;
    for challenge in visits.iter().flat_map(|visit| &visit.diary.challenges) {
        let own = folder.join(code_text(&challenge.code).as_str());
        files::folder(&own)?;
        let mut codes = String::new();
        for (number, page) in (1..).zip(&challenge.pages) {
            files::write_new(&own.join(format!("contest-{number}.opening")), page)?;
            codes.push_str(&hex::encode(page));
            codes.push('\n');
        }
        files::write_new(&own.join("codes.txt"), codes.as_bytes())?;
        let chosen = serde_json::to_string_pretty(&challenge.choices)?;
        files::write_new(&own.join("chosen.json"), chosen.as_bytes())?;
    }
    Ok(())
}
