//! Judging: what predictors answered becomes an [`Assessment`].
//!
//! Intervals and tests go by person throughout, or by question where people are too few, see [`Unit`]; every comparison is
//! of the same questions.

mod pairs;
mod sides;

use std::collections::BTreeSet;

pub use pairs::correct_over_windows;
use sides::{nearer, overrides};

use super::EVEN;
use super::assessment::{ArmReport, Assessment, BucketReport, Headline, Intervals, Paired, Provenance, Scores, Window};
use super::bucket::{Bucket, FINE, POOLED_RATINGS};
use super::experiment::Answer;
use super::metrics::{Addend, Measures, Metric, TaskMeasures};
use super::split::{Asked, Question, Range};
use super::stats::{Interval, Plan, Table, Unit, intervals};
use crate::data::interaction::UserId;
use crate::engine::prompt::Arm;
use crate::mediator::Weights;
use crate::mediator::distribution::normalised_entropy;

/// A predictor with its answers to all questions.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// An arm's name, or a peer's.
    pub name: &'static str,
    /// In order of the questions.
    pub answers: Vec<Answer>,
}

/// Everything that is judged.
pub struct Material<'a> {
    /// The questions.
    pub questions: &'a [Question<'a>],
    /// The observation that each question is part of.
    pub units: Vec<usize>,
    /// The asking person's visible items, one number a question.
    pub visible: &'a [usize],
    /// Arms asked for.
    pub arms: &'a [Contestant],
    /// Peers, if any.
    pub peers: &'a [Contestant],
    /// Where a model answered, what each arm's answers were fused of: `(arm, part)`.
    pub parts: &'a [(&'static str, Contestant)],
    /// How answers are judged.
    pub measures: TaskMeasures,
}

/// A contestant with its rows ready to be summed.
struct Judged<'a> {
    contestant: &'a Contestant,
    rows: Vec<Vec<Addend>>,
    /// Each row's part in the headline metric.
    headline: Vec<f64>,
    /// 1 where more of that is better, −1 where less is.
    sign: f64,
}

impl Judged<'_> {
    /// How much better than `other` a row is.
    fn gained(&self, other: &Judged, row: usize) -> f64 {
        self.sign * (self.headline[row] - other.headline[row])
    }

    /// Rows that are better than `other`'s.
    fn better(&self, other: &Judged) -> usize {
        (0..self.headline.len()).filter(|row| self.gained(other, *row) > EVEN).count()
    }
}

impl Material<'_> {
    /// Arms, peers, and the parts of a model's answers.
    pub fn contestants(&self) -> impl Iterator<Item = &Contestant> {
        self.arms.iter().chain(self.peers).chain(self.parts.iter().map(|(_, part)| part))
    }

    /// Judges everything.
    pub fn assess(&self, provenance: Provenance) -> Assessment {
        let plan = provenance.plan;
        let arms: Vec<Judged> = self.arms.iter().map(|arm| self.judge(arm)).collect();
        let peers: Vec<Judged> = self.peers.iter().map(|peer| self.judge(peer)).collect();
        let arm = |wanted: Arm| arms.iter().find(|judged| judged.contestant.name == wanted.name());
        let (local, global, mediated) = (arm(Arm::Local), arm(Arm::Global), arm(Arm::Mediated));
        let everyone = || arms.iter().chain(&peers);
        let parts: Vec<(&str, Judged)> = self.parts.iter().map(|(arm, part)| (*arm, self.judge(part))).collect();
        let fused: Vec<(&Judged, &Judged)> = parts
            .iter()
            .filter_map(|(of, part)| Some((arms.iter().find(|judged| judged.contestant.name == *of)?, part)))
            .collect();

        let mut counts = vec![0.0; self.measures.labels()];
        self.questions.iter().for_each(|question| counts[question.gold] += 1.0 / self.questions.len() as f64);
        let both = local.zip(mediated);
        Assessment {
            n: self.questions.len(),
            users: self.users(&|_| true),
            resampled: Unit::of(self.users(&|_| true)),
            headline: self.measures.headline(),
            gold_entropy: normalised_entropy(&counts),
            arms: arms.iter().map(|judged| self.report(judged, plan)).collect(),
            peers: peers.iter().map(|judged| self.report(judged, plan)).collect(),
            parts: parts.iter().map(|(_, judged)| self.summary(judged, plan)).collect(),
            fused: self.pairs(&fused, plan),
            origins: Vec::new(),
            rows: Vec::new(),
            signs: None,
            overrides: both.filter(|_| !self.of_scores()).map(|(local, mediated)| overrides(local, mediated)),
            nearer: both.filter(|_| self.of_scores()).map(|(local, mediated)| nearer(local, mediated)),
            disagreement: local.zip(global).map(|(local, global)| self.disagreement(local, global, everyone())),
            gain: both.map(|(local, mediated)| self.gain(local, global, mediated, plan)).unwrap_or_default(),
            paired: self.mediated_against_others(&arms, &peers, plan),
            pooled: mediated
                .map(|mediated| {
                    let sides = local.into_iter().chain(global);
                    sides.flat_map(|side| self.non_inferiority(mediated, side, plan)).collect()
                })
                .unwrap_or_default(),
            provenance,
        }
    }

    /// What one window of a rolling origin found out, its weights being `weights`.
    pub fn window(&self, asked: &Asked, weights: Weights, fitted_on: Option<Range>, plan: Plan) -> Window {
        // Few people may ask in it, though many do in the whole.
        let plan = plan.among(self.units.iter().collect::<BTreeSet<_>>().len());
        let arms: Vec<Judged> = self.arms.iter().map(|arm| self.judge(arm)).collect();
        let peers: Vec<Judged> = self.peers.iter().map(|peer| self.judge(peer)).collect();
        Window {
            history: asked.history_range,
            queries: asked.query_range,
            fitted_on,
            weights,
            n: self.questions.len(),
            users: self.users(&|_| true),
            arms: arms.iter().map(|judged| self.summary(judged, plan)).collect(),
            peers: peers.iter().map(|judged| self.summary(judged, plan)).collect(),
            paired: self.mediated_against_others(&arms, &peers, plan),
        }
    }

    fn mediated_against_others(&self, arms: &[Judged], peers: &[Judged], plan: Plan) -> Vec<Paired> {
        let is_mediated = |judged: &&Judged| judged.contestant.name == Arm::Mediated.name();
        let Some(mediated) = arms.iter().find(is_mediated) else { return Vec::new() };
        let others = arms.iter().chain(peers).filter(|judged| !is_mediated(judged));
        self.pairs(&others.map(|other| (mediated, other)).collect::<Vec<_>>(), plan)
    }

    fn judge<'c>(&self, contestant: &'c Contestant) -> Judged<'c> {
        let judged = self.questions.iter().zip(&contestant.answers);
        let headline = judged.clone().map(|(question, answer)| self.measures.headline_of(question.gold, answer));
        Judged {
            contestant,
            headline: headline.collect(),
            sign: if self.measures.headline().is_error() { -1.0 } else { 1.0 },
            rows: judged.map(|(question, answer)| self.measures.row(question.gold, answer)).collect(),
        }
    }

    fn of_scores(&self) -> bool {
        matches!(self.measures, TaskMeasures::Rating(_))
    }

    fn headline(&self, value: f64) -> Headline {
        Headline { metric: self.measures.headline(), value }
    }

    fn users(&self, wanted: &dyn Fn(usize) -> bool) -> usize {
        let asking = self.questions.iter().zip(self.visible).filter(|(_, visible)| wanted(**visible));
        asking.map(|(question, _)| question.user).collect::<BTreeSet<&UserId>>().len()
    }

    /// Sums by observation of the rows whose number of visible items is `wanted`.
    fn table(&self, judged: &Judged, wanted: &dyn Fn(usize) -> bool) -> Table {
        let rows = self.units.iter().zip(self.visible).zip(&judged.rows);
        let wanted = rows.filter(|((_, visible), _)| wanted(**visible));
        Table::of(self.measures.width(), wanted.map(|((unit, _), row)| (unit, row)))
    }

    /// Scores and intervals of a table.
    fn scores(&self, table: &Table, plan: Plan) -> (Scores, Intervals) {
        let metrics = self.measures.metrics();
        let values = |sums: &[f64]| metrics.iter().map(|m| self.measures.value(*m, sums)).collect();
        let found = intervals(std::slice::from_ref(table), plan, |sums| values(&sums[0]));
        let scores = scores_of(&self.measures, &table.total());
        let interval = |(metric, quantiles): (&Metric, Option<Interval>)| {
            Some((*metric, metric.spread().interval(scores.get(*metric)?, quantiles?)?))
        };
        let ci = metrics.iter().zip(found).filter_map(interval).collect();
        (scores, Intervals(ci))
    }

    fn report(&self, judged: &Judged, plan: Plan) -> ArmReport {
        let bucket = |bucket: &Bucket| {
            let holds = |visible| bucket.holds(visible);
            let table = self.table(judged, &holds);
            // Whoever asked, few of them may have had so many items.
            let (scores, ci) = self.scores(&table, plan.among(table.observations()));
            let n = self.visible.iter().filter(|visible| bucket.holds(**visible)).count();
            BucketReport { bucket: *bucket, n, users: self.users(&holds), scores, ci }
        };
        let coarse = if self.of_scores() { &POOLED_RATINGS[..] } else { &[] };
        let (buckets, pooled) = (FINE.iter().map(bucket).collect(), coarse.iter().map(bucket).collect());
        ArmReport { buckets, pooled, ..self.summary(judged, plan) }
    }

    /// The same without buckets.
    fn summary(&self, judged: &Judged, plan: Plan) -> ArmReport {
        let table = self.table(judged, &|_| true);
        let ((scores, ci), reliability) = (self.scores(&table, plan), self.measures.reliability(&table.total()));
        let (buckets, pooled) = (Vec::new(), Vec::new());
        ArmReport { name: judged.contestant.name, n: judged.rows.len(), scores, ci, reliability, buckets, pooled }
    }
}

fn scores_of(measures: &TaskMeasures, sums: &[f64]) -> Scores {
    let of = |metric: &Metric| Some((*metric, measures.value(*metric, sums)?));
    Scores(measures.metrics().iter().filter_map(of).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::data::interaction::Timestamp;
    use crate::eval::assessment::{Overrides, SCHEMA, SplitReport};
    use crate::eval::metrics::LabelMeasures;
    use crate::eval::split::{Range, Split};
    use crate::mediator::{Policy, Weights};

    fn named(name: &'static str, answers: &[usize]) -> Contestant {
        let answer = |decision: &usize| Answer::named(*decision);
        Contestant { name, answers: answers.iter().map(answer).collect() }
    }

    fn provenance() -> Provenance {
        let queries = Range { n: 8, from: Timestamp(0), to: Timestamp(7) };
        let weights = Weights::defaults(Policy::Product, &crate::data::sample::dataset().unwrap().manifest);
        Provenance {
            schema: SCHEMA,
            dataset: "t".into(),
            task: crate::data::dataset::TaskKind::Labels,
            dataset_hash: String::new(),
            records_hash: String::new(),
            predictor: "memory",
            split: SplitReport {
                split: Split::Judged,
                history: None,
                queries,
                without_gold: 0,
                sampled: None,
                fitted_on: None,
            },
            model: None,
            policy: Policy::Product,
            weights: Some(weights),
            gap_days: 0.0,
            guard: 5,
            settings: None,
            embedder: String::new(),
            plan: Plan { resamples: 50, permutations: 50, seed: 1 },
        }
    }

    /// Three people with 3, 3 and 2 questions of three labels, every right answer 0.
    fn assess(arms: &[Contestant]) -> Assessment {
        let users = ["u", "v", "w"].map(UserId::new);
        let who = [0, 0, 0, 1, 1, 1, 2, 2];
        let visible = [0, 1, 2, 7, 8, 30, 0, 4];
        let questions: Vec<Question> = who
            .iter()
            .map(|who| Question {
                id: "q",
                user: &users[*who],
                at: Timestamp(0),
                text: "",
                about: None,
                gold: 0,
                answer: "",
            })
            .collect();
        let measures = TaskMeasures::Labels(LabelMeasures { labels: 3 });
        let asked: Vec<&UserId> = questions.iter().map(|question| question.user).collect();
        let units = Unit::of_askers(&asked).observations(&asked);
        Material { questions: &questions, units, visible: &visible, arms, peers: &[], parts: &[], measures }
            .assess(provenance())
    }

    fn arms() -> [Contestant; 3] {
        [
            named("local", &[1, 0, 0, 1, 1, 0, 1, 2]),
            named("global", &[0, 1, 0, 1, 0, 1, 0, 1]),
            named("mediated", &[0, 0, 1, 2, 0, 0, 0, 2]),
        ]
    }

    #[test]
    fn overrides_disagreement_and_gain_equal_hand_counts() {
        let found = assess(&arms());
        // local ✗✓✓✗✗✓✗✗, global ✓✗✓✗✓✗✓✗, mediated ✓✓✗✗✓✓✓✗.
        let expected = Overrides {
            local_right_mediated_right: 2,
            local_right_mediated_wrong: 1,
            local_wrong_mediated_right: 3,
            local_wrong_mediated_wrong: 2,
            overridden: 5,
            rescued: 3,
            suppressed: 1,
        };
        assert_eq!(found.overrides, Some(expected));
        // They differ on 0, 1, 4, 5, 6, 7: local right on 1 and 5, global on 0, 4, 6, mediated on all but the last.
        let disagreement = found.disagreement.unwrap();
        assert_eq!((disagreement.n, disagreement.share), (6, 0.75));
        assert_eq!(
            disagreement.right,
            BTreeMap::from([("local", 2.0 / 6.0), ("global", 0.5), ("mediated", 5.0 / 6.0)])
        );
        let gain = |ix: usize| {
            let gain = &found.gain[ix];
            (gain.n, gain.local, gain.mediated, gain.relative, gain.ceiling)
        };
        assert_eq!(gain(0), (2, 0.0, 1.0, None, Some(1.0)));
        assert_eq!(gain(1), (3, 2.0 / 3.0, 1.0 / 3.0, Some(-0.5), Some(2.0 / 3.0)));
        assert_eq!(gain(2), (5, 0.4, 0.6, Some((0.6 - 0.4) / 0.4), Some(0.8)));
    }

    #[test]
    fn pairs_of_few_people_are_tested_by_question_and_corrected() {
        let found = assess(&arms());
        assert_eq!((found.users, found.resampled), (3, Unit::Questions));
        let local = &found.paired[0];
        assert_eq!((local.against, local.wins, local.losses), ("local", 3, 1));
        assert_eq!(local.headline.value, 0.25);
        // Questions being independent both are 2·(1 + 4)/16.
        assert_eq!((local.p, local.p_mcnemar), (0.625, 0.625));
        let global = &found.paired[1];
        // 1, 1 and −1: every sign pattern reaches 1.
        assert_eq!((global.against, global.wins, global.losses, global.p), ("global", 2, 1, 1.0));
        assert_eq!((local.p_holm, global.p_holm), (1.0, 1.0));
        // Three times 1, once −1, four times 0 around ¼: √(8/7 · (3·.75² + 1.25² + 4·.25²))/8 · 2.80.
        let error = (8.0 / 7.0 * (3.0 * 0.75f64.powi(2) + 1.25f64.powi(2) + 4.0 * 0.25f64.powi(2))).sqrt() / 8.0;
        assert!((local.detectable.unwrap() - 2.801_585_219 * error).abs() < 1e-9);
    }

    #[test]
    fn not_worse_is_shown_only_where_people_suffice() {
        let same = assess(&[named("local", &[0; 8]), named("mediated", &[0; 8])]);
        let tests: Vec<_> = same.pooled.iter().map(|test| (test.bucket.from, test.n, test.users, test.p)).collect();
        // Equal answers are better than the margin allows for every question: one sign pattern in 2^questions.
        assert_eq!(tests, [(0, 2, 2, 0.25), (1, 3, 2, 0.125), (6, 2, 1, 0.25), (21, 1, 1, 0.5)]);
        assert!(same.pooled.iter().all(|test| test.p_holm >= 0.5 && !test.non_inferior && test.detectable.is_none()));

        let users: Vec<UserId> = (0..60).map(|who| UserId::new(format!("u{who}"))).collect();
        let question = |user| Question { id: "q", user, at: Timestamp(0), text: "", about: None, gold: 0, answer: "" };
        let questions: Vec<Question> = users.iter().map(question).collect();
        let verdict = |mediated: &[usize]| {
            let arms = [named("local", &[0; 60]), named("mediated", mediated)];
            let measures = TaskMeasures::Labels(LabelMeasures { labels: 2 });
            let (questions, units) = (&questions[..], (0..60).collect());
            let material =
                Material { questions, units, visible: &[0; 60], arms: &arms, peers: &[], parts: &[], measures };
            material.assess(provenance()).pooled[0].non_inferior
        };
        assert!(verdict(&[0; 60]));
        let mut worse = [0; 60];
        worse[..6].fill(1);
        assert!(!verdict(&worse), "six of sixty lost are more than two points");
    }

    #[test]
    fn a_bucket_of_few_people_has_no_interval() {
        let users: Vec<UserId> = (0..6).map(|who| UserId::new(format!("u{who}"))).collect();
        // Everybody asks with nothing known of them, and four once more with thirty items.
        let who = [0, 1, 2, 3, 4, 5, 0, 1, 2, 3];
        let visible = [0, 0, 0, 0, 0, 0, 30, 30, 30, 30];
        let question = |who: &usize| {
            let user = &users[*who];
            Question { id: "q", user, at: Timestamp(0), text: "", about: None, gold: 0, answer: "" }
        };
        let questions: Vec<Question> = who.iter().map(question).collect();
        let arms = [
            named("local", &[0, 1, 0, 1, 1, 0, 0, 1, 0, 1]),
            named("global", &[0, 0, 1, 1, 0, 0, 0, 0, 1, 1]),
            named("mediated", &[0, 0, 0, 1, 0, 0, 0, 0, 0, 1]),
        ];
        let told = |visible: &[usize]| {
            let measures = TaskMeasures::Labels(LabelMeasures { labels: 2 });
            let (questions, units) = (&questions[..], who.to_vec());
            let material = Material { questions, units, visible, arms: &arms, peers: &[], parts: &[], measures };
            material.assess(provenance())
        };
        let found = told(&visible);
        for bucket in &found.arms[0].buckets {
            assert_eq!(bucket.ci.get(Metric::Accuracy).is_some(), bucket.users >= 5, "{bucket:?}");
        }
        assert!(found.arms[0].ci.get(Metric::Accuracy).is_some(), "six people asked");
        let pooled: Vec<(usize, bool)> = found.pooled.iter().map(|test| (test.users, test.ci.is_some())).collect();
        assert_eq!(pooled, [(6, true), (4, false), (6, true), (4, false)]);
        assert!(found.gain.iter().all(|gain| gain.ci.is_some()), "{:?}", found.gain);
        // The same four at no item and the others at thirty.
        let found = told(&visible.map(|items| 30 - items));
        assert_eq!(found.gain.iter().map(|gain| (gain.users, gain.ci)).collect::<Vec<_>>(), [(4, None), (4, None)]);
    }

    #[test]
    fn arms_that_were_not_asked_for_are_not_compared() {
        let found = assess(&arms()[..2]);
        assert!(
            found.overrides.is_none() && found.paired.is_empty() && found.pooled.is_empty() && found.gain.is_empty()
        );
        assert_eq!(found.disagreement.unwrap().n, 6);
        let json = serde_json::to_value(assess(&arms()[2..])).unwrap();
        assert!(json.get("overrides").is_none() && json.get("peers").is_none() && json.get("disagreement").is_none());
        assert!(json["arms"]["mediated"].get("log_loss").is_none(), "no probabilities, no loss");
    }
}
