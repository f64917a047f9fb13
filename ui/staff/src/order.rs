//! One order of contests for all ballot styles.
//!
//! A manifest lists contests once, and every style shows its contests in that order (SPEC.md, section 2). The definition
//! lets each style state an order of its own; the order chosen here agrees with all of them, and is the file's own
//! where they leave a choice.

use crate::contest;
use crate::node::Node;
use crate::problem::{Kind, Outcome};
use crate::style;

/// For each contest of the file its place in the manifest.
///
/// # Errors
/// Two styles that put the same contests in different orders.
pub fn contests(contests: &[contest::Read<'_>], styles: &[style::Read], election: &Node<'_>) -> Outcome<Vec<usize>> {
    let count = contests.len();
    // after[a][b]: a must come before b.
    let mut before = vec![vec![false; count]; count];
    for style in styles {
        for pair in style.contests.windows(2) {
            if let [(first, _), (second, _)] = pair {
                before[*first][*second] = true;
            }
        }
    }
    let mut place = vec![usize::MAX; count];
    for next in 0..count {
        let free = (0..count).find(|&candidate| {
            place[candidate] == usize::MAX
                && (0..count).all(|other| place[other] != usize::MAX || !before[other][candidate])
        });
        let Some(free) = free else {
            let stuck: Vec<&str> = (0..count)
                .filter(|&index| place[index] == usize::MAX)
                .map(|index| contests[index].id)
                .collect();
            return Err(election
                .problem(
                    Kind::Unsupported,
                    format!(
                        "ballot styles put the contests {} in different orders, which is not supported",
                        stuck.join(", ")
                    ),
                )
                .advice("give all ballot styles one order of contests"));
        };
        place[free] = next;
    }
    Ok(place)
}
