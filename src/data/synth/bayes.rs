//! What could have been known: Bayesian prediction under the generator of film tags, the measure of what reads prompts.
//!
//! A response follows the person's own habit, the community's habit or chance (see [`super::population`]). Habits are
//! softmaxes of Gaussian leanings. Unknown are those, whose community the person is in, and of which kind the person is: a
//! steady one has one habit; a biased one is fixed on an unknown tag; a drifting one had other habits, in another
//! community, before an unknown moment. Each kind is a law under which responses are heard one after another (`cloud`),
//! oldest first; its prediction counts as much as its prior (`kinds`), what was watched and what was answered make
//! likely. The habits before and after a move are independent given their communities, so two hearings settle all
//! moments of a move at once: from the oldest response on, and from the newest one back. Themes watched tell of the
//! community and of the kind; a diet is integrated out by Laplace's method. Several independent runs are pooled by
//! evidence, and their scatter is the Monte Carlo error.
//!
//! A crowd's habits are not told either, they are guessed at from what everybody answered before ([`Learned`]).
//!
//! What the reference is told and no reader is: the theme of every film, whether the question is a judged one, all
//! moments to the second, what communities watch, and who else is in which. It then errs in one direction: regret to it is
//! overstated. What it leaves out: that a theme's films run out.
//!
//! Invariant: a prediction is a pure function of its arguments, the state of the draw among them.

mod cloud;
mod diet;
mod kinds;
mod learned;
mod mixture;

pub use kinds::{Kinds, Presence};
pub use learned::{Learned, Stretch};

use super::{COMMUNITY_DIET, COMMUNITY_SHARE, DIET_SPREAD, FIXED, OWN_LEANING, OWN_SHARE, START, TAKEN_OVER};
use super::{Parameters, TAGS, THEMES, Truth};
use crate::data::draw::Draw;
use crate::data::interaction::Timestamp;
use cloud::{Cloud, Law, add};
use diet::log_diet_evidence;
use mixture::{Mixture, Part, moves};

/// Most tags that fit one theme.
const MOST: usize = 4;
/// Draws that the own habits of a community's people are averaged over.
const AVERAGED: usize = 8000;
/// A community of less membership is left out of a mixture.
const LEAST_MEMBERSHIP: f64 = 0.01;
/// ln .001, the least of a community's ln habit that a person takes over.
const LEAST_LOG: f64 = -3.0 * std::f64::consts::LN_10;
/// A kind that is so much less likely than another one, in ln, is left out.
const HOPELESS: f64 = 9.0;

/// A number per tag that fits a theme, in the theme's order; the rest is 0.
type Fitting = [f64; MOST];

/// Which tags fit which theme.
#[derive(Clone, Debug, PartialEq)]
struct Shape {
    tags: usize,
    /// Per theme, at most [`MOST`] each.
    fits: Vec<Vec<usize>>,
    /// How many themes each tag fits.
    spread: Vec<usize>,
}

impl Shape {
    fn of_films() -> Self {
        Self::new(TAGS.len(), THEMES.iter().map(|theme| theme.tags.to_vec()).collect())
    }

    fn new(tags: usize, fits: Vec<Vec<usize>>) -> Self {
        let spread = (0..tags).map(|tag| fits.iter().filter(|fitting| fitting.contains(&tag)).count()).collect();
        Self { tags, fits, spread }
    }
}

/// A community's habit for a theme, and what a person takes over of it.
#[derive(Clone, Copy, Debug)]
struct Custom {
    habit: Fitting,
    /// .8 ln of it.
    leaning: Fitting,
}

impl Custom {
    fn new(habit: Fitting, tags: usize) -> Self {
        let mut leaning = [0.0; MOST];
        for (leaning, p) in leaning.iter_mut().zip(&habit).take(tags) {
            *leaning = TAKEN_OVER.0 * p.max(TAKEN_OVER.1).ln();
        }
        Self { habit, leaning }
    }

    /// The same from how much each tag is leaned to.
    fn leaning_to(tastes: &Fitting, tags: usize) -> Self {
        let habit = softmax(tastes, tags);
        // ln habit = taste − ln Σ exp taste, which any tag tells; the likeliest one does so best.
        let place = (1..tags).fold(0, |best, place| if tastes[place] > tastes[best] { place } else { best });
        let level = tastes[place] - habit[place].ln();
        let mut leaning = [0.0; MOST];
        for (leaning, taste) in leaning.iter_mut().zip(tastes).take(tags) {
            *leaning = TAKEN_OVER.0 * (taste - level).max(LEAST_LOG);
        }
        Self { habit, leaning }
    }
}

/// What is known about a question besides memories.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// The film's theme.
    pub theme: usize,
    /// Whether it is a judged query; otherwise it is an interaction, which a biased person's fixation decides mostly.
    pub judged: bool,
    /// When it is asked, see [`World::moment`].
    pub at: f64,
    /// Of which kind the person is before responses and themes are looked at.
    pub kinds: Kinds,
}

/// A remembered response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// The film's theme.
    pub theme: usize,
    /// What the person answered, as an index into [`TAGS`].
    pub tag: usize,
    /// When, see [`World::moment`].
    pub at: f64,
}

/// What is remembered of a person.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Responses, in any order.
    pub seen: &'a [Seen],
    /// Whether it is all the person did, so that the themes tell of the person; not if a query has chosen among them.
    pub whole: bool,
}

/// How much to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Effort {
    /// Independent runs; a single one tells no error.
    runs: usize,
    /// Guesses in each.
    guesses: usize,
    /// More of them at short histories, which cost little: so many divided by four and the number of responses.
    further: usize,
    /// Moves of all guesses that a prediction is averaged over.
    settling: usize,
}

impl Effort {
    /// For predictions whose errors are around .01.
    const USUAL: Self = Self { runs: 4, guesses: 64, further: 320, settling: 3 };

    /// Where nobody else is known there is more to guess at.
    fn guesses(&self, responses: usize, crowd: Crowd) -> usize {
        let guesses = self.guesses + self.further / (responses + 4);
        if crowd == Crowd::Unknown { guesses * 3 / 2 } else { guesses }
    }

    /// For a part of a mixture.
    fn part(self, share: f64) -> Self {
        let part = |count: usize| (count as f64 * share.max(0.25)).ceil() as usize;
        Self { guesses: part(self.guesses), further: part(self.further), ..self }
    }

    /// For one of several predictions whose mean is taken.
    fn alone(self) -> Self {
        Self { runs: 1, guesses: self.guesses.div_ceil(2), further: self.further / 2, ..self }
    }
}

/// What to expect.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Probability of each tag.
    pub p: Vec<f64>,
    /// Monte Carlo standard error of the least certain probability.
    pub error: f64,
    /// Probability of each community at the time of the question; empty where none is known.
    pub membership: Vec<f64>,
    /// Of which kind the person is.
    pub kinds: Kinds,
}

/// What is known of the crowd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crowd {
    Unknown,
    /// The habits of all communities.
    Known,
    /// Those, and which community the person is in at the time of the question.
    Member(usize),
}

/// What each kind of person is taken to be.
#[derive(Clone, Debug)]
struct Laws {
    steady: Law,
    biased: Law,
    /// A drifting person before the move.
    before: Law,
    /// And after it. Both weights are the same, and count once.
    after: Law,
}

/// A question and all that is known about it.
struct Case<'a> {
    asked: &'a Asked,
    /// Oldest first.
    seen: Vec<Seen>,
    /// How many responses came before the move of a drifting person, ascending, and how likely that is.
    moves: Vec<(usize, f64)>,
    laws: Laws,
    /// Whether a drifting person was before the move what a steady one is.
    alike: bool,
    guesses: usize,
    settling: usize,
}

/// A population's latent truth, as prediction needs it, or a guess at it.
#[derive(Clone, Debug)]
pub struct World {
    shape: Shape,
    /// By community and theme.
    customs: Vec<Vec<Custom>>,
    /// ln weight by community and theme.
    diets: Vec<Vec<f64>>,
    /// The expected own habit of a community's people, by community and theme.
    expected: Vec<Vec<Fitting>>,
    parameters: Parameters,
    effort: Effort,
}

impl World {
    /// The world behind a population.
    pub fn of(truth: &Truth) -> Self {
        let world = Self::new(Shape::of_films(), &truth.habits, &truth.diets, Effort::USUAL);
        Self { parameters: truth.parameters.clone(), ..world }
    }

    fn new(shape: Shape, habits: &[Vec<Vec<f64>>], diets: &[Vec<f64>], effort: Effort) -> Self {
        let custom = |habit: &Vec<f64>, fits: &Vec<usize>| {
            let mut local = [0.0; MOST];
            local.iter_mut().zip(fits).for_each(|(p, tag)| *p = habit[*tag]);
            Custom::new(local, fits.len())
        };
        let customs: Vec<Vec<Custom>> = habits
            .iter()
            .map(|habit| habit.iter().zip(&shape.fits).map(|(habit, fits)| custom(habit, fits)).collect())
            .collect();
        let diets = diets.iter().map(|diet| diet.iter().map(|weight| weight.ln()).collect()).collect();
        let expected = expected_habits(&shape, &customs, AVERAGED);
        Self { shape, customs, diets, expected, parameters: Parameters::default(), effort }
    }

    /// The same, drawing less for a prediction: enough where many are averaged over.
    pub fn briefly(self) -> Self {
        Self { effort: self.effort.alone(), ..self }
    }

    /// How many communities there are.
    pub fn communities(&self) -> usize {
        self.customs.len()
    }

    /// The tags that fit a theme.
    pub fn fitting(&self, theme: usize) -> &[usize] {
        &self.shape.fits[theme]
    }

    /// A moment as a share of the population's time, in [0, 1].
    pub fn moment(&self, at: Timestamp) -> f64 {
        at.days_since(Timestamp(START)) / self.parameters.days()
    }

    /// Of which kind somebody may be who was here like this.
    pub fn kinds(&self, presence: &Presence) -> Kinds {
        Kinds::of(&self.parameters, presence)
    }

    /// Without any memory: no tag of a theme is dearer to a generated person than another.
    pub fn from_nothing(&self, asked: &Asked) -> Prediction {
        let fits = self.fitting(asked.theme).len();
        let mut local = [0.0; MOST];
        local[..fits].fill(1.0 / fits as f64);
        Prediction { p: self.by_tag(asked.theme, &local), error: 0.0, membership: Vec::new(), kinds: asked.kinds }
    }

    /// From a person's memories, nothing being known of anybody else.
    pub fn from_own(&self, asked: &Asked, history: History, draw: &mut Draw) -> Prediction {
        if history.seen.is_empty() {
            return self.from_nothing(asked);
        }
        self.predict(asked, history, Crowd::Unknown, self.effort, draw)
    }

    /// From a person's memories and the habits of all communities, where membership is settled elsewhere, so that the
    /// memories tell of kind and own habit alone.
    fn predict_member(
        &self,
        asked: &Asked,
        history: History,
        membership: &[f64],
        effort: Effort,
        draw: &mut Draw,
    ) -> Prediction {
        let mut p = vec![0.0; self.shape.tags];
        let (mut weight, mut variance) = (0.0, 0.0);
        let mut kinds = Kinds { steady: 0.0, biased: 0.0, drifting: 0.0 };
        for (community, share) in membership.iter().enumerate().filter(|(_, share)| **share >= LEAST_MEMBERSHIP) {
            let found = self.predict(asked, history, Crowd::Member(community), effort.part(*share), draw);
            p.iter_mut().zip(&found.p).for_each(|(p, more)| *p += share * more);
            kinds = kinds.plus(*share, &found.kinds);
            variance += (share * found.error).powi(2);
            weight += share;
        }
        p.iter_mut().for_each(|p| *p /= weight);
        let kinds = kinds.normalised();
        Prediction { p, error: variance.sqrt() / weight, membership: membership.to_vec(), kinds }
    }

    /// From membership alone: kind and own habit are integrated out under their priors given the community.
    fn predict_crowd(&self, asked: &Asked, membership: &[f64]) -> Prediction {
        let mut local = [0.0; MOST];
        let mut kinds = Kinds { steady: 0.0, biased: 0.0, drifting: 0.0 };
        for (community, share) in membership.iter().enumerate() {
            let laws = self.laws(asked, History { seen: &[], whole: false }, Crowd::Member(community));
            let (custom, own) = (&self.customs[community][asked.theme], &self.expected[community][asked.theme]);
            let answers = |fixation| self.answers(asked.theme, &custom.habit, own, fixation, asked.judged);
            let here = Kinds::weighed([laws.steady.weight, laws.biased.weight, laws.after.weight]);
            add(&mut local, share * (here.steady + here.drifting), &answers(None));
            for (tag, fixed) in laws.biased.fixations.iter().enumerate() {
                add(&mut local, share * here.biased * fixed, &answers(Some(tag)));
            }
            kinds = kinds.plus(*share, &here);
        }
        Prediction { p: self.by_tag(asked.theme, &local), error: 0.0, membership: membership.to_vec(), kinds }
    }

    /// Membership in one community and no other.
    fn certain(&self, community: usize) -> Vec<f64> {
        (0..self.communities()).map(|c| if c == community { 1.0 } else { 0.0 }).collect()
    }

    /// What each kind of person is before any response is heard. Themes that were watched tell of the community, the
    /// first one of a drifting person, and of the kind: a biased person has no diet.
    fn laws(&self, asked: &Asked, history: History, crowd: Crowd) -> Laws {
        let mut watched = vec![0.0; self.shape.fits.len()];
        watched[asked.theme] += 1.0;
        let remembered = if history.whole { history.seen } else { &[] };
        remembered.iter().for_each(|seen| watched[seen.theme] += 1.0);
        let diets = match crowd {
            Crowd::Unknown => {
                let flat = vec![0.0; watched.len()];
                vec![log_diet_evidence(&flat, DIET_SPREAD.hypot(COMMUNITY_DIET), &watched)]
            }
            _ => self.diets.iter().map(|diet| log_diet_evidence(diet, DIET_SPREAD, &watched)).collect(),
        };
        let dieting = log_sum(&diets) - (diets.len() as f64).ln();
        let (by_diet, anybody, now) = match crowd {
            Crowd::Unknown => (Vec::new(), Vec::new(), Vec::new()),
            Crowd::Known => (normalised(&diets), vec![1.0 / diets.len() as f64; diets.len()], Vec::new()),
            Crowd::Member(community) => (normalised(&diets), self.certain(community), self.certain(community)),
        };
        let steady = match crowd {
            Crowd::Member(community) => Law { weight: diets[community], communities: now, fixations: Vec::new() },
            _ => Law { weight: dieting, communities: by_diet.clone(), fixations: Vec::new() },
        };
        let fixations: Vec<f64> =
            (0..self.shape.tags).map(|tag| self.log_fixed_evidence(tag, asked, remembered)).collect();
        let fixing = log_sum(&fixations) - (fixations.len() as f64).ln();
        let Kinds { steady: usual, biased, drifting } = asked.kinds;
        let dieting = drifting.ln() + dieting;
        Laws {
            steady: Law { weight: usual.ln() + steady.weight, ..steady },
            biased: Law {
                weight: biased.ln() + fixing,
                communities: anybody.clone(),
                fixations: normalised(&fixations),
            },
            before: Law { weight: dieting, communities: by_diet, fixations: Vec::new() },
            after: Law { weight: dieting, communities: anybody, fixations: Vec::new() },
        }
    }

    /// ln probability of the watched themes of somebody who is fixed on a tag.
    fn log_fixed_evidence(&self, tag: usize, asked: &Asked, remembered: &[Seen]) -> f64 {
        let themes = self.shape.fits.len() as f64;
        let fixed = FIXED.0 / self.shape.spread[tag].max(1) as f64;
        let interaction = |theme: usize| {
            let fits = self.fitting(theme).contains(&tag);
            ((1.0 - FIXED.0) / themes + if fits { fixed } else { 0.0 }).ln()
        };
        let question = if asked.judged { -themes.ln() } else { interaction(asked.theme) };
        question + remembered.iter().map(|seen| interaction(seen.theme)).sum::<f64>()
    }

    fn by_tag(&self, theme: usize, local: &Fitting) -> Vec<f64> {
        let mut p = vec![0.0; self.shape.tags];
        self.fitting(theme).iter().zip(local).for_each(|(tag, share)| p[*tag] = *share);
        p
    }

    /// The probability that an interaction with a film of `theme` follows the fixation on `tag`.
    fn fixed_share(&self, theme: usize, tag: usize) -> f64 {
        if !self.fitting(theme).contains(&tag) {
            return 0.0;
        }
        let fixed = FIXED.0 / self.shape.spread[tag] as f64;
        fixed / (fixed + (1.0 - FIXED.0) / self.shape.fits.len() as f64)
    }

    /// The probability of each fitting tag, with all habits known.
    fn answers(&self, theme: usize, common: &Fitting, own: &Fitting, fixation: Option<usize>, judged: bool) -> Fitting {
        let fits = self.fitting(theme);
        let mut own = *own;
        let mut fixed_share = 0.0;
        if let Some(place) = fixation.and_then(|tag| fits.iter().position(|fitting| *fitting == tag)) {
            own = [0.0; MOST];
            own[place] = 1.0;
            fixed_share = if judged { 0.0 } else { self.fixed_share(theme, fits[place]) };
        }
        let chance = (1.0 - OWN_SHARE - COMMUNITY_SHARE) / fits.len() as f64;
        let mut answers = [0.0; MOST];
        for place in 0..fits.len() {
            let usual = OWN_SHARE * own[place] + COMMUNITY_SHARE * common[place] + chance;
            let fixed = FIXED.1 * own[place] + (1.0 - FIXED.1) * common[place];
            answers[place] = fixed_share * fixed + (1.0 - fixed_share) * usual;
        }
        answers
    }

    fn predict(&self, asked: &Asked, history: History, crowd: Crowd, effort: Effort, draw: &mut Draw) -> Prediction {
        let mut seen = history.seen.to_vec();
        seen.sort_by(|a, b| a.at.total_cmp(&b.at));
        let laws = self.laws(asked, history, crowd);
        let alike = !matches!(crowd, Crowd::Member(_));
        let (guesses, settling) = (effort.guesses(seen.len(), crowd), effort.settling);
        let case = Case { asked, moves: moves(&seen, asked.at), seen, laws, alike, guesses, settling };
        let runs: Vec<Mixture> = (0..effort.runs).map(|_| self.run(&case, draw)).collect();

        // Evidence is without bias, predictions weighed by it are nearly so.
        let shares = normalised(&runs.iter().map(|run| run.log_evidence).collect::<Vec<f64>>());
        let mut local = [0.0; MOST];
        let mut membership = vec![0.0; runs[0].membership.len()];
        let mut kinds = Kinds { steady: 0.0, biased: 0.0, drifting: 0.0 };
        for (run, share) in runs.iter().zip(&shares) {
            add(&mut local, *share, &run.answers);
            membership.iter_mut().zip(&run.membership).for_each(|(sum, p)| *sum += share * p);
            kinds = kinds.plus(*share, &run.kinds);
        }
        let variance = |place: usize| {
            let off =
                runs.iter().zip(&shares).map(|(run, share)| (share * (run.answers[place] - local[place])).powi(2));
            off.sum::<f64>() * runs.len() as f64 / (runs.len() as f64 - 1.0).max(1.0)
        };
        let error = (0..MOST).map(variance).fold(0.0, f64::max).sqrt();
        Prediction { p: self.by_tag(asked.theme, &local), error, membership, kinds }
    }

    /// One hearing of everything by all kinds of person.
    fn run(&self, case: &Case, draw: &mut Draw) -> Mixture {
        let Case { asked, seen, moves, laws, guesses, settling, .. } = case;
        let marks = || moves.iter().map(|(before, _)| *before);

        let mut cloud = Cloud::new(self, &laws.steady, *guesses, draw);
        let mut before = cloud.hear_until(seen.iter(), marks().chain([seen.len()]), draw, |cloud, _| cloud.standing());
        before.pop();
        let steady = Part::of(laws.steady.weight, cloud.settle(asked, *settling, draw));
        let hopeless = |weight: f64| weight < steady.weight - HOPELESS;

        let mut drifting = Vec::new();
        if !hopeless(laws.after.weight) {
            if !case.alike {
                let mut cloud = Cloud::new(self, &laws.before, *guesses, draw);
                before = cloud.hear_until(seen.iter(), marks(), draw, |cloud, _| cloud.standing());
            }
            let back = marks().rev().map(|before| seen.len() - before);
            let mut cloud = Cloud::new(self, &laws.after, *guesses, draw);
            let after = cloud.hear_until(seen.iter().rev(), back, draw, |cloud, draw| cloud.look(asked, draw));
            for (((_, share), before), after) in moves.iter().zip(before).zip(after.into_iter().rev()) {
                drifting.push(Part::moved(laws.after.weight + share.ln(), &before, after));
            }
        }

        let mut biased = Vec::new();
        // The tag is most of what is unknown of a biased person, so fewer guesses do.
        let mut cloud = Cloud::new(self, &laws.biased, guesses.div_ceil(2), draw);
        // A further response cannot make it likelier.
        let mut rest = seen.iter();
        let hopeful = loop {
            if hopeless(laws.biased.weight + cloud.standing().log_evidence) {
                break false;
            }
            match rest.next() {
                Some(seen) => cloud.hear(seen, draw),
                None => break true,
            }
        };
        if hopeful {
            biased.push(Part::of(laws.biased.weight, cloud.settle(asked, *settling, draw)));
        }
        Mixture::of(steady, biased, drifting)
    }
}

/// The softmax of the first `count` numbers.
fn softmax(leaning: &Fitting, count: usize) -> Fitting {
    let top = leaning[..count].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut p = [0.0; MOST];
    for (p, leaning) in p.iter_mut().zip(&leaning[..count]) {
        *p = (leaning - top).exp();
    }
    let sum: f64 = p.iter().sum();
    p.map(|p| p / sum)
}

/// Probabilities from unnormalised logarithms.
fn normalised(logs: &[f64]) -> Vec<f64> {
    super::softmax(logs)
}

/// ln Σ exp; −∞ of nothing.
fn log_sum(logs: &[f64]) -> f64 {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top.is_finite() { top + logs.iter().map(|log| (log - top).exp()).sum::<f64>().ln() } else { top }
}

/// The own habit that is expected of a community's people: signature and noise together are one Gaussian per theme.
fn expected_habits(shape: &Shape, customs: &[Vec<Custom>], averaged: usize) -> Vec<Vec<Fitting>> {
    let mut draw = Draw::seeded(0xBA_7E5);
    let deviation = OWN_LEANING.0.hypot(OWN_LEANING.1);
    let noise: Vec<Fitting> = (0..averaged / 2).map(|_| std::array::from_fn(|_| deviation * draw.normal())).collect();
    let mean = |custom: &Custom, tags: usize| {
        let mut mean = [0.0; MOST];
        for (noise, sign) in noise.iter().flat_map(|noise| [(noise, 1.0), (noise, -1.0)]) {
            let mut leaning = custom.leaning;
            leaning.iter_mut().zip(noise).for_each(|(leaning, noise)| *leaning += sign * noise);
            let habit = softmax(&leaning, tags);
            mean.iter_mut().zip(habit).for_each(|(mean, p)| *mean += p / averaged as f64);
        }
        mean
    };
    let of = |custom: &Vec<Custom>| custom.iter().zip(&shape.fits).map(|(c, fits)| mean(c, fits.len())).collect();
    customs.iter().map(of).collect()
}

#[cfg(test)]
mod tests;
