//! Peers of rating tasks: means and biases, counted strictly before each question.
//!
//! b_i = Σ (y − μ)/(n_i + [`DAMPING`]) of an item, b_u the same of a person, μ the mean of everything so far. The
//! strongest one takes the person's bias beyond that of the items: Σ (y − μ − b_i)/(n_u + [`DAMPING`]). Predictions are
//! clipped to the scale. What is hidden from memory by a gap is hidden here too.

use std::collections::HashMap;

use crate::data::dataset::Dataset;
use crate::data::interaction::{Interaction, Timestamp, UserId};
use crate::eval::experiment::{Answer, Score};
use crate::eval::judge::Contestant;
use crate::eval::split::Asked;
use crate::memory::rating::About;

/// μ.
pub const GLOBAL_MEAN: &str = "global-mean";
/// μ + b_u.
pub const USER_BIAS: &str = "user-bias";
/// μ + b_i.
pub const ITEM_BIAS: &str = "item-bias";
/// μ + b_u + b_i.
pub const USER_AND_ITEM: &str = "user-and-item";

/// μ + b_i + the person's bias beyond the items'.
pub const ITEM_THEN_USER: &str = "item-then-user";

/// Ratings without bias mixed into everyone's and everything's own.
const DAMPING: f64 = 5.0;

/// A number of ratings and their sum.
#[derive(Clone, Copy, Default)]
struct Sum {
    n: f64,
    sum: f64,
}

impl Sum {
    fn add(&mut self, score: f64) {
        self.n += 1.0;
        self.sum += score;
    }

    fn bias(self, mean: f64) -> f64 {
        (self.sum - self.n * mean) / (self.n + DAMPING)
    }
}

/// Everything rated so far.
#[derive(Default)]
struct Past<'a> {
    all: Sum,
    items: HashMap<&'a str, Sum>,
    own: HashMap<&'a UserId, Vec<(Timestamp, &'a str, f64)>>,
}

fn thing<'a>(item: Option<&'a str>, text: &'a str) -> &'a str {
    item.unwrap_or(text)
}

impl<'a> Past<'a> {
    fn add(&mut self, i: &'a Interaction, score: f64) {
        let item = thing(i.item.as_deref(), &i.query);
        self.all.add(score);
        self.items.entry(item).or_default().add(score);
        self.own.entry(&i.user).or_default().push((i.at, item, score));
    }

    fn item_bias(&self, item: &str, mean: f64) -> f64 {
        self.items.get(item).copied().unwrap_or_default().bias(mean)
    }

    /// The predictions, in order of the peers, from the person's ratings before `until`.
    fn predict(&self, user: &UserId, item: &str, until: Timestamp, middle: f64) -> [f64; 5] {
        let mean = if self.all.n > 0.0 { self.all.sum / self.all.n } else { middle };
        let own = self.own.get(user).map_or(&[][..], Vec::as_slice);
        let own = &own[..own.partition_point(|(at, ..)| *at < until)];
        let (mut plain, mut beyond) = (Sum::default(), Sum::default());
        for (_, item, score) in own {
            plain.add(*score);
            beyond.add(score - self.item_bias(item, mean));
        }
        let item = self.item_bias(item, mean);
        let (own, beyond) = (plain.bias(mean), beyond.bias(mean));
        [mean, mean + own, mean + item, mean + own + item, mean + item + beyond]
    }
}

/// Every peer's answers to `asked`, the same questions in the same order.
pub fn contestants(dataset: &Dataset, asked: &Asked, steps: &[f64], gap_days: f64) -> Vec<Contestant> {
    let scores: HashMap<String, f64> = dataset.manifest.responses().into_iter().zip(steps.iter().copied()).collect();
    let (low, high) = (steps.first().copied().unwrap_or_default(), steps.last().copied().unwrap_or_default());
    let names = [GLOBAL_MEAN, USER_BIAS, ITEM_BIAS, USER_AND_ITEM, ITEM_THEN_USER];
    let mut peers = names.map(|name| Contestant { name, answers: Vec::new() });
    let mut past = Past::default();
    let mut coming = dataset.interactions.iter().peekable();
    // Questions are in time order.
    for question in &asked.questions {
        while let Some(i) = coming.next_if(|i| i.at < question.at) {
            past.add(i, scores.get(&i.response).copied().unwrap_or_default());
        }
        let item = thing(question.about.and_then(|About { item, .. }| item), question.text);
        let predicted = past.predict(question.user, item, question.at.plus_days(-gap_days), 0.5 * (low + high));
        for (peer, score) in peers.iter_mut().zip(predicted) {
            let score = score.clamp(low, high);
            let nearest =
                (0..steps.len()).min_by(|a, b| (steps[*a] - score).abs().total_cmp(&(steps[*b] - score).abs()));
            let named = Answer::named(nearest.unwrap_or_default());
            peer.answers.push(Answer { score: Some(Score { median: score, mean: score }), ..named });
        }
    }
    peers.into()
}
