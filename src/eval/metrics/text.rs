//! Metrics of texts: their form judged as a label is, their length, and their words against the true ones.

use super::{Addend, LabelMeasures, Measures, Metric, Reliability};
use crate::eval::experiment::Answer;

/// Metrics of a `text` task: those of labels for the form, the error of the length, and ROUGE where a text was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextMeasures {
    /// Of the form.
    pub forms: LabelMeasures,
}

impl TextMeasures {
    /// Behind the sums of forms: rows with a length, their errors; rows with a text, their ROUGE-1 and ROUGE-L.
    const WIDTH: usize = 5;

    /// What one answer adds.
    pub fn row(&self, gold: usize, answer: &Answer) -> Vec<Addend> {
        let mut row = self.forms.row(gold, answer.decision, answer.distribution.as_deref());
        let at = self.forms.width();
        let written = answer.written.unwrap_or_default();
        row.extend(written.length_error.iter().flat_map(|error| [(at, 1.0), (at + 1, *error)]));
        let rouge = written.rouge.iter();
        row.extend(rouge.flat_map(|rouge| [(at + 2, 1.0), (at + 3, rouge.unigrams), (at + 4, rouge.longest)]));
        row
    }
}

impl Measures for TextMeasures {
    fn metrics(&self) -> &'static [Metric] {
        use Metric::*;
        &[Accuracy, BalancedAccuracy, MacroF1, LogLoss, Brier, CalibrationError, Entropy, LengthError, Rouge1, RougeL]
    }

    fn width(&self) -> usize {
        self.forms.width() + Self::WIDTH
    }

    fn value(&self, metric: Metric, sums: &[f64]) -> Option<f64> {
        let (forms, own) = sums.split_at(self.forms.width());
        let mean = |of: usize, sum: usize| (own[of] > 0.0).then(|| own[sum] / own[of]);
        match metric {
            Metric::LengthError => mean(0, 1),
            Metric::Rouge1 => mean(2, 3),
            Metric::RougeL => mean(2, 4),
            metric => self.forms.value(metric, forms),
        }
    }

    fn reliability(&self, sums: &[f64]) -> Option<Reliability> {
        self.forms.reliability(&sums[..self.forms.width()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::experiment::Compared;
    use crate::eval::metrics::add;
    use crate::eval::metrics::tests::close;
    use crate::eval::rouge::Rouge;

    #[test]
    fn texts_are_judged_by_form_by_length_and_by_words_each_where_there_is_one() {
        let measures = TextMeasures { forms: LabelMeasures { labels: 3 } };
        let mut sums = vec![0.0; measures.width()];
        assert!(measures.metrics().iter().all(|metric| measures.value(*metric, &sums).is_none()));
        let rouge = |unigrams, longest| Some(Rouge { unigrams, longest });
        for (decision, length_error, rouge) in
            [(0, Some(0.2), None), (1, Some(0.6), rouge(0.5, 0.25)), (0, None, rouge(1.0, 0.75))]
        {
            let written = Some(Compared { length_error, rouge });
            add(&mut sums, &measures.row(0, &Answer { written, ..Answer::named(decision) }));
        }
        let value = |metric| measures.value(metric, &sums);
        close(value(Metric::Accuracy), 2.0 / 3.0);
        close(value(Metric::LengthError), 0.4);
        close(value(Metric::Rouge1), 0.75);
        close(value(Metric::RougeL), 0.5);
        assert_eq!(value(Metric::LogLoss), None, "nobody gave probabilities");
    }
}
