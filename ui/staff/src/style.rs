//! Ballot styles: which contests a voter gets, and in which order their options stand.

use std::collections::BTreeSet;

use crate::contest::{self, check_id, unsupported};
use crate::node::Node;
use crate::problem::{Kind, Outcome};
use crate::texts::ByLanguage;

/// A style as read; contests by their position in the file.
pub struct Read {
    /// Its id.
    pub id: String,
    /// Areas.
    pub units: Vec<String>,
    /// Contests in the order of the ballot, with the order of options where it is not the contest's own.
    pub contests: Vec<(usize, Vec<u8>)>,
}

/// Reads all styles.
///
/// # Errors
/// None at all, a reference that leads nowhere, a contest twice, paper that counts votes in another way.
pub fn read_all(
    election: &Node<'_>,
    contests: &[contest::Read<'_>],
    units: &[(Node<'_>, String, ByLanguage)],
    notes: &mut Vec<String>,
) -> Outcome<Vec<Read>> {
    let nodes = election.items("BallotStyle");
    if nodes.is_empty() {
        return Err(election
            .problem(Kind::Reference, "has no BallotStyle")
            .advice("add one: it says which contests a voter gets, and in which order"));
    }
    let ids = ids(&nodes)?;
    nodes
        .iter()
        .zip(ids)
        .map(|(node, id)| {
            let mut style_units = Vec::new();
            for unit in node.items("GpUnitIds") {
                if !units.iter().any(|(_, id, _)| id == unit.as_text()) {
                    return Err(unit
                        .problem(Kind::Reference, format!("there is no GpUnit {:?}", unit.as_text()))
                        .advice("add the GpUnit or correct the id"));
                }
                if !style_units.iter().any(|id| id == unit.as_text()) {
                    style_units.push(unit.as_text().to_owned());
                }
            }
            // The manifest lists a style's units in the order of its own units.
            style_units.sort_by_key(|id| units.iter().position(|(_, unit, _)| unit == id));
            let mut list = Vec::new();
            content(node, &id, contests, &mut list, notes)?;
            if list.is_empty() {
                return Err(node
                    .problem(Kind::Reference, format!("ballot style {id} has no contest"))
                    .advice("add OrderedContent with its contests"));
            }
            Ok(Read {
                id,
                units: style_units,
                contests: list,
            })
        })
        .collect()
}

/// NIST styles have no `@id`: the first ExternalIdentifier names them where all have one and they differ.
fn ids(nodes: &[Node<'_>]) -> Outcome<Vec<String>> {
    let stated: Vec<Option<&str>> = nodes
        .iter()
        .map(|node| node.items("ExternalIdentifier").first().and_then(|id| id.text("Value")))
        .collect();
    let different: BTreeSet<&str> = stated.iter().flatten().copied().collect();
    if different.len() == nodes.len() {
        let mut ids = Vec::new();
        for (node, id) in nodes.iter().zip(stated.iter().flatten()) {
            check_id(id, node)?;
            ids.push((*id).to_owned());
        }
        return Ok(ids);
    }
    Ok((1..=nodes.len()).map(|number| format!("style-{number}")).collect())
}

fn content(
    node: &Node<'_>,
    style: &str,
    contests: &[contest::Read<'_>],
    list: &mut Vec<(usize, Vec<u8>)>,
    notes: &mut Vec<String>,
) -> Outcome<()> {
    for item in node.items("OrderedContent") {
        if item.class() == "OrderedHeader" {
            notes.push(format!(
                "ballot style {style}: the header {} is not shown, its contests are",
                item.text("HeaderId").unwrap_or_default()
            ));
            content(&item, style, contests, list, notes)?;
            continue;
        }
        let id = item.need("ContestId")?;
        let Some(index) = contests.iter().position(|contest| contest.id == id) else {
            return Err(item
                .problem(
                    Kind::Reference,
                    format!("ballot style {style}: there is no contest {id:?}"),
                )
                .advice("add the contest or correct the id"));
        };
        if list.iter().any(|(other, _)| *other == index) {
            return Err(item
                .problem(
                    Kind::Reference,
                    format!("ballot style {style} has the contest {id} twice"),
                )
                .advice("list each contest once"));
        }
        paper(&item, id, &contests[index], notes)?;
        list.push((index, option_order(&item, style, &contests[index])?));
    }
    Ok(())
}

fn option_order(item: &Node<'_>, style: &str, contest: &contest::Read<'_>) -> Outcome<Vec<u8>> {
    let stated = item.items("OrderedContestOptionIds");
    if stated.is_empty() {
        return Ok(Vec::new());
    }
    let mut order = Vec::new();
    for option in &stated {
        let position = contest.options.iter().position(|other| other.id == option.as_text());
        match position.and_then(|position| u8::try_from(position).ok()) {
            Some(position) if !order.contains(&position) => order.push(position),
            Some(_) => {
                return Err(option.problem(
                    Kind::Reference,
                    format!(
                        "ballot style {style}, contest {}: option {:?} is there twice",
                        contest.id,
                        option.as_text()
                    ),
                ));
            }
            None => {
                return Err(option
                    .problem(
                        Kind::Reference,
                        format!(
                            "ballot style {style}: contest {} has no option {:?}",
                            contest.id,
                            option.as_text()
                        ),
                    )
                    .advice("correct OrderedContestOptionIds"));
            }
        }
    }
    if order.len() != contest.options.len() {
        return Err(item
            .problem(
                Kind::Reference,
                format!(
                    "ballot style {style} orders {} of {} options of contest {}",
                    order.len(),
                    contest.options.len(),
                    contest.id
                ),
            )
            .advice("list every option once, or leave OrderedContestOptionIds out"));
    }
    if order
        .iter()
        .enumerate()
        .all(|(index, position)| usize::from(*position) == index)
    {
        order.clear();
    }
    Ok(order)
}

/// Layout of paper is left out, unless it says that marks count in another way than one vote each.
fn paper(item: &Node<'_>, id: &str, contest: &contest::Read<'_>, notes: &mut Vec<String>) -> Outcome<()> {
    for physical in item.items("Physical") {
        for option in physical.items("PhysicalContestOption") {
            for position in option.items("OptionPosition") {
                let votes = position.value().get("NumberVotes").and_then(serde_json::Value::as_i64);
                if votes != Some(1) || position.get("FractionalVotes").is_some() || position.get("Rank").is_some() {
                    return Err(unsupported(
                        &position,
                        id,
                        "counts a mark as something other than one vote (NumberVotes, FractionalVotes or Rank)",
                        "only contests in which each mark is one vote can be counted",
                    ));
                }
            }
            match option.text("ContestOptionId") {
                Some(option_id) if !contest.options.iter().any(|option| option.id == option_id) => {
                    return Err(option.problem(Kind::Reference, format!("contest {id} has no option {option_id:?}")));
                }
                None => {
                    let note = format!(
                        "contest {id}: the paper ballot has a line for a write-in that is not an option; it is not offered"
                    );
                    if !notes.contains(&note) {
                        notes.push(note);
                    }
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
}
