//! What is said of differences: gain over local, pairs, windows, non-inferiority, ablations, and comparisons of results.

use serde_json::Value;

use super::section::{
    Bar, Section, heading, number, optional, p_value, points, predictors, range, resampling, signed, signed_interval,
    title_of,
};
use crate::data::sanitize::visible;
use crate::engine::prompt::Arm;
use crate::eval::ablate::Ablated;
use crate::eval::assessment::{
    ArmReport, Assessment, CLAIM, Difference, Headline, LEVEL, MARGIN, NonInferiority, Paired,
};
use crate::eval::compare::{Comparison, Side};
use crate::eval::metrics::Metric;
use crate::eval::split::Range;
use crate::eval::stats::{FEW, Interval, Unit};
use crate::eval::{counted, steady};
use crate::mediator::Policy;

/// A table of ablations, the first being everything. `embedder` made the vectors, `fitted_on` is the time that exponents
/// were fitted on, and tests flip the signs of `unit`s.
pub fn ablation(
    dataset: &str,
    embedder: &str,
    ablated: &[Ablated],
    unit: Unit,
    queries: Range,
    fitted_on: Option<Range>,
) -> Section {
    let title = format!("{} · ablations · policy {}", visible(dataset), Policy::Product);
    let header = ["", "accuracy", "macro-F1", "log-loss", "change", "won/lost", "p", "p (Holm)"];
    let mut section = Section::table(title, &header);
    for (number_of, a) in ablated.iter().enumerate() {
        let compared = |cell: String| if number_of == 0 { String::new() } else { cell };
        section.rows.push(vec![
            a.variant.name().to_owned(),
            number(a.accuracy),
            number(a.macro_f1),
            number(a.log_loss),
            compared(signed(a.change)),
            compared(format!("{}/{}", a.wins, a.losses)),
            compared(p_value(a.p)),
            compared(p_value(a.p_holm)),
        ]);
    }
    section.notes = vec![
        format!("queries: {}", range(queries)),
        format!("embedder {}", visible(embedder)),
        fitted_on.map_or_else(
            || "exponents: the dataset's in every row; nothing was fitted".to_owned(),
            |fitted| format!("exponents fitted in every row on {}", range(fitted)),
        ),
        format!("p: sign-flip permutation by {} of right answers; Holm over the rows", unit.singular()),
    ];
    section
}

pub(super) fn gain(assessment: &Assessment) -> Option<Section> {
    let needed = format!("for {:+.2} %", 100.0 * CLAIM * if error(assessment) { -1.0 } else { 1.0 });
    let header =
        ["visible items", "queries", "local", "mediated", "gain", "95 %", "ceiling", "at most", needed.as_str()];
    let mut section = Section::table("Gain over local in a cold start", &header);
    let percent = |x: f64| format!("{:+.1} %", steady(100.0 * x, 1));
    for gain in &assessment.gain {
        section.rows.push(vec![
            gain.bucket.name(),
            gain.n.to_string(),
            number(gain.local),
            number(gain.mediated),
            gain.relative.map_or_else(|| "–".to_owned(), percent),
            gain.ci.map_or_else(String::new, |ci| {
                format!("[{:+.1}, {:+.1}]", steady(100.0 * ci.low, 1), steady(100.0 * ci.high, 1))
            }),
            optional(gain.ceiling),
            gain.most.map_or_else(|| "–".to_owned(), percent),
            number(gain.needed),
        ]);
        let bar = |name: &str, value| Bar { name: format!("{} · {name}", gain.bucket.name()), value, ci: None };
        section.chart.extend([bar("local", gain.local), bar("mediated", gain.mediated)]);
        section.chart.extend(gain.ceiling.map(|ceiling| bar("ceiling", ceiling)));
    }
    section.notes = match error(assessment) {
        true => vec![
            "MAE; gain is (mediated − local)/local, below 0 where mediated is better".to_owned(),
            "at 0 items local answers with the base rate: a gain there says that others help, not mediation".to_owned(),
            "ceiling: MAE of the nearer side, at most: the gain that would be".to_owned(),
        ],
        false => vec![
            "gain is (mediated − local)/local, with both figures beside it".to_owned(),
            "at 0 items local answers with the base rate: a gain there says that others help, not mediation".to_owned(),
            "ceiling: share of queries where local or global is right; at most: the gain that would be".to_owned(),
        ],
    };
    section.notes.push(format!("{needed}: the figure that such a gain over local would take"));
    section.notes.extend(untold(assessment.gain.iter().map(|gain| (gain.users, gain.ci))));
    let out_of_reach = assessment.gain.iter().filter(|gain| {
        gain.ceiling
            .is_some_and(|ceiling| if error(assessment) { gain.needed < ceiling } else { gain.needed > ceiling })
    });
    let out_of_reach: Vec<String> = out_of_reach.map(|gain| gain.bucket.name()).collect();
    if !out_of_reach.is_empty() {
        let told = "no choice between the two sides reaches that figure";
        section.notes.push(format!("at {} items {told}", out_of_reach.join(", ")));
    }
    (!assessment.gain.is_empty()).then_some(section)
}

fn error(assessment: &Assessment) -> bool {
    assessment.headline.is_error()
}

pub(super) fn paired(assessment: &Assessment) -> Option<Section> {
    let mut section = pairs("Mediated minus other, same queries", "against", assessment, &assessment.paired)?;
    let verdicts = assessment.paired.iter().map(|paired| verdict(Arm::Mediated.name(), paired));
    section.notes = verdicts.chain(section.notes).collect();
    Some(section)
}

/// What a model adds to memory, and memory to a model.
pub(super) fn fused(assessment: &Assessment) -> Option<Section> {
    let title = "Fused minus its part, same arm and queries";
    let mut section = pairs(title, "part", assessment, &assessment.fused)?;
    let arm = |paired: &Paired| paired.against.split('/').next().unwrap_or_default();
    let verdicts = assessment.fused.iter().map(|paired| verdict(arm(paired), paired));
    section.notes = verdicts.chain(section.notes).collect();
    section
        .notes
        .push("an arm is its model's and its memory's answer fused; …/model is ω = 1, …/memory ω = 0".to_owned());
    if assessment.provenance.weights.is_some_and(|weights| weights.model_trust <= 0.0) {
        section
            .notes
            .push("ω is 0: the model has no say in the arms; give it one with --weight model-trust=…".to_owned());
    }
    Some(section)
}

fn pairs(title: &str, against: &str, assessment: &Assessment, pairs: &[Paired]) -> Option<Section> {
    let metric = heading(assessment.headline);
    let header = [against, metric, "95 %", "won/lost", "p", "p (Holm)", "p (McNemar)", "detectable"];
    let mut section = Section::table(title, &header);
    for paired in pairs {
        let ci = difference(paired, assessment.headline).map(|d| d.ci);
        section.rows.push(vec![
            paired.against.to_owned(),
            signed(paired.headline.value),
            signed_interval(ci),
            format!("{}/{}", paired.wins, paired.losses),
            p_value(paired.p),
            p_value(paired.p_holm),
            p_value(paired.p_mcnemar),
            optional(paired.detectable),
        ]);
        section.chart.push(Bar { name: paired.against.to_owned(), value: paired.headline.value, ci });
    }
    section.notes = vec![
        format!(
            "p: sign-flip permutation by {} ({}); Holm over these rows; McNemar takes queries as independent",
            assessment.resampled.singular(),
            assessment.provenance.plan.permutations
        ),
        "detectable: a true difference that these people would show with 80 % power at 5 %".to_owned(),
    ];
    (!pairs.is_empty()).then_some(section)
}

/// The scores of each window of a rolling origin.
pub(super) fn windows(assessment: &Assessment) -> Option<Section> {
    let headline = assessment.headline;
    let numbered = || assessment.origins.iter().zip(1..);
    let names: Vec<String> = numbered().map(|(window, ix)| format!("{ix} ({})", window.n)).collect();
    let names = names.iter().map(String::as_str);
    let header: Vec<&str> = std::iter::once("").chain(names).chain(["all"]).collect();
    let mut section = Section::table(format!("{} by window (queries)", title_of(headline)), &header);
    for (place, all) in predictors(assessment).enumerate() {
        let score = |arm: &ArmReport| optional(arm.scores.get(headline));
        let windows = assessment.origins.iter().filter_map(|w| w.arms.iter().chain(&w.peers).nth(place));
        let cells = windows.chain([all]).map(score);
        section.rows.push(std::iter::once(all.name.to_owned()).chain(cells).collect());
    }
    for (window, ix) in numbered() {
        let (from, to) = (window.queries.from.date(), window.queries.to.date());
        let (history, users) =
            (window.history.map_or(0, |history| history.n), counted(window.users, "person", "people"));
        let fitted = window.fitted_on.map_or_else(String::new, |fitted| {
            format!(", constants fitted on {} to {}", fitted.from.date(), fitted.to.date())
        });
        section.notes.push(format!("{ix}: {from} to {to}, {users}, history {history}{fitted}"));
    }
    (!assessment.origins.is_empty()).then_some(section)
}

/// Mediated against each rival, window by window and over all of them.
pub(super) fn over_windows(assessment: &Assessment) -> Option<Section> {
    let metric = heading(assessment.headline);
    let header = ["against", "window", metric, "95 %", "won/lost", "p", "p (Holm)"];
    let mut section = Section::table("Mediated minus other, window by window", &header);
    for (rival, all) in assessment.paired.iter().enumerate() {
        let mut decisive = 0;
        let mut better = 0;
        let windows = assessment.origins.iter().filter_map(|window| window.paired.get(rival));
        let named = windows.enumerate().map(|(ix, paired)| ((ix + 1).to_string(), paired));
        for (window, paired) in named.chain([("all".to_owned(), all)]) {
            let ci = difference(paired, assessment.headline).map(|d| d.ci);
            section.rows.push(vec![
                paired.against.to_owned(),
                window.clone(),
                signed(paired.headline.value),
                signed_interval(ci),
                format!("{}/{}", paired.wins, paired.losses),
                p_value(paired.p),
                p_value(paired.p_holm),
            ]);
            section.chart.push(Bar {
                name: format!("{} · {window}", paired.against),
                value: paired.headline.value,
                ci,
            });
            if window != "all" && is_better(paired) {
                better += 1;
                decisive += usize::from(paired.p_holm < LEVEL);
            }
        }
        let of = assessment.origins.len();
        section.notes.push(format!(
            "better than {} in {better} of {of} windows, decisively in {decisive}; over all of them: {}",
            all.against,
            if all.p_holm >= LEVEL {
                "not decisive"
            } else if is_better(all) {
                "better"
            } else {
                "worse"
            },
        ));
    }
    section.notes.push("p (Holm): over a rival's windows; in rows 'all' over the rivals".to_owned());
    (!assessment.origins.is_empty() && !assessment.paired.is_empty()).then_some(section)
}

fn is_better(paired: &Paired) -> bool {
    let Headline { metric, value } = paired.headline;
    if metric.is_error() { value < 0.0 } else { value > 0.0 }
}

pub(super) fn paired_others(assessment: &Assessment) -> Option<Section> {
    let (metrics, header) = match assessment.headline {
        Metric::MeanAbsoluteError => (&[Metric::RootMeanSquareError][..], &["against", "RMSE", "95 %"][..]),
        _ => (
            &[Metric::MacroF1, Metric::LogLoss, Metric::Brier][..],
            &["against", "macro-F1", "95 %", "log-loss", "95 %", "Brier", "95 %"][..],
        ),
    };
    let mut section = Section::table("Mediated minus other, further metrics", header);
    for paired in &assessment.paired {
        let mut row = vec![paired.against.to_owned()];
        for metric in metrics {
            let difference = difference(paired, *metric);
            row.push(difference.map_or_else(|| "–".to_owned(), |d| signed(d.value)));
            row.push(signed_interval(difference.map(|d| d.ci)));
        }
        section.rows.push(row);
    }
    (!assessment.paired.is_empty()).then_some(section)
}

fn difference(paired: &Paired, wanted: Metric) -> Option<&Difference> {
    paired.difference.iter().find(|difference| difference.metric == wanted)
}

fn verdict(first: &str, paired: &Paired) -> String {
    let Headline { metric, value } = paired.headline;
    let (against, by) = (paired.against, points(metric, value.abs()));
    if paired.p_holm >= LEVEL {
        return format!("{first} and {against}: the difference is not decisive");
    }
    format!("{first} is {} than {against} by {by}", if is_better(paired) { "better" } else { "worse" })
}

pub(super) fn pooled(assessment: &Assessment) -> Option<Section> {
    let title = format!("Is mediated at most {} worse than a side?", points(assessment.headline, MARGIN));
    let metric = heading(assessment.headline);
    let header = ["against", "visible items", "queries", "people", metric, "95 %", "p", "p (Holm)", "detectable", ""];
    let mut section = Section::table(title, &header);
    let row = |test: &NonInferiority| {
        vec![
            test.against.to_owned(),
            test.bucket.name(),
            test.n.to_string(),
            test.users.to_string(),
            signed(test.headline.value),
            signed_interval(test.ci),
            p_value(test.p),
            p_value(test.p_holm),
            optional(test.detectable),
            if test.non_inferior { "yes" } else { "not shown" }.to_owned(),
        ]
    };
    section.rows.extend(assessment.pooled.iter().map(row));
    section.notes.push(format!(
        "p: one-sided sign-flip permutation by {} of the difference plus the margin; Holm over a side's buckets",
        assessment.resampled.singular()
    ));
    section.notes.extend(untold(assessment.pooled.iter().map(|test| (test.users, test.ci))));
    (!assessment.pooled.is_empty()).then_some(section)
}

/// Why a bucket has no interval, where one of `buckets`, each its people with their interval, has none for want of people.
fn untold(mut buckets: impl Iterator<Item = (usize, Option<Interval>)>) -> Option<String> {
    let few = buckets.any(|(people, ci)| people < FEW && ci.is_none());
    few.then(|| format!("in a bucket of fewer than {FEW} people there is no interval"))
}

/// Everything a comparison of two results has to say.
pub fn comparison(found: &Comparison) -> Vec<Section> {
    let side = |name: &str, side: &Side| {
        let (file, dataset, arm) = (visible(&side.file), visible(&side.dataset), visible(&side.arm));
        let (predictor, policy) = (visible(&side.predictor), visible(&side.policy));
        let embedder =
            side.embedder.as_deref().map(|name| format!(" · embedder {}", visible(name))).unwrap_or_default();
        format!("{name}: {arm} of {file} · {dataset} · predictor {predictor} · policy {policy}{embedder}")
    };
    let mut notes = vec![side("A", &found.a), side("B", &found.b)];
    let told = |value: &Value| match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => visible(text).into_owned(),
        value => visible(&value.to_string()).into_owned(),
    };
    let differing = found.differing.iter();
    notes.extend(differing.map(|d| format!("{}: A {}, B {}", visible(&d.setting), told(&d.a), told(&d.b))));
    let differ = match (&found.a.records_hash, &found.b.records_hash) {
        (Some(a), Some(b)) => (a != b).then_some("content"),
        _ => (found.a.dataset_hash != found.b.dataset_hash).then_some("content or settings"),
    };
    notes.extend(differ.map(|how| format!("the datasets differ in {how}; questions and right answers are the same")));
    let (n, users) = (counted(found.n, "query", "queries"), counted(found.users, "person", "people"));
    let head = Section::notes(format!("A minus B · {n} of {users}"), notes);

    let mut table = Section::table("Metrics", &["", "A", "B", "A − B", "95 %"]);
    for both in &found.metrics {
        let name = both.difference.metric.name().replace('_', " ");
        table.rows.push(vec![
            name.clone(),
            number(both.a),
            number(both.b),
            signed(both.difference.value),
            signed_interval(Some(both.difference.ci)),
        ]);
        table.chart.push(Bar { name, value: both.difference.value, ci: Some(both.difference.ci) });
    }
    table.notes.push(resampling(found.resampled, found.plan));

    let mut tests = Section::table("Tests", &["", "won/lost", "p", "p (McNemar)", "detectable"]);
    tests.rows.push(vec![
        heading(found.headline).to_owned(),
        format!("{}/{}", found.wins, found.losses),
        p_value(found.p),
        p_value(found.p_mcnemar),
        optional(found.detectable),
    ]);
    let by = found.metrics.first().map_or(0.0, |both| both.difference.value);
    tests.notes = vec![
        match (found.p < LEVEL, (by > 0.0) != found.headline.is_error()) {
            (false, _) => "A and B: the difference is not decisive".to_owned(),
            (true, true) => format!("A is better than B by {}", points(found.headline, by.abs())),
            (true, false) => format!("A is worse than B by {}", points(found.headline, by.abs())),
        },
        format!(
            "p: sign-flip permutation by {} ({}); McNemar takes queries as independent",
            found.resampled.singular(),
            found.plan.permutations
        ),
        "won/lost: only A right or nearer, only B; detectable: with 80 % power at 5 %".to_owned(),
    ];
    vec![head, table, tests]
}
