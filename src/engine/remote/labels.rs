//! Probabilities of labels from the few most probable tokens that a server reports at each position.
//!
//! The rule, for labels y and reported tokens t with probabilities p(t), k of them:
//! * A token that is a whole label gives it p(t). White space before the first word is no difference. An answer is the
//!   longest label that it begins with: what leads from a label on to a longer one is taken from the former.
//! * A token that begins labels leads on: the server is asked once more with that token added to the prompt, and what is
//!   found there counts times p(t). The most probable beginnings are followed, [`MOST_FOLLOWED`] of a question at most.
//! * A beginning that is not followed is divided equally among the labels that begin with it, itself among them where it
//!   is one: among those that were not reported otherwise, if there are such.
//! * The n labels that nothing reported leads to get the most that each can have: the least of the reported
//!   probabilities, and no more than 1/n of what these leave over.
//!
//! So probabilities of labels are exact where each is one token and among those reported; else they are estimates, and
//! an engine that scores like this says so ([`ScoreKind::Approximate`](crate::engine::engine::ScoreKind)).
//!
//! Invariant: the result has one finite number, at most 0, for each label.

/// Beginnings of labels that are followed in one question.
const MOST_FOLLOWED: usize = 8;
/// A beginning less probable than this is not worth a request.
const WORTH_ASKING: f64 = 1e-3;
/// No label is less probable than this: a finite number where a server leaves nothing over.
const LEAST: f64 = 1e-9;

/// The most probable tokens at one position: their texts with their probabilities.
pub(super) type Tops = Vec<(String, f64)>;

/// The beginning of labels.
#[derive(Debug, Clone, PartialEq)]
struct Beginning {
    text: String,
    p: f64,
    /// The longest label that it begins with, which has p until a longer one is found.
    within: Option<usize>,
}

/// Labels on their way to their probabilities.
pub(super) struct Scoring<'a> {
    labels: Vec<&'a str>,
    found: Vec<f64>,
    /// Whether a reported token was the whole of it, though what was found may all have gone to a longer one.
    reported: Vec<bool>,
    open: Vec<Beginning>,
    followed: usize,
    /// Whether more may be asked.
    follows: bool,
    /// The least of the probabilities reported at the first position, and what they leave over.
    least: f64,
    left: f64,
}

impl<'a> Scoring<'a> {
    /// Begins with what was reported at the first position. Where nothing `follows`, beginnings are divided at once.
    pub(super) fn new(labels: &'a [String], tops: &Tops, follows: bool) -> Self {
        let total: f64 = tops.iter().map(|(_, p)| p).sum();
        let mut scoring = Self {
            labels: labels.iter().map(|label| label.trim_start()).collect(),
            found: vec![0.0; labels.len()],
            reported: vec![false; labels.len()],
            open: Vec::new(),
            followed: 0,
            follows,
            least: tops.iter().map(|(_, p)| *p).fold(1.0, f64::min),
            left: (1.0 - total).max(0.0),
        };
        scoring.take(&Beginning { text: String::new(), p: 1.0, within: None }, tops);
        scoring
    }

    /// What to add to the prompt to learn more; `None` when that is worth no request any more.
    pub(super) fn next(&self) -> Option<&str> {
        let likeliest =
            self.open.iter().max_by(|a, b| a.p.total_cmp(&b.p)).filter(|beginning| beginning.p >= WORTH_ASKING);
        likeliest.filter(|_| self.follows && self.followed < MOST_FOLLOWED).map(|beginning| beginning.text.as_str())
    }

    /// What was reported after the text that [`next`](Self::next) named.
    pub(super) fn follow(&mut self, text: &str, tops: &Tops) {
        self.followed += 1;
        let (asked, open) = std::mem::take(&mut self.open).into_iter().partition(|beginning| beginning.text == text);
        self.open = open;
        let asked: Vec<Beginning> = asked;
        asked.iter().for_each(|beginning| self.take(beginning, tops));
    }

    fn take(&mut self, beginning: &Beginning, tops: &Tops) {
        for (token, p) in tops.iter().filter(|(token, _)| !token.is_empty()) {
            let text = format!("{}{token}", beginning.text);
            let p = beginning.p * p;
            let said = text.trim_start();
            let named = self.labels.iter().position(|label| *label == said);
            if named.is_some() {
                for at in (0..self.labels.len()).filter(|at| self.labels[*at] == said) {
                    self.found[at] += p;
                    self.reported[at] = true;
                }
                beginning.within.into_iter().for_each(|shorter| self.found[shorter] -= p);
            }
            if self.labels.iter().any(|label| begins(label, said)) {
                let within = named.or(beginning.within);
                match self.open.iter_mut().find(|open| open.text == text && open.within == within) {
                    Some(open) => open.p += p,
                    None => self.open.push(Beginning { text, p, within }),
                }
            }
        }
    }

    /// Natural log of the probability of each label, in their order.
    pub(super) fn finish(mut self) -> Vec<f64> {
        for beginning in std::mem::take(&mut self.open) {
            let said = beginning.text.trim_start();
            let longer: Vec<usize> = (0..self.labels.len()).filter(|at| begins(self.labels[*at], said)).collect();
            let silent: Vec<usize> = longer.iter().copied().filter(|at| !self.reported[*at]).collect();
            let to = match beginning.within {
                None if silent.is_empty() => longer,
                _ => silent,
            };
            let share = beginning.p / (to.len() + usize::from(beginning.within.is_some())).max(1) as f64;
            beginning.within.into_iter().for_each(|shorter| self.found[shorter] -= share * to.len() as f64);
            to.iter().for_each(|at| self.found[*at] += share);
        }
        let labels = || self.found.iter().copied().zip(&self.reported);
        let missing = labels().filter(|(p, reported)| *p <= 0.0 && !**reported).count().max(1) as f64;
        let most = self.least.min(self.left / missing);
        labels().map(|(p, reported)| if p > 0.0 || *reported { p } else { most }.clamp(LEAST, 1.0).ln()).collect()
    }
}

/// Whether `said` is the beginning of a label, and not all of it.
fn begins(label: &str, said: &str) -> bool {
    label.len() > said.len() && label.starts_with(said)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn tops(of: &[(&str, f64)]) -> Tops {
        of.iter().map(|(token, p)| ((*token).to_owned(), *p)).collect()
    }

    fn exponentials(logs: Vec<f64>) -> Vec<f64> {
        logs.into_iter().map(|log| (log.exp() * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn whole_labels_are_read_and_spaces_before_them_are_no_difference() {
        let labels = labels(&[" noir", "comedy"]);
        let scoring = Scoring::new(&labels, &tops(&[(" noir", 0.5), ("noir", 0.1), ("comedy", 0.2), ("x", 0.1)]), true);
        assert_eq!(scoring.next(), None);
        assert_eq!(exponentials(scoring.finish()), [0.6, 0.2]);
    }

    #[test]
    fn beginnings_are_followed_from_the_likeliest_on() {
        let labels = labels(&["dark comedy", "dark", "drama"]);
        let mut scoring = Scoring::new(&labels, &tops(&[("dark", 0.4), ("d", 0.5), (" ", 0.05)]), true);
        assert_eq!(scoring.next(), Some("d"));
        scoring.follow("d", &tops(&[("rama", 0.8), ("ark", 0.2)]));
        assert_eq!(scoring.next(), Some("dark"), "now at .5, together with what began otherwise");
        scoring.follow("dark", &tops(&[(" comedy", 0.5), ("\n", 0.4)]));
        assert_eq!(scoring.next(), Some(" "));
        scoring.follow(" ", &tops(&[("drama", 1.0)]));
        assert_eq!(scoring.next(), None);
        assert_eq!(exponentials(scoring.finish()), [0.25, 0.25, 0.45], "dark comedy is not dark as well");
    }

    #[test]
    fn a_label_that_begins_another_shares_only_what_nothing_else_tells() {
        let scale = labels(&["1", "2", "3", "10"]);
        let told = tops(&[("1", 0.9), ("2", 0.05), ("10", 0.03), ("3", 0.01)]);
        let scoring = Scoring::new(&scale, &told, false);
        assert_eq!(exponentials(scoring.finish()), [0.9, 0.05, 0.01, 0.03], "10 has a token of its own");
        let names = labels(&["dark", "dark comedy", "noir"]);
        let scoring = Scoring::new(&names, &tops(&[("dark", 0.8), ("noir", 0.1)]), false);
        assert_eq!(exponentials(scoring.finish()), [0.4, 0.4, 0.1]);
    }

    #[test]
    fn a_label_that_lost_all_to_a_longer_one_has_nothing() {
        let names = labels(&["dark", "dark comedy", "noir", "drama"]);
        let mut scoring = Scoring::new(&names, &tops(&[("dark", 0.9), ("noir", 0.05)]), true);
        assert_eq!(scoring.next(), Some("dark"));
        scoring.follow("dark", &tops(&[(" comedy", 1.0)]));
        assert_eq!(exponentials(scoring.finish()), [0.0, 0.9, 0.05, 0.05], "only drama was led to by nothing");
    }

    #[test]
    fn what_is_not_followed_is_divided_and_what_is_not_reported_gets_the_most_it_can_have() {
        let names = labels(&["sci-fi", "science", "noir", "comedy", "x"]);
        let scoring = Scoring::new(&names, &tops(&[("sci", 0.6), ("noir", 0.1)]), false);
        assert_eq!(scoring.next(), None);
        assert_eq!(exponentials(scoring.finish()), [0.3, 0.3, 0.1, 0.1, 0.1], "the least reported");
        let scoring = Scoring::new(&names, &tops(&[("noir", 0.6), ("sci", 0.34)]), false);
        assert_eq!(exponentials(scoring.finish()), [0.17, 0.17, 0.6, 0.03, 0.03], "what is left, in equal parts");
        let none = Scoring::new(&names, &tops(&[("q", 1.0)]), false);
        assert_eq!(exponentials(none.finish()), [0.0; 5]);
    }

    #[test]
    fn a_question_is_followed_so_far_and_no_further() {
        let labels = labels(&["aaaaaaaaaaaaaaaaaaaaaaaa"]);
        let mut scoring = Scoring::new(&labels, &tops(&[("a", 0.9)]), true);
        let mut asked = 0;
        while let Some(text) = scoring.next().map(str::to_owned) {
            asked += 1;
            scoring.follow(&text, &tops(&[("a", 0.9)]));
        }
        assert_eq!(asked, MOST_FOLLOWED);
        assert!(scoring.finish()[0].is_finite());
    }

    proptest! {
        #[test]
        fn every_label_gets_a_finite_number_at_most_0(
            names in prop::collection::vec("[ab ]{0,4}", 0..6),
            reported in prop::collection::vec(("[ab ]{0,3}", 0.0f64..=1.0), 0..6),
            follows: bool,
        ) {
            let total: f64 = reported.iter().map(|(_, p)| p).sum::<f64>().max(1.0);
            let tops: Tops = reported.iter().map(|(token, p)| (token.clone(), p / total)).collect();
            let mut scoring = Scoring::new(&names, &tops, follows);
            while let Some(text) = scoring.next().map(str::to_owned) {
                scoring.follow(&text, &tops);
            }
            let scores = scoring.finish();
            prop_assert_eq!(scores.len(), names.len());
            prop_assert!(scores.iter().all(|score| score.is_finite() && *score <= 0.0), "{:?}", scores);
            let said: std::collections::HashSet<_> = names.iter().map(|name| name.trim_start()).collect();
            if said.len() == names.len() {
                prop_assert!(scores.iter().map(|score| score.exp()).sum::<f64>() <= 1.0 + 1e-6, "{:?}", scores);
            }
        }
    }
}
