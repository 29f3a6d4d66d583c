//! How large a document becomes once its fragments are spread, computed without spreading them.
//!
//! Thirty fragments that spread each other twice are a billion selections. Here each fragment is visited once, in
//! the order of their dependencies, without recursion.

use std::collections::HashMap;

use super::{GuardError, GuardLimit, GuardLimits, structure::Definition};

/// What one definition amounts to.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    /// Selections, with every fragment in place.
    selections: u64,
    /// Fields at the top, with every fragment in place.
    top_fields: u64,
}

/// Refuses cycles, expansions and numbers of root fields above their limits.
pub(super) fn check(definitions: &[Definition<'_>], limits: &GuardLimits) -> Result<(), GuardError> {
    let by_name: HashMap<&str, usize> = definitions
        .iter()
        .enumerate()
        .filter_map(|(index, definition)| definition.fragment_name().map(|name| (name, index)))
        .collect();
    let sizes = sizes(definitions, &by_name)?;

    let mut selections = 0_u64;
    for (definition, size) in definitions.iter().zip(&sizes) {
        let max = match definition {
            Definition { fragment: Some(_), .. } => continue,
            Definition { is_mutation: true, .. } => limits.mutation_root_fields_max,
            Definition { is_mutation: false, .. } => limits.root_fields_max,
        };
        GuardLimit::RootFields.check(max, size.top_fields)?;
        selections = selections.saturating_add(size.selections);
    }
    // A fragment that no operation uses is refused by validation, which looks at it once, as it stands.
    GuardLimit::ExpandedSelections.check(limits.expanded_selections_max, selections)
}

fn sizes(definitions: &[Definition<'_>], by_name: &HashMap<&str, usize>) -> Result<Vec<Size>, GuardError> {
    #[derive(Clone, Copy, PartialEq)]
    enum Visit {
        Not,
        Open,
        Done,
    }
    let mut visits = vec![Visit::Not; definitions.len()];
    let mut sizes = vec![Size::default(); definitions.len()];

    for start in 0..definitions.len() {
        // A definition and how many of its spreads have been looked at.
        let mut path = if visits[start] == Visit::Not { vec![(start, 0)] } else { continue };
        while let Some((index, looked_at)) = path.last_mut() {
            let index = *index;
            visits[index] = Visit::Open;
            let Some(spread) = definitions[index].spreads.get(*looked_at) else {
                sizes[index] = total(&definitions[index], by_name, &sizes);
                visits[index] = Visit::Done;
                path.pop();
                continue;
            };
            *looked_at += 1;
            if let Some(&next) = by_name.get(spread.name) {
                match visits[next] {
                    Visit::Done => {}
                    Visit::Not => path.push((next, 0)),
                    Visit::Open => return Err(GuardError::FragmentCycle { fragment: spread.name.to_owned() }),
                }
            }
        }
    }
    Ok(sizes)
}

fn total(definition: &Definition<'_>, by_name: &HashMap<&str, usize>, sizes: &[Size]) -> Size {
    let mut size = Size { selections: definition.selections, top_fields: definition.top_fields };
    for spread in &definition.spreads {
        // An unknown fragment is refused by validation.
        let spread_size = by_name.get(spread.name).map(|&index| sizes[index]).unwrap_or_default();
        size.selections = size.selections.saturating_add(spread_size.selections);
        if spread.is_at_top {
            size.top_fields = size.top_fields.saturating_add(spread_size.top_fields);
        }
    }
    size
}
