//! Ablations: what each ingredient of memory is worth, measured by leaving it out on the same queries.
//!
//! Where constants were fitted, each variant fits its exponents anew on the same tuning set, so that what remains may
//! make up for what is gone; otherwise the dataset's exponents stay.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::EvalError;
use super::fit::newton::WIDTH;
use super::fit::rows::{Row, gather};
use super::fit::{fit_exponents, free};
use super::metrics::{LabelMeasures, Measures, Metric, add};
use super::split::Question;
use super::stats::{Plan, Tail, Unit, holm, sign_flip};
use crate::data::dataset::{Calibration, Manifest};
use crate::mediator::{Policy, Weights, mediate};
use crate::memory::{Apart, Memory};

/// Version of the JSON object.
pub const SCHEMA: &str = "logoscope.ablation/1";

/// What is left out or changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// Nothing.
    Whole,
    /// A_T = 0.
    WithoutTerms,
    /// τ = ∞.
    WithoutRecency,
    /// γ = 0.
    WithoutSimilarity,
    /// Both: the person's plain histogram.
    PlainHistogram,
    /// A_N = 0.
    WithoutNeighbours,
    /// A_V = 0, where entries vote: by a constant, or in the place of neighbours.
    WithoutEntries,
    /// A_C = 0, where the communities' own nearest texts are read.
    WithoutCommunityNeighbours,
    /// A_S = 0, where the communities' leanings are read.
    WithoutCommunityLeaning,
    /// A_H = 0, where the communities' habits are read.
    WithoutCommunityHabit,
    /// One topic, where several are told apart.
    WithoutTopics,
    /// h_b = ∞.
    WithoutBaseDecay,
    /// The asking person's items among everyone's.
    UserLeftIn,
    /// α = 0, where communities have a part.
    WithoutCommunities,
    /// α = ½.
    HalfCommunities,
    /// α = 1: communities in place of the population.
    CommunitiesAlone,
}

impl Variant {
    const ALL: [Variant; 16] = [
        Variant::Whole,
        Variant::WithoutTerms,
        Variant::WithoutRecency,
        Variant::WithoutSimilarity,
        Variant::PlainHistogram,
        Variant::WithoutNeighbours,
        Variant::WithoutEntries,
        Variant::WithoutCommunityNeighbours,
        Variant::WithoutCommunityLeaning,
        Variant::WithoutCommunityHabit,
        Variant::WithoutTopics,
        Variant::WithoutBaseDecay,
        Variant::UserLeftIn,
        Variant::WithoutCommunities,
        Variant::HalfCommunities,
        Variant::CommunitiesAlone,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Variant::Whole => "everything",
            Variant::WithoutTerms => "without collective terms",
            Variant::WithoutRecency => "without recency in the kernel",
            Variant::WithoutSimilarity => "without similarity in the kernel",
            Variant::PlainHistogram => "without both",
            Variant::WithoutNeighbours => "without neighbours",
            Variant::WithoutEntries => "without entries",
            Variant::WithoutCommunityNeighbours => "without communities' neighbours",
            Variant::WithoutCommunityLeaning => "without communities' leaning",
            Variant::WithoutCommunityHabit => "without communities' habits",
            Variant::WithoutTopics => "without topics",
            Variant::WithoutBaseDecay => "without decay of the base rate",
            Variant::UserLeftIn => "asking person left in",
            Variant::WithoutCommunities => "without communities",
            Variant::HalfCommunities => "communities at one half",
            Variant::CommunitiesAlone => "communities alone",
        }
    }

    /// Which exponent is held at 0.
    fn silences(self) -> Option<usize> {
        match self {
            Variant::WithoutTerms => Some(1),
            Variant::WithoutNeighbours => Some(2),
            Variant::WithoutEntries => Some(3),
            Variant::WithoutCommunityNeighbours => Some(4),
            Variant::WithoutCommunityLeaning => Some(5),
            Variant::WithoutCommunityHabit => Some(6),
            _ => None,
        }
    }

    /// The settings of this variant, of questions to which the `nearest` texts were read like that; `None` where it would
    /// change nothing.
    fn of(self, whole: &Manifest, nearest: Nearest) -> Option<Manifest> {
        let mut manifest = whole.clone();
        let (weights, calibration) = (&mut manifest.weights, &mut manifest.calibration);
        match self {
            Variant::Whole | Variant::UserLeftIn => return Some(manifest),
            Variant::WithoutNeighbours | Variant::WithoutCommunityNeighbours if !nearest.heard => return None,
            Variant::WithoutTerms => calibration.terms = 0.0,
            Variant::WithoutNeighbours => calibration.neighbours = 0.0,
            Variant::WithoutEntries => calibration.entries = calibration.entries.or(nearest.replaced).map(|_| 0.0),
            Variant::WithoutCommunityNeighbours => calibration.community_neighbours = 0.0,
            Variant::WithoutCommunityLeaning => calibration.community_leaning = 0.0,
            Variant::WithoutCommunityHabit => calibration.community_habit = 0.0,
            Variant::WithoutTopics => manifest.periods.topics = 0,
            Variant::WithoutRecency => weights.half_life = Some(f64::INFINITY),
            Variant::WithoutSimilarity => weights.similarity_sharpness = Some(0.0),
            Variant::PlainHistogram => {
                weights.half_life = Some(f64::INFINITY);
                weights.similarity_sharpness = Some(0.0);
            }
            Variant::WithoutBaseDecay => manifest.periods.base_half_life = f64::INFINITY,
            Variant::WithoutCommunities => weights.community_focus = Some(0.0),
            Variant::HalfCommunities => weights.community_focus = Some(0.5),
            Variant::CommunitiesAlone => weights.community_focus = Some(1.0),
        }
        (manifest != *whole).then_some(manifest)
    }
}

/// What became of the nearest texts of others, which are read one by one only while there are few enough.
#[derive(Clone, Copy)]
struct Nearest {
    /// Whether they had a say in any answer.
    heard: bool,
    /// A_V of entries that vote in their place, where a dataset states none.
    replaced: Option<f64>,
}

impl Nearest {
    fn of(rows: &[Row], calibration: &Calibration) -> Self {
        let votes = |row: &Row| row.parts.neighbours.as_ref().is_some_and(|votes| votes.iter().any(|vote| *vote > 0.0));
        let unread = rows.iter().find(|row| row.parts.neighbours.is_none());
        Self { heard: rows.iter().any(votes), replaced: unread.map(|row| row.parts.entries_exponent(calibration)) }
    }
}

/// How a variant does.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ablated {
    /// Which.
    pub variant: Variant,
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean F1 over labels.
    pub macro_f1: f64,
    /// Mean −ln p(gold), in nats.
    pub log_loss: f64,
    /// Accuracy minus that of everything.
    pub change: f64,
    /// Queries that only the variant has right.
    pub wins: usize,
    /// Queries that only everything has right.
    pub losses: usize,
    /// Sign-flip permutation by person, of few people by question; 1 for everything itself.
    pub p: f64,
    /// Corrected over the variants.
    pub p_holm: f64,
}

/// What a variant answers: right or not, and the numbers behind the metrics.
struct Outcome {
    right: Vec<bool>,
    sums: Vec<f64>,
}

/// Leaves out one ingredient after another. `tuning` are the questions to fit exponents on; none keeps the dataset's.
/// Memory is read as `apart` says.
///
/// Memory is retuned for a variant that reads another one, and back.
pub fn ablate(
    memory: &mut Memory,
    questions: &[Question],
    tuning: &[Question],
    apart: Apart,
    measures: LabelMeasures,
    plan: Plan,
    cancel: &AtomicBool,
) -> Result<Vec<Ablated>, EvalError> {
    let whole = &memory.manifest.clone();
    let read = |memory: &Memory, apart| -> Result<_, EvalError> {
        Ok((gather(memory, questions, apart, cancel)?, gather(memory, tuning, apart, cancel)?))
    };
    let (asked, tuned) = read(memory, apart)?;
    let nearest = Nearest::of(&asked, &whole.calibration);
    let mut outcomes = Vec::new();
    for variant in Variant::ALL {
        let Some(mut manifest) = variant.of(whole, nearest) else { continue };
        let (asked, tuned) = match variant {
            Variant::UserLeftIn => read(memory, Apart { left_in: true, ..apart })?,
            // Membership and what communities say stand on the base rate as well.
            Variant::WithoutTopics | Variant::WithoutBaseDecay => {
                memory.retune(manifest.clone());
                let found = read(memory, apart);
                memory.retune(whole.clone());
                found?
            }
            _ => (asked.clone(), tuned.clone()),
        };
        if !tuned.is_empty() && variant != Variant::Whole {
            let mut free: [bool; WIDTH] = free(&tuned, whole);
            if let Some(silenced) = variant.silences() {
                free[silenced] = false;
            }
            let stated = manifest.calibration;
            fit_exponents(&tuned, &mut manifest, free, &stated);
        }
        outcomes.push((variant, answer(&asked, &manifest, measures)));
    }
    let Some((_, reference)) = outcomes.first() else { return Ok(Vec::new()) };
    let value = |metric, sums: &[f64]| measures.value(metric, sums).unwrap_or_default();
    let asked: Vec<_> = questions.iter().map(|question| question.user).collect();
    let units = Unit::of_askers(&asked).observations(&asked);
    let judged = |(variant, outcome): &(Variant, Outcome)| {
        let only = |a: &Outcome, b: &Outcome| a.right.iter().zip(&b.right).filter(|(a, b)| **a && !**b).count();
        let mut sums: BTreeMap<usize, f64> = BTreeMap::new();
        for (row, unit) in units.iter().enumerate() {
            let one = |outcome: &Outcome| f64::from(u8::from(outcome.right[row]));
            *sums.entry(*unit).or_default() += one(outcome) - one(reference);
        }
        let differences: Vec<f64> = sums.into_values().collect();
        Ablated {
            variant: *variant,
            accuracy: value(Metric::Accuracy, &outcome.sums),
            macro_f1: value(Metric::MacroF1, &outcome.sums),
            log_loss: value(Metric::LogLoss, &outcome.sums),
            change: value(Metric::Accuracy, &outcome.sums) - value(Metric::Accuracy, &reference.sums),
            wins: only(outcome, reference),
            losses: only(reference, outcome),
            p: sign_flip(&differences, Tail::Both, plan),
            p_holm: 1.0,
        }
    };
    let mut found: Vec<Ablated> = outcomes.iter().map(judged).collect();
    let corrected = holm(&found[1..].iter().map(|ablated| ablated.p).collect::<Vec<_>>());
    found[1..].iter_mut().zip(corrected).for_each(|(ablated, p)| ablated.p_holm = p);
    Ok(found)
}

fn answer(rows: &[Row], manifest: &Manifest, measures: LabelMeasures) -> Outcome {
    let weights = Weights::defaults(Policy::Product, manifest);
    let mut outcome = Outcome { right: Vec::new(), sums: vec![0.0; measures.width()] };
    for row in rows {
        let resolution = mediate(&row.weighed(&manifest.calibration), &weights, Policy::Product);
        let gold = row.question.gold;
        outcome.right.push(resolution.decision == gold);
        add(&mut outcome.sums, &measures.row(gold, resolution.decision, Some(&resolution.distribution)));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::interaction::{Timestamp, UserId};
    use crate::data::sample;
    use crate::mediator::Evidence;
    use crate::memory::collective::Parts;

    /// Where there are too many texts to look at each, entries vote without being told to.
    #[test]
    fn what_does_not_speak_is_not_left_out_and_what_speaks_in_its_place_is() {
        let mut whole = sample::dataset().unwrap().manifest;
        whole.calibration = Calibration::default();
        whole.calibration.community_neighbours = 0.5;
        let user = UserId::new("u");
        let question =
            Question { id: "q", user: &user, at: Timestamp(0), text: "a diver", about: None, gold: 0, answer: "noir" };
        let row = |neighbours| Row {
            question,
            visible: 0,
            evidence: Evidence::disputed(),
            parts: Parts { neighbours, entries: vec![4.0, 0.0], ..Parts::silent(2) },
        };
        let told = |rows: &[Row]| {
            let nearest = Nearest::of(rows, &whole.calibration);
            [Variant::WithoutNeighbours, Variant::WithoutCommunityNeighbours, Variant::WithoutEntries]
                .map(|variant| variant.of(&whole, nearest))
        };
        // A first question comes before anything is known.
        let rows = [row(Some(vec![0.0, 0.0])), row(None)];
        let [neighbours, company, entries] = told(&rows);
        assert!(neighbours.is_none() && company.is_none(), "neighbours say nothing");
        let without = entries.unwrap().calibration;
        assert_eq!(without.entries, Some(0.0));
        let said = |calibration| rows[1].weighed(calibration).population;
        assert!(said(&whole.calibration)[0] > said(&without)[0], "entries spoke for label 0");
        let [neighbours, company, entries] = told(&[row(Some(vec![0.0, 3.0]))]);
        assert!(neighbours.is_some() && company.is_some());
        assert!(entries.is_none(), "entries vote neither by a constant nor in another's place");
    }
}
