//! A seeded population of product raters: products that are better or worse, people who are strict or generous and like
//! some kinds of products more than others, and chance.
//!
//! What a product is worth shows in other people's ratings of it, how a person departs from them in the person's own, so
//! neither memory suffices: rating = worth of the product + generosity of the person + their liking for its kind +
//! noise, rounded to the scale.
//!
//! Invariant: a population is a pure function of [`Parameters`].

use serde::Serialize;
use serde_json::json;

use super::super::dataset::{
    Calibration, Dataset, FORMAT, Manifest, PeriodLength, Periods, Retrieval, TaskKind, WeightDefaults, Wording,
};
use super::super::draw::Draw;
use super::super::interaction::{Extra, Interaction, JudgedQuery, Timestamp, UserId};
use super::super::scale::Scale;
use super::vocabulary::{PRODUCTS, Product as Family, TRAITS};
use super::{Kind, PERIOD_DAYS, Parameters, START};

/// Products that can be rated.
const ITEMS: usize = 200;
/// The rating of the average product by the average person.
const AVERAGE: f64 = 3.3;
/// Standard deviation of what products, and kinds of them, are worth.
const WORTH: (f64, f64) = (0.7, 0.35);
/// Standard deviation of people's generosity, and of their liking for a kind.
const PERSON: (f64, f64) = (0.6, 0.5);
/// Standard deviation of what nothing explains.
const NOISE: f64 = 0.5;
/// Share of a biased person's ratings that are their favourite score whatever the product.
const FIXED: f64 = 0.9;
/// The scale.
const SCALE: Scale = Scale { low: 1.0, high: 5.0, step: 1.0 };

impl Parameters {
    /// A small population of product raters.
    pub fn of_products() -> Self {
        Self { seed: 1, users: 160, communities: 1, periods: 6, mean_history: 26 }
    }
}

/// The latent truth about one rater.
#[derive(Clone, Debug, Serialize)]
pub struct RaterTruth {
    /// Who.
    pub user: UserId,
    /// How made; nobody drifts.
    pub kind: Kind,
    /// By how much their ratings are above other people's.
    pub generosity: f64,
    /// `liking[kind]`: what they add for a kind of product.
    pub liking: Vec<f64>,
    /// The score that a biased person gives to nearly everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixation: Option<f64>,
}

/// What the generator knows and the data does not say.
#[derive(Clone, Debug, Serialize)]
pub struct ProductTruth {
    /// The population's seed.
    pub seed: u64,
    /// Per person.
    pub users: Vec<RaterTruth>,
    /// Mean rating of each product by the average person, by item id `p<index>`.
    pub worth: Vec<f64>,
}

/// A product: what kind it is of, what is said of it, what it is worth.
struct Item {
    kind: usize,
    text: String,
    quality: &'static str,
    worth: f64,
}

/// Makes the population of `parameters` and its latent truth. Communities play no part in it.
pub fn products(parameters: &Parameters) -> (Dataset, ProductTruth) {
    let mut draw = Draw::seeded(parameters.seed);
    let kinds: Vec<f64> = PRODUCTS.iter().map(|_| WORTH.1 * draw.normal()).collect();
    let items: Vec<Item> = (0..ITEMS).map(|index| item(&mut draw, index % PRODUCTS.len(), &kinds)).collect();
    let days = parameters.periods as f64 * PERIOD_DAYS;
    let (mut interactions, mut queries, mut users) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..parameters.users {
        let person = person(&mut draw, index);
        let cold = person.kind == Kind::ColdStart;
        let joined = if cold { (0.80 + 0.15 * draw.unit()) * days } else { draw.unit() * 0.5 * days };
        let history = if cold {
            draw.between(0, 3)
        } else {
            parameters.mean_history / 2 + draw.below(parameters.mean_history + 1)
        };
        let asked_from = if cold { joined } else { 0.75 * days };
        let asked = if cold { 3 } else { draw.between(1, 2) };
        let mut moments: Vec<(f64, bool)> =
            (0..history).map(|_| (joined + draw.unit() * (days - joined), false)).collect();
        moments.extend((0..asked).map(|_| (asked_from + draw.unit() * (days - asked_from), true)));
        moments.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut unrated: Vec<usize> = (0..items.len()).collect();
        draw.shuffle(&mut unrated);
        for ((day, judged), place) in moments.into_iter().zip(unrated) {
            let about = &items[place];
            let score = match person.fixation.filter(|_| !judged && draw.chance(FIXED)) {
                Some(fixed) => fixed,
                None => {
                    let liked = about.worth + person.generosity + person.liking[about.kind];
                    (liked + NOISE * draw.normal()).round().clamp(SCALE.low, SCALE.high)
                }
            };
            let (id, user, at) = (String::new(), person.user.clone(), Timestamp(START).plus_days(day));
            let (query, item, response) = (about.text.clone(), Some(format!("p{place}")), score.to_string());
            let extra: Extra =
                [("attributes".to_owned(), json!({ "kind": PRODUCTS[about.kind].name, "quality": about.quality }))]
                    .into_iter()
                    .collect();
            match judged {
                true => queries.push(JudgedQuery { id, user, at, query, gold: Some(response), item, extra }),
                false => interactions.push(Interaction { id, user, at, query, response, item, extra }),
            }
        }
        users.push(person);
    }
    interactions.sort_by(|a, b| (a.at, &a.user).cmp(&(b.at, &b.user)));
    interactions.iter_mut().enumerate().for_each(|(number, i)| i.id = format!("r{number:05}"));
    queries.sort_by(|a, b| (a.at, &a.user).cmp(&(b.at, &b.user)));
    queries.iter_mut().enumerate().for_each(|(number, q)| q.id = format!("q{number:04}"));
    let worth = items.into_iter().map(|item| item.worth).collect();
    (Dataset { manifest: manifest(), interactions, queries }, ProductTruth { seed: parameters.seed, users, worth })
}

/// A product of a kind, which is named with a trait in its description and its attributes.
fn item(draw: &mut Draw, kind: usize, kinds: &[f64]) -> Item {
    let Family { nouns, uses, details, .. } = &PRODUCTS[kind];
    let quality = draw.one_of(&TRAITS);
    let (noun, purpose, detail) = (draw.one_of(nouns), draw.one_of(uses), draw.one_of(details));
    let text = match draw.below(3) {
        0 => format!("{quality} {noun} for {purpose}, {detail}"),
        1 => format!("{quality} {noun}, {detail}, for {purpose}"),
        _ => format!("{noun} for {purpose}: {quality}, {detail}"),
    };
    let mut letters = text.chars();
    let text = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    let worth = AVERAGE + kinds[kind] + WORTH.0 * draw.normal();
    Item { kind, text, quality, worth }
}

fn person(draw: &mut Draw, index: usize) -> RaterTruth {
    let kind = match draw.unit() {
        x if x < 0.70 => Kind::Regular,
        x if x < 0.90 => Kind::ColdStart,
        _ => Kind::Biased,
    };
    let generosity = PERSON.0 * draw.normal();
    let liking = PRODUCTS.iter().map(|_| PERSON.1 * draw.normal()).collect();
    let fixation = (kind == Kind::Biased).then(|| if draw.chance(0.7) { SCALE.high } else { SCALE.low });
    RaterTruth { user: UserId::new(format!("b{index:03}")), kind, generosity, liking, fixation }
}

/// `dataset.toml` of every generated population of product raters.
fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        name: "product-ratings".into(),
        task: TaskKind::Rating,
        labels: Vec::new(),
        scale: Some(SCALE),
        metric: "mae".into(),
        licence: "MIT OR Apache-2.0".into(),
        source: "generated by `logoscope synth --task rating`; no real person, no real product".into(),
        prompt: Wording { query: "product".into(), response: "rating".into() },
        retrieval: Retrieval::default(),
        periods: Periods { length: PeriodLength::Days(PERIOD_DAYS), ..Periods::default() },
        calibration: Calibration::default(),
        // Fitted on populations from the training seeds.
        weights: WeightDefaults {
            prior_strength_shrinkage: Some(0.5),
            similarity_sharpness: Some(2.0),
            half_life: Some(100.0),
            ..WeightDefaults::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_are_a_function_of_their_seed_and_lie_on_the_scale() {
        let small = Parameters { users: 20, ..Parameters::of_products() };
        let (first, _) = products(&small);
        assert_eq!(first, products(&small).0);
        assert_ne!(first, products(&Parameters { seed: 2, ..small }).0);
        assert!(first.interactions.iter().all(|i| SCALE.position(&i.response).is_some()));
        assert_eq!(first.manifest.fault(), None);
    }

    #[test]
    fn a_product_is_worth_what_people_give_it_and_a_generous_person_gives_more() {
        let (dataset, truth) = products(&Parameters::of_products());
        assert!(dataset.interactions.len() > 2_000, "{}", dataset.interactions.len());
        let mean = |of: &dyn Fn(&Interaction) -> bool| {
            let scores: Vec<f64> =
                dataset.interactions.iter().filter(|i| of(i)).filter_map(|i| i.response.parse().ok()).collect();
            (scores.len() >= 8).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
        };
        let correlation = |pairs: Vec<(f64, f64)>| {
            let n = pairs.len() as f64;
            let (a, b) = pairs.iter().fold((0.0, 0.0), |(a, b), pair| (a + pair.0 / n, b + pair.1 / n));
            let sum = |f: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(f).sum::<f64>();
            sum(&|p| (p.0 - a) * (p.1 - b)) / (sum(&|p| (p.0 - a).powi(2)) * sum(&|p| (p.1 - b).powi(2))).sqrt()
        };
        let things = truth.worth.iter().enumerate().filter_map(|(place, worth)| {
            let name = format!("p{place}");
            Some((mean(&|i| i.item.as_deref() == Some(&name))?, *worth))
        });
        assert!(correlation(things.collect()) > 0.7);
        let people = truth.users.iter().filter(|user| user.kind == Kind::Regular);
        let people = people.filter_map(|user| Some((mean(&|i| i.user == user.user)?, user.generosity)));
        assert!(correlation(people.collect()) > 0.7);
        let biased = truth.users.iter().filter(|user| user.kind == Kind::Biased);
        for (mean, fixed) in biased.filter_map(|user| Some((mean(&|i| i.user == user.user)?, user.fixation?))) {
            assert!((mean - fixed).abs() < 1.0, "{mean} for {fixed}");
        }
    }
}
