//! Which of a folder's safetensors files are the model's weights: the same for what a hub lists, what other programs have
//! downloaded, and what is loaded.

use std::collections::{BTreeMap, BTreeSet};

/// What a folder's safetensors files come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WeightSet<'a> {
    /// There are none.
    Missing,
    /// These are the weights, in order: all there are, or the ones that every tool takes where a repository has two sets.
    Chosen(Vec<&'a str>),
    /// Some shards of a set are missing.
    Partial {
        /// Those that are there.
        found: usize,
        /// As many as their names promise.
        promised: usize,
    },
    /// Nothing tells which of these are meant.
    Several(Vec<&'a str>),
}

/// The weights among `names`: `model.safetensors`, else the shards of a set, which must all be there, else
/// `consolidated.safetensors` (the same weights under their publisher's own names), else a single file of another name.
pub(super) fn weight_set<'a>(names: impl IntoIterator<Item = &'a str>) -> WeightSet<'a> {
    let names: BTreeSet<&str> = names.into_iter().filter(|name| name.ends_with(".safetensors")).collect();
    // Shards by their numbers, in sets by how many there are to be.
    let mut sets: BTreeMap<usize, BTreeMap<usize, &str>> = BTreeMap::new();
    for (name, (number, count)) in names.iter().filter_map(|name| Some((name, shard(name)?))) {
        sets.entry(count).or_default().insert(number, name);
    }
    let whole: Vec<_> = sets.iter().filter(|(count, shards)| shards.keys().copied().eq(1..=**count)).collect();
    let named = |name: &str| names.get(name).map(|name| WeightSet::Chosen(vec![*name]));
    if let Some(model) = named("model.safetensors") {
        return model;
    }
    match (&whole[..], sets.iter().max_by_key(|(_, shards)| shards.len())) {
        ([(_, shards)], _) => WeightSet::Chosen(shards.values().copied().collect()),
        ([_, _, ..], _) => WeightSet::Several(names.into_iter().collect()),
        ([], Some((promised, shards))) => WeightSet::Partial { found: shards.len(), promised: *promised },
        ([], None) => named("consolidated.safetensors").unwrap_or_else(|| match names.len() {
            0 => WeightSet::Missing,
            1 => WeightSet::Chosen(names.into_iter().collect()),
            _ => WeightSet::Several(names.into_iter().collect()),
        }),
    }
}

/// The number and the count of `model-00001-of-00003.safetensors`.
fn shard(name: &str) -> Option<(usize, usize)> {
    let (number, count) = name.strip_prefix("model-")?.strip_suffix(".safetensors")?.split_once("-of-")?;
    Some((number.parse().ok()?, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARDS: [&str; 2] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    const CONSOLIDATED: &str = "consolidated.safetensors";

    #[test]
    fn of_two_sets_the_one_is_taken_that_every_tool_takes() {
        let set = |names: &[&'static str]| weight_set(names.iter().copied());
        let chosen = |names: &[&'static str]| WeightSet::Chosen(names.to_vec());
        assert_eq!(set(&["b.txt"]), WeightSet::Missing);
        assert_eq!(set(&["odd.safetensors"]), chosen(&["odd.safetensors"]));
        assert_eq!(set(&[CONSOLIDATED, "odd.safetensors"]), chosen(&[CONSOLIDATED]));
        assert_eq!(set(&[SHARDS[1], CONSOLIDATED, SHARDS[0]]), chosen(&SHARDS));
        assert_eq!(set(&[SHARDS[0], "model.safetensors", CONSOLIDATED]), chosen(&["model.safetensors"]));
        assert_eq!(set(&[SHARDS[1], SHARDS[0], "model-00001-of-00003.safetensors"]), chosen(&SHARDS));
    }

    #[test]
    fn what_is_incomplete_or_cannot_be_told_apart_is_no_set() {
        let set = |names: &[&'static str]| weight_set(names.iter().copied());
        let partial = |found, promised| WeightSet::Partial { found, promised };
        assert_eq!(set(&SHARDS[1..]), partial(1, 2));
        assert_eq!(set(&[SHARDS[0], CONSOLIDATED]), partial(1, 2), "shards are on their way");
        assert_eq!(set(&["model-00001-of-00002.safetensors", "model-1-of-2.safetensors"]), partial(1, 2));
        assert_eq!(
            set(&["a.safetensors", "b.safetensors"]),
            WeightSet::Several(vec!["a.safetensors", "b.safetensors"])
        );
        let two = [SHARDS[0], SHARDS[1], "model-00001-of-00001.safetensors"];
        assert!(matches!(set(&two), WeightSet::Several(_)));
    }
}
