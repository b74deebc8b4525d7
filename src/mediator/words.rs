//! The ledger, counterfactuals and signatures in words, the same on the screen and on paper. Labels and items are named
//! by whoever asks, who also makes them safe to print.

use super::conflict::{Claim, Conflict, ConflictKind, Party, Side, in_words};
use super::counterfactual::{Removed, Without};
use super::facet::Facet;
use super::policy::Disagreement;
use super::signature::Signature;

/// Names a label or an item by its index.
pub type Namer<'a> = &'a dyn Fn(usize) -> String;

/// Conflicts that are told together: a value conflict with the polarity of the very values that it is about, which is the
/// same evidence seen twice. Any other stands by itself. The ledger keeps and counts each of them.
pub fn together(ledger: &[Conflict]) -> Vec<&[Conflict]> {
    let about = |value: &Conflict, polarity: &Conflict| {
        let among = |claim: &Claim| value.claims.iter().any(|other| other.label == claim.label);
        value.kind == ConflictKind::Value
            && polarity.kind == ConflictKind::Polarity
            && polarity.claims.iter().all(among)
    };
    ledger.chunk_by(about).collect()
}

/// The names of conflicts that are told together: `value and polarity`.
pub fn kinds(conflicts: &[Conflict]) -> String {
    conflicts.iter().map(|conflict| conflict.kind.name()).collect::<Vec<_>>().join(" and ")
}

/// Conflicts that are told together, in a line: their kinds and what is against what.
pub fn headlines(conflicts: &[Conflict], label: Namer) -> String {
    match conflicts {
        [value, polarity] => {
            let [a, b] = value.claims.map(|claim| label(claim.label));
            let told = headline(polarity, label);
            let told = told.split_once(": ").map_or("", |(_, told)| told);
            let more =
                if polarity.claims[0].label == polarity.claims[1].label { format!("; {told}") } else { String::new() };
            format!("{} conflict: {a} against {b}{more}", kinds(conflicts))
        }
        _ => conflicts.iter().map(|conflict| headline(conflict, label)).collect::<Vec<_>>().join("; "),
    }
}

/// The same in the fewest words that still name what is against what, with `against` between the names.
pub fn brief(conflicts: &[Conflict], label: Namer, against: &str) -> String {
    let Some(conflict) = conflicts.first() else { return String::new() };
    let [a, b] = conflict.claims.map(|claim| label(claim.label));
    match conflict.kind {
        ConflictKind::Coverage => coverage(conflict.silent).to_owned(),
        ConflictKind::Polarity if conflict.claims[0].label == conflict.claims[1].label => {
            let [raises, lowers] = raising(conflict);
            format!("polarity: {raises} for {a}, {lowers} not")
        }
        _ => format!("{}: {a}{against}{b}", kinds(conflicts)),
    }
}

/// Of a polarity conflict of one label, who raises it and who lowers it.
fn raising(conflict: &Conflict) -> [&'static str; 2] {
    let [a, b] = conflict.claims.map(|claim| claim.party.name());
    if conflict.claims[0].nats > 0.0 { [a, b] } else { [b, a] }
}

/// A conflict in a line: its kind and what is against what.
pub fn headline(conflict: &Conflict, label: Namer) -> String {
    let [a, b] = &conflict.claims;
    let (first, second) = (label(a.label), label(b.label));
    match (conflict.kind, conflict.silent) {
        (ConflictKind::Value, _) => format!("value conflict: {first} against {second}"),
        (ConflictKind::Polarity, _) if a.label == b.label => {
            let [raises, lowers] = raising(conflict);
            format!("polarity: {raises} raises {first}, {lowers} lowers it")
        }
        (ConflictKind::Polarity, _) => format!("polarity: {first} against {second}, across the average"),
        (ConflictKind::Temporal, _) => format!("temporal: newer memories say {first}, older ones {second}"),
        (ConflictKind::IntraLocal, _) => format!("intra-local: memories say {first} and {second} at any time"),
        (ConflictKind::Scope, _) => {
            format!("scope: {} says {first}, {} {second}", a.party.name(), b.party.name())
        }
        (ConflictKind::Coverage, silent) => coverage(silent).to_owned(),
    }
}

/// Who has too little to say; `None`: both.
pub fn coverage(silent: Option<Side>) -> &'static str {
    match silent {
        Some(Side::Local) => "coverage: local has too little to say",
        Some(Side::Global) => "coverage: too few users stand behind global",
        Some(Side::Both) | None => "coverage: neither side has enough to say",
    }
}

/// What has to be known to read a ledger of `facet`; `None` where that is nothing.
pub fn reading_aid(facet: &Facet) -> Option<&'static str> {
    match facet {
        Facet::Score(_) => Some(
            "local is told here as it votes: what the person gave other things, moved by what the crowd gives them and this \
             one; what they gave is local's answer. Without global memory votes stay moved. In a polarity conflict a score \
             stands for its whole end of the scale",
        ),
        Facet::Label | Facet::Form => None,
    }
}

/// Everything else the ledger holds of conflicts that are told together, a line each.
pub fn all_details(conflicts: &[Conflict], label: Namer) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for conflict in conflicts {
        let mut more = details(conflict, label);
        if let (Some(rule), true) = (more.first_mut(), conflicts.len() > 1) {
            *rule = format!("{} {rule}", conflict.kind.name());
        }
        // What holds of both stands once, with the last of them.
        lines.retain(|line| !more.contains(line));
        lines.extend(more);
    }
    lines
}

/// Everything else the ledger holds of a conflict, a line each: the rule, both claims, by how much and how surely, who
/// won and what was kept.
pub fn details(conflict: &Conflict, label: Namer) -> Vec<String> {
    let claim = |claim: &Claim| {
        let Claim { party, p, nats, n, .. } = claim;
        let behind = match party {
            Party::Global | Party::Community | Party::Population => format!("{n:.0} contributors"),
            _ => format!("{n:.1} examples"),
        };
        format!("{:<10} {} {p:.2}, {nats:+.2} nats, {behind}", party.name(), claimed(conflict, claim, label))
    };
    let mut lines = vec![format!("rule: {}", conflict.rule())];
    lines.extend(conflict.claims.iter().map(claim));
    let unit = if conflict.kind != ConflictKind::Coverage {
        "bit"
    } else if conflict.silent == Some(Side::Global) {
        "contributors"
    } else {
        "examples"
    };
    let margin = format!("margin {:.2} {unit}", conflict.margin);
    lines.push(conflict.strength.map_or(margin.clone(), |nats| {
        // The rule flags, the strength grades: both are said, so that neither seems to contradict the other.
        let by = match conflict.kind {
            ConflictKind::Temporal => "the order in time",
            ConflictKind::IntraLocal => "contradiction",
            _ => "divergence",
        };
        format!("flagged by {by}, {margin}; {} ({nats:+.1} nats)", in_words(nats))
    }));
    lines.push(outcome(conflict, label));
    lines
}

/// What a claim is for: its value, or that it is anything else.
fn claimed(conflict: &Conflict, claim: &Claim, label: Namer) -> String {
    format!("{}{}", if conflict.denies(claim) { "not " } else { "" }, label(claim.label))
}

/// Whose claim won, and what the mediated distribution leaves to the other. Of polarity that is a direction and no decision:
/// a side may win it whose first choice was not decided.
fn outcome(conflict: &Conflict, label: Namer) -> String {
    let [a, b] = &conflict.claims;
    let whose = |claim: &Claim| format!("{} ({})", claimed(conflict, claim, label), claim.party.name());
    let Some(kept) = conflict.kept else {
        return conflict.winner.map_or("the base rate decides".to_owned(), |winner| {
            format!("{} decides, there being no other", winner.name())
        });
    };
    let Some(lost) = conflict.loser() else {
        return format!("neither {} nor {} is decided; the better of them keeps {kept:.2}", whose(a), whose(b));
    };
    let won = if lost.party == a.party { b } else { a };
    let told = match conflict.kind {
        ConflictKind::Polarity if a.label == b.label => {
            let way = if won.nats > 0.0 { "raises" } else { "lowers" };
            format!("mediated {way} {}, as {} does", label(won.label), won.party.name())
        }
        ConflictKind::Polarity => format!("mediated leans to {}, as {} does", label(won.label), won.party.name()),
        _ => format!("{} is decided", whose(won)),
    };
    format!("{told}; {} keeps {kept:.2}", whose(lost))
}

/// `without item-7: drama .41 (margin .02), -0.31 nats, changes the decision`.
pub fn without(without: &Without, label: Namer, item: Namer) -> String {
    let what = match without.removed {
        Removed::Item(place) => item(place),
        Removed::Community(community) => format!("community {community}"),
        Removed::Side(Side::Local) => "local memory".to_owned(),
        Removed::Side(_) => "global memory".to_owned(),
    };
    let changes = if without.changes { ", changes the decision" } else { "" };
    let (margin, nats) = (without.margin, without.nats);
    format!("without {what}: {} (margin {margin:.2}), {nats:+.3} nats{changes}", label(without.decision))
}

/// `it decides as the rules do, .04 bit apart`, of a model that read the memory it wrote.
pub fn disagreement(disagreement: &Disagreement) -> String {
    let Disagreement { same, divergence } = disagreement;
    let decides = if *same { "it decides as the rules do" } else { "it decides against the rules" };
    format!("{decides}, {divergence:.2} bit apart")
}

/// A signature in the fewest words that still give its numbers and names.
pub fn brief_signature(signature: Signature, label: Namer, item: Namer) -> String {
    let name = signature.name();
    match signature {
        Signature::TooLocal { item: place, becomes } => format!("{name}: {} without {}", label(becomes), item(place)),
        Signature::TooGlobal { contested, collective, .. } => {
            format!("{name}: {collective} of {contested} contested answers")
        }
        Signature::Oscillating { changes, calming: Some(h) } => {
            format!("{name}: {changes} changes of side; hysteresis {h:.2} calms it")
        }
        Signature::Oscillating { changes, calming: None } => {
            format!("{name}: {changes} changes of side; no hysteresis calms it")
        }
    }
}

/// A signature in a line. An answer may hang on one own memory against what local as a whole prefers: the memory is named as
/// what it hangs on, and what it would be otherwise may well be local's choice.
pub fn signature(signature: Signature, label: Namer, item: Namer) -> String {
    let name = signature.name();
    match signature {
        Signature::TooLocal { item: place, becomes } => {
            format!("{name}: it hangs on memory {}, else {}", item(place), label(becomes))
        }
        Signature::TooGlobal { contested, collective, people } => {
            format!("{name}: {collective} of {contested} contested answers to {people} people follow the others")
        }
        Signature::Oscillating { changes, calming: Some(h) } => {
            format!("{name}: {changes} changes of side while the evidence hardly moved; hysteresis {h:.2} calms it")
        }
        Signature::Oscillating { changes, calming: None } => {
            format!("{name}: {changes} changes of side while the evidence hardly moved; no hysteresis calms it")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decided may be what neither side prefers, with local's own choice as what it would be otherwise.
    #[test]
    fn too_local_says_which_memory_the_answer_hangs_on() {
        let sign = Signature::TooLocal { item: 7, becomes: 1 };
        let (label, item) = (|y: usize| ["noir", "comedy"][y].to_owned(), |place: usize| format!("item-{place}"));
        assert_eq!(signature(sign, &label, &item), "too local: it hangs on memory item-7, else comedy");
        assert_eq!(brief_signature(sign, &label, &item), "too local: comedy without item-7");
    }

    #[test]
    fn a_conflict_says_what_is_against_what_and_what_came_of_it() {
        let claim = |party, label, nats| Claim { party, label, p: 0.5, nats, n: 1.0 };
        let conflict = |kind, claims| Conflict {
            kind,
            claims,
            divergence: 0.2,
            margin: 0.1,
            strength: None,
            silent: None,
            winner: Some(Party::Local),
            kept: Some(0.3),
        };
        let value = conflict(ConflictKind::Value, [claim(Party::Local, 0, 1.0), claim(Party::Global, 1, 1.0)]);
        let polarity = conflict(ConflictKind::Polarity, [claim(Party::Local, 0, -1.0), claim(Party::Global, 0, 1.0)]);
        let name = |label: usize| ["noir", "comedy"][label].to_owned();
        assert_eq!(brief(&[value.clone(), polarity.clone()], &name, " / "), "value and polarity: noir / comedy");
        assert_eq!(brief(std::slice::from_ref(&value), &name, " against "), "value: noir against comedy");
        assert_eq!(brief(std::slice::from_ref(&polarity), &name, " / "), "polarity: global for noir, local not");
        // Who won, what either wants, and what is left of the loser.
        assert_eq!(outcome(&value, &name), "noir (local) is decided; comedy (global) keeps 0.30");
        assert_eq!(outcome(&polarity, &name), "mediated lowers noir, as local does; noir (global) keeps 0.30");
        let ends = conflict(ConflictKind::Polarity, [claim(Party::Local, 0, -1.0), claim(Party::Global, 1, 1.0)]);
        assert_eq!(outcome(&ends, &name), "mediated leans to noir, as local does; comedy (global) keeps 0.30");
        let neither = Conflict { winner: None, ..value };
        let told = "neither noir (local) nor comedy (global) is decided; the better of them keeps 0.30";
        assert_eq!(outcome(&neither, &name), told);
    }
}
