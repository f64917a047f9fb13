//! What is refused is refused in words.

use staff::{Kind, Outcome};

/// Refused, and these words are in the reason.
pub fn refused<T>(result: Outcome<T>, words: &[&str]) {
    let problem = result.err().expect("must be refused");
    assert_eq!(problem.kind, Kind::Refused, "{problem}");
    let text = problem.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}
