//! The words of a prompt: what each memory says, a line an item.
//!
//! Invariant: text of data is quoted before it stands in a line, so that none can forge another one.

use super::{Block, tokens};
use crate::data::dataset::TaskKind;
use crate::data::sanitize;
use crate::mediator::style;
use crate::memory::Memory;
use crate::memory::global::{GlobalHit, GlobalRead};
use crate::memory::local::{LocalHit, LocalRead};
use crate::memory::writing::Term;

/// Labels named per profile or entry.
const NAMED: usize = 3;
/// Shares below this are not worth a word.
const LEAST_SHARE: f64 = 0.05;

pub(super) fn local_block(memory: &Memory, read: &LocalRead, size: f64) -> Block {
    let ranked = read.profile.ranked();
    let heading = format!("own: {}{}\n", shares(memory, &ranked), on_average(memory, &ranked));
    let line = |hit: &LocalHit| {
        let label = quoted(memory.response_of(hit));
        let (near, age) = (tenths(hit.terms.similarity()), age_word(hit.age_days));
        format!("- {label} | near {near} | {age} | {}\n", quoted(&memory.population.text[hit.item]))
    };
    let mut filled = 0.0;
    let within = |line: &String| {
        filled += tokens(line);
        filled <= size
    };
    // More than are shown: a slider may give them room.
    let more = read.hits.iter().skip(read.shown).map(line).take_while(within);
    let lines = read.shown().iter().map(line).chain(more).collect();
    Block { heading, profile: None, lines, shown: read.shown }
}

pub(super) fn global_block(memory: &Memory, read: &GlobalRead, local: Option<&LocalRead>) -> Block {
    // What all of it comes to for this query; entries by themselves are of what is like it.
    let likeliest = match (memory.manifest.task, read.period) {
        (TaskKind::Labels, Some(_)) => {
            let said = read.community.iter().copied().enumerate();
            let mut ranked: Vec<(usize, f64)> = said.filter(|(_, share)| *share >= LEAST_SHARE).collect();
            ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            format!(": {}", shares(memory, &ranked))
        }
        _ => String::new(),
    };
    let heading = match read.leading() {
        Some((community, _)) => format!("others: community of {}{likeliest}\n", read.members[community]),
        None if !likeliest.is_empty() => format!("others: everyone{likeliest}\n"),
        None => {
            let base: Vec<(usize, f64)> = read.base.iter().copied().enumerate().collect();
            format!("others: everyone{}\n", on_average(memory, &base))
        }
    };
    // Without it a reader cannot tell what people like this one say from what others say.
    let shared = |hit: &GlobalHit| {
        let share = hit.community.map(|community| tenths(read.membership[community]));
        share.map_or(String::new(), |share| format!(" | same community {share}"))
    };
    let line = |hit: &GlobalHit| {
        let (near, shared) = (tenths(hit.terms.score()), shared(hit));
        let words = quoted(&hit.top_terms.join(", "));
        let said = shares(memory, &hit.ranked(LEAST_SHARE));
        let mean = on_average(memory, &hit.ranked(0.0));
        let words = if mean.is_empty() { format!(" | {words}") } else { mean };
        format!("- {said} | near {near}{shared} | {} users{words}\n", hit.users)
    };
    let mut lines: Vec<String> = read.hits.iter().map(line).collect();
    // How a person departs from others shows where both rated the same.
    let own = local.map(|read| read.shown().iter().filter_map(|hit| hit.crowd)).into_iter().flatten();
    let own: Vec<String> = own.map(|mean| format!("{mean:.1}")).collect();
    if !own.is_empty() {
        lines.push(format!("- to what is own they gave {}\n", own.join(", ")));
    }
    Block { heading, profile: None, shown: lines.len(), lines }
}

/// ` | 4.2 on average`: the mean of scores with these shares; nothing of other tasks.
fn on_average(memory: &Memory, shares: &[(usize, f64)]) -> String {
    let Some(scale) = memory.manifest.scale else { return String::new() };
    let steps = scale.values();
    let mean: f64 = shares.iter().filter_map(|(label, share)| Some(steps.get(*label)? * share)).sum();
    format!(" | {mean:.1} on average")
}

/// ` | about 9 words | words: tide, robot`: how texts are written.
pub(super) fn habits(length: Option<f64>, terms: &[Term]) -> String {
    let length = length.map_or(String::new(), |length| format!(" | about {}", style::told(length)));
    if terms.is_empty() {
        return length;
    }
    let words: Vec<&str> = terms.iter().map(|term| term.word.as_str()).collect();
    format!("{length} | words: {}", quoted(&words.join(", ")))
}

/// `noir 5, comedy 3`: the largest shares in tenths.
fn shares(memory: &Memory, ranked: &[(usize, f64)]) -> String {
    let named = ranked
        .iter()
        .take(NAMED)
        .map(|(label, share)| format!("{} {}", quoted(&memory.population.labels[*label]), tenths(*share).max(1)));
    named.collect::<Vec<_>>().join(", ")
}

/// Text of data as it may stand in a prompt: on one line, and without the brackets that many models' control tokens are spelled
/// with. A model in the process reads no control token out of a prompt, however it is spelled; a server may.
pub(in crate::engine) fn quoted(text: &str) -> String {
    sanitize::visible(text).replace("<|", "< |")
}

/// A number in [0, 1] as 0–10.
fn tenths(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * 10.0).round() as u32
}

/// How old a memory is, in a word.
pub(in crate::engine) fn age_word(days: f64) -> &'static str {
    match days {
        d if d < 1.0 => "today",
        d if d < 7.0 => "days",
        d if d < 45.0 => "weeks",
        d if d < 365.0 => "months",
        _ => "years",
    }
}
