//! An assessment in sections for reading: a title, a table, and notes that say how to read it.

use crate::data::sanitize::visible;
use crate::engine::prompt::Arm;
use crate::eval::ablate::Ablated;
use crate::eval::assessment::{ArmReport, Assessment, Difference, Headline, LEVEL, MARGIN, NonInferiority, Paired};
use crate::eval::metrics::Metric;
use crate::eval::split::{Range, Split};
use crate::eval::stats::Interval;
use crate::mediator::{Policy, Weight};

/// One part of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub title: String,
    /// The header and the rows, all of one length; empty without a table.
    pub rows: Vec<Vec<String>>,
    /// How to read it.
    pub notes: Vec<String>,
}

impl Section {
    fn table(title: impl Into<String>, header: &[&str]) -> Self {
        Self {
            title: title.into(),
            rows: vec![header.iter().map(|cell| (*cell).to_owned()).collect()],
            notes: Vec::new(),
        }
    }
}

/// Everything `assessment` has to say, in order of reading.
pub fn sections(assessment: &Assessment) -> Vec<Section> {
    let parts = [
        Some(provenance(assessment)),
        Some(scores(assessment)),
        Some(buckets(assessment)),
        overrides(assessment),
        disagreement(assessment),
        gain(assessment),
        paired(assessment),
        paired_others(assessment),
        pooled(assessment),
    ];
    parts.into_iter().flatten().collect()
}

/// A table of ablations, the first being everything. `fitted_on` is the time that exponents were fitted on.
pub fn ablation(dataset: &str, ablated: &[Ablated], queries: Range, fitted_on: Option<Range>) -> Section {
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
        fitted_on.map_or_else(
            || "exponents: the dataset's in every row; nothing was fitted".to_owned(),
            |fitted| format!("exponents fitted in every row on {}", range(fitted)),
        ),
        "p: sign-flip permutation by person of right answers; Holm over the rows".to_owned(),
    ];
    section
}

fn predictors(assessment: &Assessment) -> impl Iterator<Item = &ArmReport> {
    assessment.arms.iter().chain(&assessment.peers)
}

fn number(x: f64) -> String {
    format!("{x:.3}")
}

fn optional(x: Option<f64>) -> String {
    x.map_or_else(|| "–".to_owned(), number)
}

fn signed(x: f64) -> String {
    format!("{x:+.3}")
}

fn interval(ci: Option<Interval>) -> String {
    ci.map_or_else(String::new, |ci| format!("[{:.3}, {:.3}]", ci.low, ci.high))
}

fn signed_interval(ci: Option<Interval>) -> String {
    ci.map_or_else(String::new, |ci| format!("[{:+.3}, {:+.3}]", ci.low, ci.high))
}

fn p_value(p: f64) -> String {
    if p < 0.001 { "< .001".to_owned() } else { number(p) }
}

/// A difference of the headline metric in words. Points of accuracy are hundredths.
fn points(metric: Metric, x: f64) -> String {
    match metric {
        Metric::Accuracy => format!("{:.1} points", 100.0 * x),
        _ => format!("{x:.3} of a score"),
    }
}

/// The headline metric, as a heading shows it.
fn heading(metric: Metric) -> &'static str {
    match metric {
        Metric::MeanAbsoluteError => "MAE",
        metric => metric.name(),
    }
}

fn range(range: Range) -> String {
    format!("{} from {} to {}", range.n, range.from.date(), range.to.date())
}

fn provenance(assessment: &Assessment) -> Section {
    let p = &assessment.provenance;
    let policy = p.policy.rule();
    let acting = Weight::ALL.into_iter().filter(|weight| policy.ignores(*weight).is_none());
    // Only these two do not enter a decision of memory.
    let acting = acting.filter(|weight| !matches!(weight, Weight::ConflictThreshold | Weight::ModelTrust));
    let weights: Vec<String> = acting.map(|weight| format!("{weight} {}", p.weights.get(weight))).collect();
    let split = match p.split.split {
        Split::Judged => "judged queries of the dataset".to_owned(),
        Split::Share { share } => format!("interactions after the first {share} of them"),
    };
    let mut notes = vec![format!("queries: {split}, {}", range(p.split.queries))];
    if p.split.without_gold > 0 {
        notes.push(format!("left out for want of a gold answer: {}", p.split.without_gold));
    }
    notes.push(match p.split.history {
        Some(history) => format!("history before them: {}", range(history)),
        None => "history before them: none".to_owned(),
    });
    notes.push("each query is answered from interactions strictly before its own moment".to_owned());
    notes.push(match p.split.fitted_on {
        Some(fitted) => format!("constants fitted on {}", range(fitted)),
        None => "weights: the dataset's and the command line's; nothing was fitted".to_owned(),
    });
    notes.push(weights.join(" · "));
    let mut reading = format!("guard {}", p.guard);
    if p.gap_days > 0.0 {
        reading += &format!(" · the person's own items of the last {} days before a query are hidden", p.gap_days);
    }
    notes.push(reading);
    let n = assessment.n;
    let title = format!(
        "{} · predictor {} · policy {} · {n} queries of {} people",
        visible(&p.dataset),
        p.predictor,
        p.policy,
        assessment.users
    );
    Section { title, rows: Vec::new(), notes }
}

fn scores(assessment: &Assessment) -> Section {
    if assessment.headline == Metric::MeanAbsoluteError {
        return errors(assessment);
    }
    let header = ["", "accuracy", "95 %", "macro-F1", "95 %", "log-loss", "balanced", "Brier", "ECE", "entropy"];
    let mut section = Section::table("All queries", &header);
    for arm in predictors(assessment) {
        let score = |metric| optional(arm.scores.get(metric));
        section.rows.push(vec![
            arm.name.to_owned(),
            score(Metric::Accuracy),
            interval(arm.ci.get(Metric::Accuracy)),
            score(Metric::MacroF1),
            interval(arm.ci.get(Metric::MacroF1)),
            score(Metric::LogLoss),
            score(Metric::BalancedAccuracy),
            score(Metric::Brier),
            score(Metric::CalibrationError),
            score(Metric::Entropy),
        ]);
    }
    section.notes = vec![
        format!("95 %: percentile bootstrap of people, {} resamples", assessment.provenance.plan.resamples),
        "log-loss in nats; lower is better for log-loss, Brier and ECE (10 bins); rare labels make macro-F1 unsteady"
            .to_owned(),
        format!("entropy of the answered labels, 0 to 1; that of the right answers is {:.3}", assessment.gold_entropy),
    ];
    section
}

/// The scores of a rating task.
fn errors(assessment: &Assessment) -> Section {
    let mut section = Section::table("All queries", &["", "MAE", "95 %", "RMSE", "95 %"]);
    for arm in predictors(assessment) {
        let (mae, rmse) = (Metric::MeanAbsoluteError, Metric::RootMeanSquareError);
        section.rows.push(vec![
            arm.name.to_owned(),
            optional(arm.scores.get(mae)),
            interval(arm.ci.get(mae)),
            optional(arm.scores.get(rmse)),
            interval(arm.ci.get(rmse)),
        ]);
    }
    section.notes = vec![
        format!("95 %: percentile bootstrap of people, {} resamples", assessment.provenance.plan.resamples),
        "MAE is of the median, RMSE of the mean; a peer predicts one number for both; lower is better".to_owned(),
    ];
    section
}

fn buckets(assessment: &Assessment) -> Section {
    let coarse = |arm: &ArmReport| if arm.pooled.is_empty() { arm.buckets.clone() } else { arm.pooled.clone() };
    let first = predictors(assessment).next().map(coarse).unwrap_or_default();
    let names: Vec<String> = first.iter().map(|b| format!("{} ({})", b.bucket.name(), b.n)).collect();
    let header: Vec<&str> = std::iter::once("").chain(names.iter().map(String::as_str)).collect();
    let title = match assessment.headline {
        Metric::Accuracy => "Accuracy by visible items of the person (queries)".to_owned(),
        metric => format!("{} by visible items of the person (queries)", heading(metric)),
    };
    let mut section = Section::table(title, &header);
    for arm in predictors(assessment) {
        let buckets = coarse(arm);
        let cells = buckets.iter().map(|bucket| optional(bucket.scores.get(assessment.headline)));
        section.rows.push(std::iter::once(arm.name.to_owned()).chain(cells).collect());
    }
    section.notes.push("buckets confound the size of a history with the kind of person who has one".to_owned());
    section
}

fn overrides(assessment: &Assessment) -> Option<Section> {
    if let Some(o) = assessment.nearer {
        let mut section = Section::table("Overrides", &["", "queries"]);
        let rows =
            [("nearer than local (rescued)", o.rescued), ("farther (suppressed)", o.suppressed), ("as far", o.even)];
        section.rows.extend(rows.map(|(name, n)| vec![name.to_owned(), n.to_string()]));
        section.notes.push(format!("the mediated median is another than local's {} times", o.overridden));
        return Some(section);
    }
    let o = assessment.overrides?;
    let mut section = Section::table("Overrides", &["", "mediated right", "mediated wrong"]);
    for (name, right, wrong) in [
        ("local right", o.local_right_mediated_right, o.local_right_mediated_wrong),
        ("local wrong", o.local_wrong_mediated_right, o.local_wrong_mediated_wrong),
    ] {
        section.rows.push(vec![name.to_owned(), right.to_string(), wrong.to_string()]);
    }
    section.notes.push(format!(
        "the mediator chose against local {} times: rescued {}, suppressed {}",
        o.overridden, o.rescued, o.suppressed
    ));
    Some(section)
}

fn disagreement(assessment: &Assessment) -> Option<Section> {
    let d = assessment.disagreement.as_ref()?;
    let (what, there) = match assessment.headline {
        Metric::MeanAbsoluteError => ("MAE", &d.mae),
        _ => ("right", &d.right),
    };
    let mut section =
        Section::table(format!("Where local and global choose differently: {} ({:.3})", d.n, d.share), &["", what]);
    let rows = predictors(assessment).filter_map(|arm| Some((arm.name, there.get(arm.name)?)));
    section.rows.extend(rows.map(|(name, right)| vec![name.to_owned(), number(*right)]));
    Some(section)
}

fn gain(assessment: &Assessment) -> Option<Section> {
    let header = ["visible items", "queries", "local", "mediated", "gain", "ceiling"];
    let mut section = Section::table("Gain over local in a cold start", &header);
    for gain in &assessment.gain {
        section.rows.push(vec![
            gain.bucket.name(),
            gain.n.to_string(),
            number(gain.local),
            number(gain.mediated),
            gain.relative.map_or_else(|| "–".to_owned(), |gain| format!("{:+.1} %", 100.0 * gain)),
            optional(gain.ceiling),
        ]);
    }
    section.notes = vec![
        match assessment.headline {
            Metric::MeanAbsoluteError => "MAE; gain is (mediated − local)/local, below 0 where mediated is better",
            _ => "gain is (mediated − local)/local; at 0 items local answers with the base rate",
        }
        .to_owned(),
        match assessment.headline {
            Metric::MeanAbsoluteError => "at 0 items local answers with the base rate; ceiling: MAE of the nearer side",
            _ => "ceiling: share of queries where local or global is right",
        }
        .to_owned(),
    ];
    (!assessment.gain.is_empty()).then_some(section)
}

fn paired(assessment: &Assessment) -> Option<Section> {
    let metric = heading(assessment.headline);
    let header = ["against", metric, "95 %", "won/lost", "p", "p (Holm)", "p (McNemar)", "detectable"];
    let mut section = Section::table("Mediated minus other, same queries", &header);
    for paired in &assessment.paired {
        section.rows.push(vec![
            paired.against.to_owned(),
            signed(paired.headline.value),
            signed_interval(difference(paired, assessment.headline).map(|d| d.ci)),
            format!("{}/{}", paired.wins, paired.losses),
            p_value(paired.p),
            p_value(paired.p_holm),
            p_value(paired.p_mcnemar),
            optional(paired.detectable),
        ]);
    }
    section.notes = assessment.paired.iter().map(verdict).collect();
    section.notes.extend([
        format!(
            "p: sign-flip permutation by person ({}); Holm over these rows; McNemar takes queries as independent",
            assessment.provenance.plan.permutations
        ),
        "detectable: a true difference that these people would show with 80 % power at 5 %".to_owned(),
    ]);
    (!assessment.paired.is_empty()).then_some(section)
}

fn paired_others(assessment: &Assessment) -> Option<Section> {
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

fn verdict(paired: &Paired) -> String {
    let Headline { metric, value } = paired.headline;
    let (against, by) = (paired.against, points(metric, value.abs()));
    if paired.p_holm >= LEVEL {
        return format!("{} and {against}: the difference is not decisive", Arm::Mediated.name());
    }
    let which = if (value > 0.0) != metric.is_error() { "better" } else { "worse" };
    format!("{} is {which} than {against} by {by}", Arm::Mediated.name())
}

fn pooled(assessment: &Assessment) -> Option<Section> {
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
    section.notes.push(
        "p: one-sided sign-flip permutation by person of the difference plus the margin; Holm over a side's buckets"
            .to_owned(),
    );
    (!assessment.pooled.is_empty()).then_some(section)
}
