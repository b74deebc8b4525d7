//! How far a predictor's probabilities hold: Brier score and calibration error with their intervals, and the table behind
//! the latter, bin by bin.

use super::section::{Curve, Section, interval, number, optional, predictors};
use crate::eval::assessment::{ArmReport, Assessment};
use crate::eval::metrics::{BINS, Bin, Metric, Reliability};

/// Heights of a curve in text, from 0 to 1.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A bin without answers.
const EMPTY: char = '·';

/// The scores, with a curve.
pub(super) fn scores(assessment: &Assessment) -> Option<Section> {
    let header = ["", "Brier", "95 %", "ECE", "95 %", "by chance", "right by bin"];
    let mut section = Section::table("How far probabilities hold", &header);
    for (arm, reliability) in judged(assessment) {
        let [brier, error] = [Metric::Brier, Metric::CalibrationError];
        section.rows.push(vec![
            arm.name.to_owned(),
            optional(arm.scores.get(brier)),
            interval(arm.ci.get(brier)),
            optional(arm.scores.get(error)),
            interval(arm.ci.get(error)),
            number(reliability.by_chance),
            sketch(&reliability.bins),
        ]);
        let points = reliability.bins.iter().map(|bin| (bin.confidence, bin.accuracy, bin.n)).collect();
        section.curves.push(Curve { name: arm.name.to_owned(), points });
    }
    section.notes = vec![
        "Brier: squared error over all labels, 0 to 2; ECE: how far accuracy is from the mean probability of the answer, \
         over bins of it"
            .to_owned(),
        "noise can only add to the ECE, so its interval is mirrored at it; by chance: what right probabilities would have"
            .to_owned(),
        "right by bin: accuracy where the answer has a probability of at most .1, .2 … 1; even steps upwards are perfect"
            .to_owned(),
    ];
    (section.rows.len() > 1).then_some(section)
}

/// The table behind them.
pub(super) fn bins(assessment: &Assessment) -> Option<Section> {
    let all = || judged(assessment).flat_map(|(_, reliability)| &reliability.bins);
    let (first, last) = all().map(place).fold((BINS, 0), |(low, high), at| (low.min(at), high.max(at)));
    let edge = |bin: usize| bin as f64 / BINS as f64;
    let names: Vec<String> = (first..=last).map(|bin| format!("{:.1}–{:.1}", edge(bin), edge(bin + 1))).collect();
    let header: Vec<&str> = std::iter::once("").chain(names.iter().map(String::as_str)).collect();
    let mut section = Section::table("Accuracy by the probability of the answer (answers)", &header);
    for (arm, reliability) in judged(assessment) {
        let cell = |at: usize| {
            let bin = reliability.bins.iter().find(|bin| place(bin) == at);
            bin.map_or("–".to_owned(), |bin| format!("{:.2} ({})", bin.accuracy, bin.n))
        };
        section.rows.push(std::iter::once(arm.name.to_owned()).chain((first..=last).map(cell)).collect());
    }
    section.notes.push("each bin holds its upper end; few answers make a bin unsteady".to_owned());
    (section.rows.len() > 1).then_some(section)
}

fn judged(assessment: &Assessment) -> impl Iterator<Item = (&ArmReport, &Reliability)> {
    let all = predictors(assessment).chain(&assessment.parts);
    all.filter_map(|arm| Some((arm, arm.reliability.as_ref()?)))
}

/// Which bin it is, from 0.
fn place(bin: &Bin) -> usize {
    (bin.from * BINS as f64).round() as usize
}

/// A character a bin, as high as its accuracy.
fn sketch(bins: &[Bin]) -> String {
    let mut drawn = [EMPTY; BINS];
    for bin in bins {
        let height = (bin.accuracy * (HEIGHTS.len() - 1) as f64).round() as usize;
        if let (Some(cell), Some(height)) = (drawn.get_mut(place(bin)), HEIGHTS.get(height)) {
            *cell = *height;
        }
    }
    drawn.iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_is_as_high_as_accuracy_and_leaves_empty_bins_out() {
        let bin = |at: f64, accuracy| Bin { from: at / 10.0, to: (at + 1.0) / 10.0, n: 3, confidence: 0.0, accuracy };
        assert_eq!(sketch(&[bin(2.0, 0.0), bin(7.0, 0.5), bin(9.0, 1.0)]), "··▁····▅·█");
        assert_eq!(sketch(&[]), "··········");
    }
}
