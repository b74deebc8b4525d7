//! What each predictor did: where it comes from, its scores, buckets, overrides and disagreement.

use super::section::{Bar, Section, interval, number, optional, predictors, range, resampling, title_of};
use crate::data::sanitize::visible;
use crate::engine::prompt::Arm;
use crate::eval::assessment::{ArmReport, Assessment, Provenance};
use crate::eval::counted;
use crate::eval::metrics::Metric;
use crate::eval::split::Split;
use crate::mediator::Weight;

pub(super) fn provenance(assessment: &Assessment) -> Section {
    head(&assessment.provenance, assessment.n, assessment.users)
}

/// Where a result of `n` queries of `users` people comes from.
pub(super) fn head(p: &Provenance, n: usize, users: usize) -> Section {
    let acting = Weight::ALL.into_iter().filter(|weight| p.policy.ignores(*weight, p.task).is_none());
    // Only these two do not enter a decision of memory.
    let acting = acting.filter(|weight| !matches!(weight, Weight::ConflictThreshold | Weight::ModelTrust));
    // ω acts where a model answers.
    let trust = p.model.as_ref().map(|_| Weight::ModelTrust);
    let acting: Vec<Weight> = acting.chain(trust).collect();
    let weights = p.weights.map(|weights| {
        acting.iter().map(|weight| format!("{weight} {}", weights.get(*weight))).collect::<Vec<_>>().join(" · ")
    });
    let split = match p.split.split {
        Split::Judged => "judged queries of the dataset".to_owned(),
        Split::Share { share } => format!("interactions after the first {share} of them"),
        Split::Rolling { share, origins } => {
            format!("interactions after the first {share} of them in {origins} windows")
        }
    };
    let mut notes = vec![format!("queries: {split}, {}", range(p.split.queries))];
    if let Some(model) = &p.model {
        let (name, device, dtype) = (visible(&model.name), visible(&model.device), visible(&model.dtype));
        let hash = model.hash.get(..12).unwrap_or(&model.hash);
        let caveat = model.scores.caveat().map_or(String::new(), |caveat| format!(", {caveat}"));
        let asked = match model.writes {
            true => "writes a text on each arm",
            false => "scores the labels on each arm, fused with ω",
        };
        notes.push(format!("model: {name} ({hash}) on {device}, {dtype}{caveat}; {asked}"));
    }
    if let Some(sampled) = p.split.sampled {
        notes.push(format!("drawn by lot from {} queries, seed {}", sampled.of, sampled.seed));
    }
    if p.split.without_gold > 0 {
        notes.push(format!("left out for want of a gold answer: {}", p.split.without_gold));
    }
    notes.push(match p.split.history {
        Some(history) => format!("history before them: {}", range(history)),
        None => "history before them: none".to_owned(),
    });
    notes.push("each query is answered from interactions strictly before its own moment".to_owned());
    notes.push(match (p.split.fitted_on, weights.is_some()) {
        (Some(fitted), _) => format!("constants fitted on {}", range(fitted)),
        (None, true) => "weights: the dataset's and the command line's; nothing was fitted".to_owned(),
        (None, false) => "constants fitted at the start of each window on everything before it".to_owned(),
    });
    notes.extend(weights);
    let mut reading = format!("guard {} · embedder {}", p.guard, visible(&p.embedder));
    if p.gap_days > 0.0 {
        reading += &format!(" · the person's own items of the last {} days before a query are hidden", p.gap_days);
    }
    notes.push(reading);
    let title = format!(
        "{} · predictor {} · policy {} · {} of {}",
        visible(&p.dataset),
        p.predictor,
        p.policy,
        counted(n, "query", "queries"),
        counted(users, "person", "people")
    );
    Section::notes(title, notes)
}

pub(super) fn scores(assessment: &Assessment) -> Section {
    if assessment.headline == Metric::MeanAbsoluteError {
        return errors(assessment);
    }
    let header = ["", "accuracy", "95 %", "macro-F1", "95 %", "log-loss", "balanced", "Brier", "ECE", "entropy"];
    let mut section = Section::table("All queries", &header);
    for arm in predictors(assessment).chain(&assessment.parts) {
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
    section.chart = headline_bars(assessment);
    section.notes = vec![
        resampling(assessment.resampled, assessment.provenance.plan),
        "log-loss in nats; lower is better for log-loss, Brier and ECE; rare labels make macro-F1 unsteady".to_owned(),
        format!("entropy of the answered labels, 0 to 1; that of the right answers is {:.3}", assessment.gold_entropy),
    ];
    section
}

/// How texts are written, of a text task.
pub(super) fn writing(assessment: &Assessment) -> Option<Section> {
    use Metric::{LengthError, Rouge1, RougeL};
    let all = || predictors(assessment).chain(&assessment.parts);
    let any = |metric: Metric| all().any(|arm| arm.scores.get(metric).is_some());
    if !any(LengthError) {
        return None;
    }
    let mut section = Section::table("Length and words", &["", "length error", "95 %"]);
    section.notes = vec![
        "length error: mean |ln words − ln words of the right text|; .1 is about a tenth longer or shorter".to_owned(),
    ];
    let spoken = any(Rouge1);
    if spoken {
        section.rows[0].extend(["ROUGE-1", "95 %", "ROUGE-L", "95 %"].map(str::to_owned));
        section.notes.push(
            "ROUGE: F-measures of lower-case ASCII words without stemming, as LaMP computes them; memory alone writes \
             nothing"
                .to_owned(),
        );
    }
    for arm in all() {
        let cells = |metric: Metric| [optional(arm.scores.get(metric)), interval(arm.ci.get(metric))];
        let mut row = vec![arm.name.to_owned()];
        row.extend(cells(LengthError));
        if spoken {
            row.extend(cells(Rouge1).into_iter().chain(cells(RougeL)));
        }
        section.rows.push(row);
    }
    Some(section)
}

/// The headline metric of every predictor.
fn headline_bars(assessment: &Assessment) -> Vec<Bar> {
    let headline = assessment.headline;
    let bar = |arm: &ArmReport| {
        Some(Bar { name: arm.name.to_owned(), value: arm.scores.get(headline)?, ci: arm.ci.get(headline) })
    };
    predictors(assessment).filter_map(bar).collect()
}

/// The scores of a rating task.
fn errors(assessment: &Assessment) -> Section {
    let mut section = Section::table("All queries", &["", "MAE", "95 %", "RMSE", "95 %"]);
    for arm in predictors(assessment).chain(&assessment.parts) {
        let (mae, rmse) = (Metric::MeanAbsoluteError, Metric::RootMeanSquareError);
        section.rows.push(vec![
            arm.name.to_owned(),
            optional(arm.scores.get(mae)),
            interval(arm.ci.get(mae)),
            optional(arm.scores.get(rmse)),
            interval(arm.ci.get(rmse)),
        ]);
    }
    section.chart = headline_bars(assessment);
    section.notes = vec![
        resampling(assessment.resampled, assessment.provenance.plan),
        "MAE is of the median, RMSE of the mean; a peer predicts one number for both; lower is better".to_owned(),
    ];
    section
}

pub(super) fn buckets(assessment: &Assessment) -> Section {
    let coarse = |arm: &ArmReport| if arm.pooled.is_empty() { arm.buckets.clone() } else { arm.pooled.clone() };
    let first = predictors(assessment).next().map(coarse).unwrap_or_default();
    let names: Vec<String> = first.iter().map(|b| format!("{} ({})", b.bucket.name(), b.n)).collect();
    let header: Vec<&str> = std::iter::once("").chain(names.iter().map(String::as_str)).collect();
    let title = format!("{} by visible items of the person (queries)", title_of(assessment.headline));
    let mut section = Section::table(title, &header);
    for arm in predictors(assessment) {
        let buckets = coarse(arm);
        let cells = buckets.iter().map(|bucket| optional(bucket.scores.get(assessment.headline)));
        section.rows.push(std::iter::once(arm.name.to_owned()).chain(cells).collect());
    }
    section.notes.push("buckets confound the size of a history with the kind of person who has one".to_owned());
    section
}

pub(super) fn overrides(assessment: &Assessment) -> Option<Section> {
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

pub(super) fn disagreement(assessment: &Assessment) -> Option<Section> {
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

pub(super) fn signs(assessment: &Assessment) -> Option<Section> {
    let signs = assessment.signs.as_ref().filter(|signs| !signs.arms.is_empty())?;
    let header = ["", "too local", "contested", "as the others", "too global", "changes of side", "oscillating people"];
    let mut section = Section::table("Signs of failure", &header);
    for arm in &signs.arms {
        // Left out is the mediator's evidence: of a side by itself there is nothing to hold the answer against.
        let too_local = if arm.arm == Arm::Mediated { signs.too_local.to_string() } else { "-".to_owned() };
        section.rows.push(vec![
            arm.arm.name().to_owned(),
            too_local,
            signs.contested.to_string(),
            arm.collective.to_string(),
            if arm.too_global { "yes" } else { "no" }.to_owned(),
            arm.changes.to_string(),
            arm.oscillating.to_string(),
        ]);
    }
    section.notes = vec![
        "too local: by the rules, against what the others prefer, and without one of several own items it is another"
            .to_owned(),
        format!(
            "contested: the sides' first choices differ, asked by {}; too global: nine in ten as the others",
            counted(signs.people, "person", "people")
        ),
        "changes of side: from one question of a person to their next, while what both sides say hardly moves"
            .to_owned(),
    ];
    Some(section)
}
