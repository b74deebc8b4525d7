//! A seeded population of film taggers: communities with habits, people with habits of their own, and chance.
//!
//! What it is for: a world in which both memories are worth something and neither suffices. A response is a draw from
//! the person's own habit, the community's habit or chance, so counts, age and support matter and no single memory
//! settles an answer. The latent truth is returned beside the data, never inside it.
//!
//! Invariant: a population is a pure function of [`Parameters`]. Seed 1 is shipped, 9001–9003 are for tests, from
//! 100000 on for training the demonstration model; the numbers below are frozen with that model.

pub mod bayes;
mod headlines;
mod products;
mod vocabulary;

use std::ops::RangeInclusive;

use serde::Serialize;

pub use headlines::{Hand, HeadlineTruth, Section, WriterTruth, headlines};
pub use products::{ProductTruth, RaterTruth, products};
pub use vocabulary::{TAGS, THEMES};

use super::dataset::{
    Calibration, Dataset, FORMAT, Manifest, PeriodLength, Periods, Retrieval, TaskKind, WeightDefaults, Wording,
};
use super::draw::Draw;
use super::interaction::{Extra, Interaction, JudgedQuery, Timestamp, UserId};

/// Start of every generated population: 2023-01-01T00:00:00Z.
const START: i64 = 1_672_531_200;
/// Days in a period of a generated population.
const PERIOD_DAYS: f64 = 90.0;
/// Days in which what a person did tells half as much of their community.
const MEMBERSHIP_HALF_LIFE: f64 = 120.0;
/// Topics that memory tells communities apart by: more than there are themes, whose films do not all look alike.
const TOPICS: usize = 32;
/// Share of responses that follow the person's own habit.
const OWN_SHARE: f64 = 0.52;
/// Share of responses that follow the community's habit; the rest is chance among fitting tags.
const COMMUNITY_SHARE: f64 = 0.40;
/// Deviation of how much a community likes a tag whatever the theme, and of what each theme adds to that.
const COMMUNITY_LEANING: (f64, f64) = (4.5, 1.0);
/// The same of a person, in whom the community's habit stands behind it.
const OWN_LEANING: (f64, f64) = (2.0, 1.0);
/// How much of a community's log habit a person takes over, and the least probability that counts.
const TAKEN_OVER: (f64, f64) = (0.8, 1e-3);
/// Deviation of the log weights of what a person watches around the community's.
const DIET_SPREAD: f64 = 0.8;
/// Deviation of the log weights of what a community watches.
const COMMUNITY_DIET: f64 = 2.0;
/// Share of a biased person's interactions that follow the fixation, and the share of the own habit in them.
const FIXED: (f64, f64) = (0.9, 0.97);
/// One uniform number decides on a kind: below the first one regular, then cold start, then biased, then drifting.
const KINDS_BELOW: [f64; 3] = [0.66, 0.82, 0.91];
/// Fewest interactions of a biased and of a drifting person.
const LEAST_HISTORY: (usize, usize) = (16, 24);
/// Most interactions of a cold-start person.
const MOST_COLD: usize = 3;
/// Moments are shares of the population's time. People join before this one.
const JOINED_BY: f64 = 0.5;
/// When a cold-start person joins: at first, and how much later at most.
const JOINED_LATE: (f64, f64) = (0.80, 0.15);
/// When a drifting person's taste moves: at first, and how much later at most.
const MOVES: (f64, f64) = (0.55, 0.15);
/// Judged queries come from here on, those of a cold-start person from when they join.
const JUDGED_FROM: f64 = 0.75;
/// Judged queries of a cold-start person, and fewest and most of another.
const JUDGED: (usize, (usize, usize)) = (3, (1, 2));

/// How many of a theme's motifs, and of its phrases of each kind, films and articles are described with. Films with fewer,
/// so that those of one theme are told by their words: what a memory says then is about the theme that is asked about.
const FILM_PHRASES: (usize, usize) = (1, 3);
const ARTICLE_PHRASES: (usize, usize) = (2, 5);

/// What a population is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Everything random follows from it.
    pub seed: u64,
    /// People; at least 1.
    pub users: usize,
    /// Latent communities; at least 1.
    pub communities: usize,
    /// Periods of 90 days; at least 2.
    pub periods: usize,
    /// Mean interactions of a regular person.
    pub mean_history: usize,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { seed: 1, users: 240, communities: 8, periods: 8, mean_history: 50 }
    }
}

impl Parameters {
    /// How long the population lives, in days.
    fn days(&self) -> f64 {
        self.periods as f64 * PERIOD_DAYS
    }

    /// How many interactions a regular person may have; each number is as likely.
    fn histories(&self) -> RangeInclusive<usize> {
        let fewest = self.mean_history / 4;
        fewest..=fewest + self.mean_history * 3 / 2
    }
}

/// How a person was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A long, mixed history.
    Regular,
    /// At most three interactions before the first judged query.
    ColdStart,
    /// A long history of one habit, at least 80 % one tag.
    Biased,
    /// Changes community at `drift_at`.
    Drifting,
}

/// The latent truth about one person.
#[derive(Clone, Debug, Serialize)]
pub struct UserTruth {
    /// Who.
    pub user: UserId,
    /// How made.
    pub kind: Kind,
    /// Latent community.
    pub community: usize,
    /// What tag a biased person is fixed on, as an index into [`TAGS`].
    #[serde(skip)]
    pub fixation: Option<usize>,
    /// When a drifting person's taste moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift_at: Option<Timestamp>,
    /// Where it moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_after: Option<usize>,
}

/// What the generator knows and the data does not say.
#[derive(Clone, Debug, Serialize)]
pub struct Truth {
    /// The population's seed.
    pub seed: u64,
    /// What the population was made from.
    #[serde(skip)]
    pub parameters: Parameters,
    /// Per user.
    pub users: Vec<UserTruth>,
    /// `habits[community][theme][tag]`: the community's probability of a tag.
    pub habits: Vec<Vec<Vec<f64>>>,
    /// Theme of each film, by item id `f<index>`.
    pub film_themes: Vec<&'static str>,
    /// `diets[community][theme]`: weight of the theme in what the community watches.
    #[serde(skip)]
    pub diets: Vec<Vec<f64>>,
}

/// A film: a theme and its description.
struct Film {
    theme: usize,
    text: String,
}

/// Tag probabilities for each theme.
type Habit = Vec<Vec<f64>>;

impl Person {
    /// The own habit and the community of a moment.
    fn at(&self, moment: Timestamp) -> (&Habit, usize) {
        let drifted = self.truth.drift_at.is_some_and(|drift| moment >= drift);
        match (&self.habit_after, self.truth.community_after) {
            (Some(habit), Some(community)) if drifted => (habit, community),
            _ => (&self.habit, self.truth.community),
        }
    }
}

/// What a community has in common: how it tags and what it watches.
struct Culture {
    habit: Habit,
    /// Weight of each theme.
    diet: Vec<f64>,
}

struct Person {
    truth: UserTruth,
    habit: Habit,
    diet: Vec<f64>,
    habit_after: Option<Habit>,
    joined: f64,
    history: usize,
    queries: usize,
}

/// Makes the population of `parameters` and its latent truth.
pub fn population(parameters: &Parameters) -> (Dataset, Truth) {
    let mut draw = Draw::seeded(parameters.seed);
    let films = films(&mut draw);
    let cultures: Vec<Culture> = (0..parameters.communities).map(|_| culture(&mut draw)).collect();
    let days = parameters.days();

    let mut interactions = Vec::new();
    let mut queries = Vec::new();
    let mut users = Vec::new();
    for index in 0..parameters.users {
        let person = person(&mut draw, index, parameters, &cultures, days);
        live(&mut draw, &person, &cultures, &films, days, &mut interactions, &mut queries);
        users.push(person.truth);
    }
    interactions.sort_by(|a: &Interaction, b| (a.at, &a.user).cmp(&(b.at, &b.user)));
    for (number, interaction) in interactions.iter_mut().enumerate() {
        interaction.id = format!("i{number:05}");
    }
    interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
    queries.sort_by(|a: &JudgedQuery, b| (a.at, &a.user).cmp(&(b.at, &b.user)));
    for (number, query) in queries.iter_mut().enumerate() {
        query.id = format!("q{number:04}");
    }
    let film_themes = films.iter().map(|film| THEMES[film.theme].name).collect();
    let (habits, diets) = cultures.into_iter().map(|culture| (culture.habit, culture.diet)).unzip();
    (
        Dataset { manifest: manifest(), interactions, queries },
        Truth { seed: parameters.seed, parameters: parameters.clone(), users, habits, film_themes, diets },
    )
}

/// `dataset.toml` of every generated population.
fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        name: "film-tags".into(),
        task: TaskKind::Labels,
        labels: TAGS.map(str::to_owned).to_vec(),
        scale: None,
        metric: "accuracy".into(),
        licence: "MIT OR Apache-2.0".into(),
        source: "generated by `logoscope synth`; no real person, no real film".into(),
        prompt: Wording { query: "film".into(), response: "tag".into() },
        retrieval: Retrieval::default(),
        periods: Periods {
            length: PeriodLength::Days(PERIOD_DAYS),
            membership_half_life: MEMBERSHIP_HALF_LIFE,
            topics: TOPICS,
            ..Periods::default()
        },
        // Chosen on populations from the training seeds by log-loss of the mediated and the global arm; model-trust for
        // model nano.
        calibration: Calibration {
            local: 0.65,
            terms: 0.2,
            neighbours: 0.0,
            entries: Some(0.2),
            community_leaning: 1.0,
            community_habit: 0.45,
            community_neighbours: 0.2,
            smoothing: 5.0,
            model_trust: 0.7,
        },
        weights: WeightDefaults {
            prior_strength_product: Some(4.0),
            prior_strength_shrinkage: Some(4.0),
            similarity_sharpness: Some(5.0),
            half_life: Some(180.0),
            community_focus: Some(0.9),
            half_life_unit: None,
        },
    }
}

fn films(draw: &mut Draw) -> Vec<Film> {
    (0..600)
        .map(|index| {
            let theme = index % THEMES.len();
            Film { theme, text: describe(draw, theme) }
        })
        .collect()
}

/// What a description of a film, or an article, is put together from.
struct Story {
    frame: &'static str,
    motif: &'static str,
    who: &'static str,
    act: &'static str,
    place: &'static str,
    detail: &'static str,
}

impl Story {
    /// Something about `theme`, in so many of its motifs and of the phrases of each kind; one in five borrows its last
    /// clause from another theme.
    fn about(draw: &mut Draw, theme: usize, (motifs, phrases): (usize, usize)) -> Self {
        let main = &THEMES[theme];
        let other = if draw.chance(0.2) { &THEMES[draw.below(THEMES.len())] } else { main };
        Self {
            frame: draw.one_of(&vocabulary::FRAMES),
            motif: draw.one_of(&main.motif[..motifs]),
            who: draw.one_of(&main.who[..phrases]),
            act: draw.one_of(&main.act[..phrases]),
            place: draw.one_of(&main.place[..phrases]),
            detail: draw.one_of(&other.detail[..phrases]),
        }
    }

    /// In one sentence.
    fn sentence(&self) -> String {
        let sentence = self
            .frame
            .replace("{a}", if self.motif.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" })
            .replace("{motif}", self.motif)
            .replace("{who}", self.who)
            .replace("{act}", self.act)
            .replace("{place}", self.place)
            .replace("{detail}", self.detail);
        let mut letters = sentence.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }
}

/// One sentence about `theme`.
fn describe(draw: &mut Draw, theme: usize) -> String {
    Story::about(draw, theme, FILM_PHRASES).sentence()
}

/// Probabilities from unnormalised log weights.
fn softmax(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.iter().map(|logit| (logit - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// Spreads log weights over the fitting tags of each theme.
fn habit_of(mut logit: impl FnMut(usize, usize) -> f64) -> Habit {
    let spread = |(theme, about): (usize, &vocabulary::Theme)| {
        let logits: Vec<f64> = about.tags.iter().map(|&tag| logit(theme, tag)).collect();
        let mut habit = vec![0.0; TAGS.len()];
        for (&tag, p) in about.tags.iter().zip(softmax(&logits)) {
            habit[tag] = p;
        }
        habit
    };
    THEMES.iter().enumerate().map(spread).collect()
}

/// A community leans towards some tags whatever the theme, has a habit for each theme, and watches some themes more.
fn culture(draw: &mut Draw) -> Culture {
    let (general, each) = COMMUNITY_LEANING;
    let signature: Vec<f64> = TAGS.iter().map(|_| general * draw.normal()).collect();
    let habit = habit_of(|_, tag| signature[tag] + each * draw.normal());
    let diet = THEMES.iter().map(|_| (COMMUNITY_DIET * draw.normal()).exp()).collect();
    Culture { habit, diet }
}

/// A person leans on the community's habit, on a signature of their own and on a taste for each theme.
fn own_habit(draw: &mut Draw, community: &Habit) -> Habit {
    let ((general, each), (share, least)) = (OWN_LEANING, TAKEN_OVER);
    let signature: Vec<f64> = TAGS.iter().map(|_| general * draw.normal()).collect();
    habit_of(|theme, tag| share * community[theme][tag].max(least).ln() + signature[tag] + each * draw.normal())
}

fn person(draw: &mut Draw, index: usize, parameters: &Parameters, cultures: &[Culture], days: f64) -> Person {
    let kind = match draw.unit() {
        x if x < KINDS_BELOW[0] => Kind::Regular,
        x if x < KINDS_BELOW[1] => Kind::ColdStart,
        x if x < KINDS_BELOW[2] => Kind::Biased,
        _ => Kind::Drifting,
    };
    let community = draw.below(cultures.len());
    let mut habit = own_habit(draw, &cultures[community].habit);
    let diet = cultures[community].diet.iter().map(|weight| weight * (DIET_SPREAD * draw.normal()).exp()).collect();
    let histories = parameters.histories();
    let mut history = draw.between(*histories.start(), *histories.end());
    let mut joined = draw.unit() * JOINED_BY * days;
    let mut fixation = None;
    let mut habit_after = None;
    let (mut drift_at, mut community_after) = (None, None);
    match kind {
        Kind::Regular => {}
        Kind::ColdStart => {
            joined = days * (JOINED_LATE.0 + JOINED_LATE.1 * draw.unit());
            history = draw.between(0, MOST_COLD);
        }
        Kind::Biased => {
            let tag = draw.below(TAGS.len());
            fixation = Some(tag);
            history = history.max(LEAST_HISTORY.0);
            for (theme, tags) in habit.iter_mut().enumerate() {
                if THEMES[theme].tags.contains(&tag) {
                    tags.fill(0.0);
                    tags[tag] = 1.0;
                }
            }
        }
        Kind::Drifting => {
            let after = (community + 1 + draw.below(cultures.len().max(2) - 1)) % cultures.len();
            habit_after = Some(own_habit(draw, &cultures[after].habit));
            drift_at = Some(Timestamp(START).plus_days((MOVES.0 + MOVES.1 * draw.unit()) * days));
            community_after = Some(after);
            history = history.max(LEAST_HISTORY.1);
        }
    }
    let queries = if kind == Kind::ColdStart { JUDGED.0 } else { draw.between(JUDGED.1.0, JUDGED.1.1) };
    let user = UserId::new(format!("u{index:03}"));
    let truth = UserTruth { user, kind, community, fixation, drift_at, community_after };
    Person { truth, habit, diet, habit_after, joined, history, queries }
}

/// Plays out one person's time: interactions first, judged queries among and after the last of them.
fn live(
    draw: &mut Draw,
    person: &Person,
    cultures: &[Culture],
    films: &[Film],
    days: f64,
    interactions: &mut Vec<Interaction>,
    queries: &mut Vec<JudgedQuery>,
) {
    let truth = &person.truth;
    let mut unseen: Vec<Vec<usize>> = vec![Vec::new(); THEMES.len()];
    films.iter().enumerate().for_each(|(film, about)| unseen[about.theme].push(film));
    unseen.iter_mut().for_each(|films| draw.shuffle(films));

    // A cold-start person's few interactions fall between the judged queries, so that 0, 1, 2 … items are visible.
    let cold = truth.kind == Kind::ColdStart;
    let query_from = if cold { person.joined } else { days * JUDGED_FROM };
    let mut events: Vec<(f64, bool)> = Vec::new();
    for _ in 0..person.history {
        events.push((person.joined + draw.unit() * (days - person.joined), false));
    }
    for _ in 0..person.queries {
        events.push((query_from + draw.unit() * (days - query_from), true));
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0));

    for (day, judged) in events {
        // A biased person's queries range over all themes: that is where a one-sided history misleads.
        let fixed = truth.fixation.filter(|_| !judged && draw.chance(FIXED.0));
        let diet: Vec<f64> = (0..THEMES.len())
            .map(|theme| match (truth.fixation, fixed) {
                _ if unseen[theme].is_empty() => 0.0,
                (_, Some(tag)) => {
                    if THEMES[theme].tags.contains(&tag) {
                        1.0
                    } else {
                        0.0
                    }
                }
                (Some(_), None) => 1.0,
                (None, None) => person.diet[theme],
            })
            .collect();
        let theme = draw.index(&diet);
        let Some(film) = unseen[theme].pop() else { continue };
        let at = Timestamp(START).plus_days(day);
        let (own, community) = person.at(at);
        // Once fixed on a tag, a biased person uses it wherever it fits.
        let own_share = if fixed.is_some() { FIXED.1 } else { OWN_SHARE };
        let tag = match draw.unit() {
            x if x < own_share => draw.index(&own[theme]),
            x if x < own_share + COMMUNITY_SHARE => draw.index(&cultures[community].habit[theme]),
            _ => draw.one_of(THEMES[theme].tags),
        };
        let (user, query, item) = (truth.user.clone(), films[film].text.clone(), Some(format!("f{film}")));
        let response = TAGS[tag].to_owned();
        if judged {
            let gold = Some(response);
            queries.push(JudgedQuery { id: String::new(), user, at, query, gold, item, extra: Extra::new() });
        } else {
            interactions.push(Interaction { id: String::new(), user, at, query, response, item, extra: Extra::new() });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_population_is_a_function_of_its_seed() {
        let small = Parameters { users: 20, ..Parameters::default() };
        let (first, _) = population(&small);
        assert_eq!(first, population(&small).0);
        assert_ne!(first.content_hash(), population(&Parameters { seed: 2, ..small }).0.content_hash());
    }

    #[test]
    fn the_shipped_parameters_make_what_the_design_asks_for() {
        let (dataset, truth) = population(&Parameters::default());
        assert!(truth.users.len() >= 240 && truth.habits.len() >= 8);
        assert!(dataset.interactions.len() > 6_000, "{}", dataset.interactions.len());
        assert!(dataset.queries.iter().all(|q| q.gold.is_some()));
        let of = |kind: Kind| truth.users.iter().filter(|u| u.kind == kind).map(|u| &u.user).collect::<Vec<_>>();
        assert!(of(Kind::Drifting).len() >= 8);

        let mut counts: BTreeMap<&UserId, BTreeMap<&str, usize>> = BTreeMap::new();
        for i in &dataset.interactions {
            *counts.entry(&i.user).or_default().entry(&i.response).or_default() += 1;
        }
        let biased = of(Kind::Biased);
        let skewed = biased.iter().filter(|user| {
            let total: usize = counts[**user].values().sum();
            total >= 10 && counts[**user].values().max().copied().unwrap_or(0) * 10 >= total * 8
        });
        assert!(skewed.count() * 10 >= biased.len() * 7, "most biased people meet the definition: top tag >= 80 %");
        let cold = of(Kind::ColdStart);
        assert!(cold.iter().all(|user| counts.get(*user).is_none_or(|c| c.values().sum::<usize>() <= 3)));
    }

    #[test]
    fn every_theme_fits_several_tags_and_every_tag_some_theme() {
        assert!(THEMES.iter().all(|theme| theme.tags.len() >= 3));
        assert!((0..TAGS.len()).all(|tag| THEMES.iter().filter(|theme| theme.tags.contains(&tag)).count() >= 2));
    }
}
