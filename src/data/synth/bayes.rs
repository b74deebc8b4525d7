//! What could have been known: Bayesian prediction under the generator of film tags, the measure of what reads prompts.
//!
//! A response follows the person's own habit, the community's habit or chance (see [`super::population`]). Habits are
//! softmaxes of Gaussian leanings, so all that is unknown is z ~ N(0, I) and two indexes: whose community the person is
//! in, and which tag a biased person is fixed on. z is drawn by elliptical slice sampling (Murray, Adams and MacKay,
//! AISTATS 2010) theme by theme and then across themes; the indexes by Gibbs steps, given z and given the own habits in
//! turn, so that neither parametrisation gets stuck (Yu and Meng, JCGS 2011). A prediction is the mean over independent
//! chains, and their scatter is its Monte Carlo error. What a person watches tells of the community as well: that part is
//! integrated by Laplace's method.
//!
//! What the reference is told and no reader is: the theme of every film, whether a person is biased, when a drifting
//! person moves, and, where the crowd is known, its habits exactly. It then errs in one direction: regret to it is
//! overstated. What it leaves out: that a theme's films run out.
//!
//! Invariant: a prediction is a pure function of its arguments, the state of the draw among them.

use super::{COMMUNITY_LEANING, COMMUNITY_SHARE, DIET_SPREAD, FIXED, OWN_LEANING, OWN_SHARE, TAKEN_OVER};
use super::{TAGS, THEMES, Truth};
use crate::data::draw::Draw;

/// Most tags that fit one theme.
const MOST: usize = 4;
/// Draws that the own habits of a community's people are averaged over.
const AVERAGED: usize = 8000;
/// Draws of the question's own theme in each sweep: it matters most, and one theme costs little.
const ASKED_AGAIN: usize = 4;
/// A community of less membership is left out of a mixture.
const LEAST_MEMBERSHIP: f64 = 0.01;

/// A number per tag that fits a theme, in the theme's order; the rest is 0.
type Fitting = [f64; MOST];

/// Which tags fit which theme.
#[derive(Clone, Debug, PartialEq)]
struct Shape {
    tags: usize,
    /// Per theme, at most [`MOST`] each.
    fits: Vec<Vec<usize>>,
}

impl Shape {
    fn of_films() -> Self {
        Self { tags: TAGS.len(), fits: THEMES.iter().map(|theme| theme.tags.to_vec()).collect() }
    }

    /// How many themes a tag fits.
    fn spread(&self, tag: usize) -> usize {
        self.fits.iter().filter(|tags| tags.contains(&tag)).count()
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
}

/// What is known about a question besides memories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The film's theme.
    pub theme: usize,
    /// Whether it is a judged query; otherwise it is an interaction, which a biased person's fixation decides mostly.
    pub judged: bool,
    /// Whether the person is biased.
    pub biased: bool,
}

/// A remembered response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The film's theme.
    pub theme: usize,
    /// What the person answered, as an index into [`TAGS`].
    pub tag: usize,
}

/// What is remembered of a person.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Responses, in any order.
    pub seen: &'a [Seen],
    /// Whether it is all the person did, so that the themes tell of the person; not if a query has chosen among them.
    pub whole: bool,
}

/// How long to draw for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Effort {
    /// Independent chains, at least 2.
    chains: usize,
    /// Sweeps of each that are thrown away.
    warm_up: usize,
    /// Themes that each chain moves in the sweeps that are averaged: few themes, many sweeps.
    moves: usize,
}

impl Effort {
    /// For predictions whose errors are around .01.
    const USUAL: Self = Self { chains: 4, warm_up: 30, moves: 5_000 };

    fn sweeps(&self, themes: usize) -> usize {
        // The signatures count as some themes.
        (self.moves / (themes + 4)).max(1)
    }
}

/// What to expect.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Probability of each tag.
    pub p: Vec<f64>,
    /// Monte Carlo standard error of the least certain probability.
    pub error: f64,
    /// Probability of each community; empty where none is known.
    pub membership: Vec<f64>,
}

/// A population's latent truth, as prediction needs it.
#[derive(Clone, Debug)]
pub struct World {
    shape: Shape,
    /// By community and theme.
    customs: Vec<Vec<Custom>>,
    /// ln weight by community and theme.
    diets: Vec<Vec<f64>>,
    /// The expected own habit of a community's people, by community and theme.
    expected: Vec<Vec<Fitting>>,
    effort: Effort,
}

impl World {
    /// The world behind a population.
    pub fn of(truth: &Truth) -> Self {
        Self::new(Shape::of_films(), &truth.habits, &truth.diets, Effort::USUAL)
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
        let expected = expected_habits(&shape, &customs);
        Self { shape, customs, diets, expected, effort }
    }

    /// How many communities there are.
    pub fn communities(&self) -> usize {
        self.customs.len()
    }

    /// The tags that fit a theme.
    pub fn fitting(&self, theme: usize) -> &[usize] {
        &self.shape.fits[theme]
    }

    /// Without any memory: no tag of a theme is dearer to a generated person than another.
    pub fn from_nothing(&self, asked: &Asked) -> Prediction {
        let fits = self.fitting(asked.theme).len();
        let mut local = [0.0; MOST];
        local[..fits].fill(1.0 / fits as f64);
        Prediction { p: self.by_tag(asked.theme, &local), error: 0.0, membership: Vec::new() }
    }

    /// From a person's memories, nothing being known of anybody else.
    pub fn from_own(&self, asked: &Asked, history: History, draw: &mut Draw) -> Prediction {
        if history.seen.is_empty() { self.from_nothing(asked) } else { self.predict(asked, history, None, draw) }
    }

    /// From a person's memories and the habits of all communities; `prior` says how likely the person is in each before
    /// the responses are looked at. One that is certain of a community only asks what the memories say of the person.
    pub fn from_both(&self, asked: &Asked, history: History, prior: &[f64], draw: &mut Draw) -> Prediction {
        self.predict(asked, history, Some(prior), draw)
    }

    /// The same where membership is settled elsewhere, so that the memories tell of the person's own habit alone.
    pub fn from_member(&self, asked: &Asked, history: History, membership: &[f64], draw: &mut Draw) -> Prediction {
        let mut p = vec![0.0; self.shape.tags];
        let (mut weight, mut variance) = (0.0, 0.0);
        for (community, share) in membership.iter().enumerate().filter(|(_, share)| **share >= LEAST_MEMBERSHIP) {
            let found = self.from_both(asked, history, &self.certain(community), draw);
            p.iter_mut().zip(&found.p).for_each(|(p, more)| *p += share * more);
            variance += (share * found.error).powi(2);
            weight += share;
        }
        p.iter_mut().for_each(|p| *p /= weight);
        Prediction { p, error: variance.sqrt() / weight, membership: membership.to_vec() }
    }

    /// From membership alone: the person's own habit is integrated out under its prior given the community.
    pub fn from_crowd(&self, asked: &Asked, membership: &[f64]) -> Prediction {
        let mut local = [0.0; MOST];
        for (community, share) in membership.iter().enumerate() {
            let custom = &self.customs[community][asked.theme];
            let answers = self.answers(asked.theme, &custom.habit, &self.expected[community][asked.theme], None, true);
            local.iter_mut().zip(answers).for_each(|(p, more)| *p += share * more);
        }
        Prediction { p: self.by_tag(asked.theme, &local), error: 0.0, membership: membership.to_vec() }
    }

    /// Membership in one community and no other.
    pub fn certain(&self, community: usize) -> Vec<f64> {
        (0..self.communities()).map(|c| if c == community { 1.0 } else { 0.0 }).collect()
    }

    /// How likely somebody is in each community who has watched so many films of each theme, by Laplace's method: the log
    /// posterior of the person's diet is concave.
    pub fn by_diet(&self, watched: &[f64]) -> Vec<f64> {
        normalised(&self.diets.iter().map(|diet| log_diet_evidence(diet, watched)).collect::<Vec<f64>>())
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
        let fixed = FIXED.0 / self.shape.spread(tag) as f64;
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

    fn predict(&self, asked: &Asked, history: History, prior: Option<&[f64]>, draw: &mut Draw) -> Prediction {
        let Effort { chains, warm_up, .. } = self.effort;
        let mut means: Vec<Fitting> = Vec::with_capacity(chains);
        let mut membership = vec![0.0; prior.map_or(0, <[f64]>::len)];
        for _ in 0..chains {
            let mut chain = Chain::new(self, asked, history, prior, draw);
            (0..warm_up).for_each(|_| chain.sweep(draw));
            let mut mean = [0.0; MOST];
            let sweeps = self.effort.sweeps(chain.blocks.len());
            for _ in 0..sweeps {
                chain.sweep(draw);
                for _ in 0..ASKED_AGAIN {
                    chain.move_theme(0, draw);
                    let share = 1.0 / (ASKED_AGAIN * sweeps) as f64;
                    mean.iter_mut().zip(chain.expects()).for_each(|(mean, p)| *mean += share * p);
                }
                let share = 1.0 / (chains * sweeps) as f64;
                membership.iter_mut().zip(&chain.belongs).for_each(|(sum, p)| *sum += share * p);
            }
            means.push(mean);
        }
        let count = chains as f64;
        let mut local = [0.0; MOST];
        let mut error: f64 = 0.0;
        for (place, overall) in local.iter_mut().enumerate() {
            *overall = means.iter().map(|mean| mean[place]).sum::<f64>() / count;
            let scatter: f64 = means.iter().map(|mean| (mean[place] - *overall).powi(2)).sum();
            error = error.max((scatter / (count - 1.0) / count).sqrt());
        }
        Prediction { p: self.by_tag(asked.theme, &local), error, membership }
    }
}

/// What is unknown about one theme's habits, and what was answered there.
#[derive(Clone, Debug)]
struct Block {
    theme: usize,
    counts: Fitting,
    /// Standard normal: what the theme adds to the own leanings, then, of an unknown community, to the community's.
    noise: Vec<f64>,
}

/// A Markov chain over all that is unknown.
struct Chain<'a> {
    world: &'a World,
    asked: &'a Asked,
    /// Themes that were answered to, the first one the question's.
    blocks: Vec<Block>,
    /// Standard normal: the own leaning to each tag, then, of an unknown community, the community's.
    signatures: Vec<f64>,
    /// ln prior of the communities, where they are known.
    prior: Option<Vec<f64>>,
    /// The person's, where they are known.
    community: Option<usize>,
    /// Its distribution given everything else, at the last sweep.
    belongs: Vec<f64>,
    /// What a biased person is fixed on.
    fixation: Option<usize>,
    /// ln probability of the watched themes under each fixation.
    fixations: Vec<f64>,
}

impl<'a> Chain<'a> {
    /// Begins where the prior says.
    fn new(world: &'a World, asked: &'a Asked, history: History, prior: Option<&[f64]>, draw: &mut Draw) -> Self {
        let shape = &world.shape;
        let sides = if prior.is_none() { 2 } else { 1 };
        let mut blocks: Vec<Block> = Vec::new();
        let empty = |theme| Block { theme, counts: [0.0; MOST], noise: Vec::new() };
        blocks.push(empty(asked.theme));
        for seen in history.seen {
            let place = blocks.iter().position(|block| block.theme == seen.theme).unwrap_or_else(|| {
                blocks.push(empty(seen.theme));
                blocks.len() - 1
            });
            if let Some(tag) = shape.fits[seen.theme].iter().position(|tag| *tag == seen.tag) {
                blocks[place].counts[tag] += 1.0;
            }
        }
        for block in &mut blocks {
            block.noise = (0..sides * shape.fits[block.theme].len()).map(|_| draw.normal()).collect();
        }
        let signatures = (0..sides * shape.tags).map(|_| draw.normal()).collect();
        let community = prior.map(|prior| draw.index(prior));
        let fixation = asked.biased.then(|| draw.below(shape.tags));
        let watching = |tag: usize| {
            let all = (1.0 - FIXED.0) / shape.fits.len() as f64;
            let fixed = FIXED.0 / shape.spread(tag).max(1) as f64;
            let fits = |seen: &Seen| shape.fits[seen.theme].contains(&tag);
            history.seen.iter().map(|seen| if fits(seen) { (fixed + all).ln() } else { all.ln() }).sum()
        };
        let fixations = if history.whole { (0..shape.tags).map(watching).collect() } else { vec![0.0; shape.tags] };
        let (belongs, prior) = match prior {
            Some(prior) => (prior.to_vec(), Some(prior.iter().map(|p| p.ln()).collect())),
            None => (Vec::new(), None),
        };
        Self { world, asked, blocks, signatures, prior, community, belongs, fixation, fixations }
    }

    /// The habits behind a theme's answers: the community's and the person's own.
    fn habits(&self, block: &Block, noise: &[f64], signatures: &[f64], community: Option<usize>) -> (Fitting, Fitting) {
        let fits = self.world.fitting(block.theme);
        let custom = match community {
            Some(community) => self.world.customs[community][block.theme],
            None => {
                let (general, each) = COMMUNITY_LEANING;
                let theirs = &signatures[self.world.shape.tags..];
                let mut leaning = [0.0; MOST];
                for (place, tag) in fits.iter().enumerate() {
                    leaning[place] = general * theirs[*tag] + each * noise[fits.len() + place];
                }
                Custom::new(softmax(&leaning, fits.len()), fits.len())
            }
        };
        let (general, each) = OWN_LEANING;
        let mut leaning = custom.leaning;
        for (place, tag) in fits.iter().enumerate() {
            leaning[place] += general * signatures[*tag] + each * noise[place];
        }
        (custom.habit, softmax(&leaning, fits.len()))
    }

    /// ln probability of what was answered to a theme.
    fn told(&self, block: &Block, (common, own): (Fitting, Fitting), fixation: Option<usize>) -> f64 {
        let answers = self.world.answers(block.theme, &common, &own, fixation, false);
        let said = block.counts.iter().zip(answers).filter(|(count, _)| **count > 0.0);
        said.map(|(count, p)| count * p.ln()).sum()
    }

    /// The same of all themes, as things stand but for what is given.
    fn told_in_all(&self, signatures: &[f64], community: Option<usize>, fixation: Option<usize>) -> f64 {
        let told = |block: &Block| self.told(block, self.habits(block, &block.noise, signatures, community), fixation);
        self.blocks.iter().map(told).sum()
    }

    /// Moves everything once.
    fn sweep(&mut self, draw: &mut Draw) {
        (0..self.blocks.len()).for_each(|place| self.move_theme(place, draw));
        let mut signatures = std::mem::take(&mut self.signatures);
        slice(draw, &mut signatures, |signatures| self.told_in_all(signatures, self.community, self.fixation));
        self.signatures = signatures;
        if let Some(prior) = self.prior.take() {
            if prior.iter().filter(|p| p.is_finite()).count() > 1 {
                self.change_community(&prior, draw);
                self.change_community_under_own_habits(&prior, draw);
            }
            self.prior = Some(prior);
        }
        if self.fixation.is_some() {
            let told = |tag: usize| self.fixations[tag] + self.told_in_all(&self.signatures, self.community, Some(tag));
            let weights: Vec<f64> = (0..self.world.shape.tags).map(told).collect();
            self.fixation = Some(draw.index(&normalised(&weights)));
        }
    }

    /// Moves what is unknown about one theme.
    fn move_theme(&mut self, place: usize, draw: &mut Draw) {
        let mut noise = std::mem::take(&mut self.blocks[place].noise);
        let block = &self.blocks[place];
        slice(draw, &mut noise, |noise| {
            self.told(block, self.habits(block, noise, &self.signatures, self.community), self.fixation)
        });
        self.blocks[place].noise = noise;
    }

    /// A Gibbs step that moves the own habits along: a person's distance from the community stays.
    fn change_community(&mut self, prior: &[f64], draw: &mut Draw) {
        let told = |(community, prior): (usize, &f64)| {
            if prior.is_finite() {
                prior + self.told_in_all(&self.signatures, Some(community), self.fixation)
            } else {
                f64::NEG_INFINITY
            }
        };
        self.belongs = normalised(&prior.iter().enumerate().map(told).collect::<Vec<f64>>());
        self.community = Some(draw.index(&self.belongs));
    }

    /// A Gibbs step under which own habits stay where something was answered, and the distance changes.
    fn change_community_under_own_habits(&mut self, prior: &[f64], draw: &mut Draw) {
        let Some(now) = self.community else { return };
        let each = OWN_LEANING.1;
        let customs = &self.world.customs;
        let answered = |block: &&Block| block.counts.iter().any(|count| *count > 0.0);
        let owned: Vec<(&Block, Fitting)> = self
            .blocks
            .iter()
            .filter(answered)
            .map(|block| (block, self.habits(block, &block.noise, &self.signatures, Some(now)).1))
            .collect();
        // own leaning − signature = .8 ln habit + 2 noise
        let moved = |block: &Block, place: usize, community: usize| {
            let from = customs[now][block.theme].leaning[place] - customs[community][block.theme].leaning[place];
            block.noise[place] + from / each
        };
        let weigh = |(community, prior): (usize, &f64)| {
            if !prior.is_finite() {
                return f64::NEG_INFINITY;
            }
            let fit = |(block, own): &(&Block, Fitting)| {
                let distance: f64 = (0..block.noise.len()).map(|place| moved(block, place, community).powi(2)).sum();
                self.told(block, (customs[community][block.theme].habit, *own), self.fixation) - distance / 2.0
            };
            prior + owned.iter().map(fit).sum::<f64>()
        };
        let weights: Vec<f64> = prior.iter().enumerate().map(weigh).collect();
        let next = draw.index(&normalised(&weights));
        for block in self.blocks.iter_mut().filter(|block| block.counts.iter().any(|count| *count > 0.0)) {
            let from = customs[now][block.theme].leaning;
            let to = customs[next][block.theme].leaning;
            for (noise, (from, to)) in block.noise.iter_mut().zip(from.iter().zip(to)) {
                *noise += (from - to) / each;
            }
        }
        self.community = Some(next);
    }

    /// The probability of each answer to the question, as things stand.
    fn expects(&self) -> Fitting {
        let block = &self.blocks[0];
        let (common, own) = self.habits(block, &block.noise, &self.signatures, self.community);
        self.world.answers(block.theme, &common, &own, self.fixation, self.asked.judged)
    }
}

/// Elliptical slice sampling: moves `at`, standard normal a priori, under a likelihood.
fn slice(draw: &mut Draw, at: &mut [f64], log_likelihood: impl Fn(&[f64]) -> f64) {
    let from = at.to_vec();
    let other: Vec<f64> = at.iter().map(|_| draw.normal()).collect();
    let bar = log_likelihood(at) + (1.0 - draw.unit()).ln();
    let mut angle = draw.unit() * std::f64::consts::TAU;
    let (mut low, mut high) = (angle - std::f64::consts::TAU, angle);
    loop {
        let (sin, cos) = angle.sin_cos();
        at.iter_mut().zip(from.iter().zip(&other)).for_each(|(at, (from, other))| *at = from * cos + other * sin);
        if log_likelihood(at) >= bar {
            return;
        }
        *(if angle < 0.0 { &mut low } else { &mut high }) = angle;
        angle = low + draw.unit() * (high - low);
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

/// ∫ Π p(theme | diet) N(diet): ln of it but for what is the same for all communities.
fn log_diet_evidence(diet: &[f64], watched: &[f64]) -> f64 {
    let precision = DIET_SPREAD.powi(-2);
    let total: f64 = watched.iter().sum();
    // x = what the person departs by; the mode by Newton's method, the Hessian being diagonal but for one outer product.
    let value = |x: &[f64], shares: &mut Vec<f64>| {
        let weights: Vec<f64> = diet.iter().zip(x).map(|(diet, x)| diet + x).collect();
        *shares = normalised(&weights);
        let told: f64 = watched.iter().zip(&*shares).filter(|(n, _)| **n > 0.0).map(|(n, p)| n * p.ln()).sum();
        told - x.iter().map(|x| x * x).sum::<f64>() * precision / 2.0
    };
    let mut x = vec![0.0; diet.len()];
    let mut shares = Vec::new();
    let mut height = value(&x, &mut shares);
    let steepness = |shares: &[f64]| shares.iter().map(|p| precision + total * p).collect::<Vec<f64>>();
    for _ in 0..40 {
        let steep = steepness(&shares);
        let slope: Vec<f64> = (0..x.len()).map(|i| watched[i] - total * shares[i] - precision * x[i]).collect();
        let across: f64 = (0..x.len()).map(|i| shares[i] * slope[i] / steep[i]).sum();
        let along: f64 = (0..x.len()).map(|i| shares[i] * shares[i] / steep[i]).sum();
        let factor = total * across / (1.0 - total * along);
        let step: Vec<f64> = (0..x.len()).map(|i| (slope[i] + factor * shares[i]) / steep[i]).collect();
        let (mut length, before) = (1.0, height);
        loop {
            let tried: Vec<f64> = x.iter().zip(&step).map(|(x, step)| x + length * step).collect();
            let reached = value(&tried, &mut shares);
            if reached >= height || length < 1e-6 {
                (x, height) = (tried, reached);
                break;
            }
            length /= 2.0;
        }
        if height - before < 1e-9 {
            break;
        }
    }
    let steep = steepness(&shares);
    let along: f64 = shares.iter().zip(&steep).map(|(p, steep)| p * p / steep).sum();
    height - (steep.iter().map(|d| d.ln()).sum::<f64>() + (1.0 - total * along).ln()) / 2.0
}

/// The own habit that is expected of a community's people: signature and noise together are one Gaussian per theme.
fn expected_habits(shape: &Shape, customs: &[Vec<Custom>]) -> Vec<Vec<Fitting>> {
    let mut draw = Draw::seeded(0xBA_7E5);
    let deviation = OWN_LEANING.0.hypot(OWN_LEANING.1);
    let noise: Vec<Fitting> = (0..AVERAGED / 2).map(|_| std::array::from_fn(|_| deviation * draw.normal())).collect();
    let mean = |custom: &Custom, tags: usize| {
        let mut mean = [0.0; MOST];
        for (noise, sign) in noise.iter().flat_map(|noise| [(noise, 1.0), (noise, -1.0)]) {
            let mut leaning = custom.leaning;
            leaning.iter_mut().zip(noise).for_each(|(leaning, noise)| *leaning += sign * noise);
            let habit = softmax(&leaning, tags);
            mean.iter_mut().zip(habit).for_each(|(mean, p)| *mean += p / AVERAGED as f64);
        }
        mean
    };
    let of = |custom: &Vec<Custom>| custom.iter().zip(&shape.fits).map(|(c, fits)| mean(c, fits.len())).collect();
    customs.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Effort = Effort { chains: 8, warm_up: 100, moves: 20_000 };

    /// One theme, two tags, communities that like the first one with probability `p`.
    fn tiny(p: &[f64], effort: Effort) -> World {
        let shape = Shape { tags: 2, fits: vec![vec![0, 1]] };
        let habits: Vec<Vec<Vec<f64>>> = p.iter().map(|p| vec![vec![*p, 1.0 - p]]).collect();
        World::new(shape, &habits, &vec![vec![1.0]; p.len()], effort)
    }

    fn asked(biased: bool, judged: bool) -> Asked {
        Asked { theme: 0, judged, biased }
    }

    fn seen(first: usize, second: usize) -> Vec<Seen> {
        let tags = std::iter::repeat_n(0, first).chain(std::iter::repeat_n(1, second));
        tags.map(|tag| Seen { theme: 0, tag }).collect()
    }

    /// ∫ f(x) N(x; 0, deviation²) dx by the midpoint rule.
    fn gauss(deviation: f64, f: impl Fn(f64) -> f64) -> f64 {
        let (steps, reach) = (600, 7.0);
        let width = 2.0 * reach / steps as f64;
        let at = |i: usize| -reach + (i as f64 + 0.5) * width;
        (0..steps).map(|i| f(at(i) * deviation) * (-at(i) * at(i) / 2.0).exp() * width).sum::<f64>()
            / std::f64::consts::TAU.sqrt()
    }

    fn logistic(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    /// What is integrated over an own habit in a community that likes the first tag with probability `p`.
    fn over_own(p: f64, (a, b): (i32, i32)) -> (f64, f64) {
        let leaning = TAKEN_OVER.0 * (p.max(TAKEN_OVER.1) / (1.0 - p).max(TAKEN_OVER.1)).ln();
        let deviation = 2f64.sqrt() * OWN_LEANING.0.hypot(OWN_LEANING.1);
        let first = |x: f64| 0.52 * logistic(leaning + x) + 0.40 * p + 0.04;
        let told = |x: f64| first(x).powi(a) * (1.0 - first(x)).powi(b);
        (gauss(deviation, told), gauss(deviation, |x| told(x) * first(x)))
    }

    #[test]
    fn an_unknown_community_agrees_with_quadrature() {
        let world = tiny(&[0.5], LONG);
        for (a, b) in [(0, 0), (1, 0), (3, 1), (2, 6)] {
            let deviation = 2f64.sqrt() * COMMUNITY_LEANING.0.hypot(COMMUNITY_LEANING.1);
            let evidence = gauss(deviation, |x| over_own(logistic(x), (a, b)).0);
            let exact = gauss(deviation, |x| over_own(logistic(x), (a, b)).1) / evidence;
            let seen = seen(a as usize, b as usize);
            let found = world.from_own(&asked(false, true), History { seen: &seen, whole: true }, &mut Draw::seeded(7));
            assert!((found.p[0] - exact).abs() < 0.012, "{a} of one, {b} of the other: {} for {exact}", found.p[0]);
            assert!(found.error < 0.01 && (found.p[0] + found.p[1] - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn membership_agrees_with_quadrature() {
        let (p, prior) = ([0.9, 0.2, 0.02], [0.5, 0.3, 0.2]);
        let world = tiny(&p, LONG);
        for (a, b) in [(1, 0), (1, 4), (12, 1)] {
            let each: Vec<(f64, f64)> = p.iter().map(|p| over_own(*p, (a, b))).collect();
            let evidence: f64 = each.iter().zip(prior).map(|(each, prior)| prior * each.0).sum();
            let exact = each.iter().zip(prior).map(|(each, prior)| prior * each.1).sum::<f64>() / evidence;
            let seen = seen(a as usize, b as usize);
            let history = History { seen: &seen, whole: true };
            let found = world.from_both(&asked(false, true), history, &prior, &mut Draw::seeded(8));
            assert!((found.p[0] - exact).abs() < 0.012, "{a}, {b}: {} for {exact}", found.p[0]);
            for (community, each) in each.iter().enumerate() {
                let (share, exact) = (found.membership[community], prior[community] * each.0 / evidence);
                assert!((share - exact).abs() < 0.015, "{a}, {b}: {share} for {exact}");
            }
        }
    }

    #[test]
    fn a_settled_membership_learns_nothing_from_memories_but_the_own_habit() {
        let world = tiny(&[0.9, 0.2], LONG);
        let exact: f64 = [0.9, 0.2]
            .iter()
            .zip([0.3, 0.7])
            .map(|(p, w)| {
                let (evidence, answer) = over_own(*p, (0, 3));
                w * answer / evidence
            })
            .sum();
        let history = History { seen: &seen(0, 3), whole: false };
        let found = world.from_member(&asked(false, true), history, &[0.3, 0.7], &mut Draw::seeded(9));
        assert!((found.p[0] - exact).abs() < 0.01, "{} for {exact}", found.p[0]);
    }

    #[test]
    fn a_fixation_agrees_with_enumeration() {
        let world = tiny(&[0.7], LONG);
        let (a, b) = (3, 1);
        // One theme that both tags fit: nine tenths are fixed.
        let told = |fixed_on_first: bool| {
            let own = if fixed_on_first { 1.0 } else { 0.0 };
            0.9 * (0.97 * own + 0.03 * 0.7) + 0.1 * (0.52 * own + 0.40 * 0.7 + 0.04)
        };
        let weight = |on_first| f64::powi(told(on_first), a) * (1.0 - told(on_first)).powi(b);
        let on_first = weight(true) / (weight(true) + weight(false));
        let judged = 0.52 * on_first + 0.40 * 0.7 + 0.04;
        let again = on_first * told(true) + (1.0 - on_first) * told(false);
        for (is_judged, exact) in [(true, judged), (false, again)] {
            let history = History { seen: &seen(a as usize, b as usize), whole: true };
            let found = world.from_both(&asked(true, is_judged), history, &[1.0], &mut Draw::seeded(10));
            assert!((found.p[0] - exact).abs() < 0.01, "{} for {exact}", found.p[0]);
        }
    }

    #[test]
    fn the_crowd_alone_is_the_prior_of_its_people() {
        let world = tiny(&[0.9, 0.2], LONG);
        let exact = 0.25 * over_own(0.9, (0, 0)).1 + 0.75 * over_own(0.2, (0, 0)).1;
        let found = world.from_crowd(&asked(false, true), &[0.25, 0.75]);
        assert!((found.p[0] - exact).abs() < 0.005, "{} for {exact}", found.p[0]);
    }

    #[test]
    fn what_is_watched_tells_of_the_community_as_sampling_says() {
        let diets = [vec![4.0, 1.0, 0.5], vec![0.3, 1.0, 2.0]];
        let shape = Shape { tags: 2, fits: vec![vec![0, 1]; 3] };
        let habits = vec![vec![vec![0.5, 0.5]; 3]; 2];
        let world = World::new(shape, &habits, &diets, Effort::USUAL);
        let mut draw = Draw::seeded(11);
        for watched in [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [2.0, 3.0, 1.0]] {
            let mut evidence = |diet: &[f64]| {
                let one = |_| {
                    let weights: Vec<f64> = diet.iter().map(|w| w * (DIET_SPREAD * draw.normal()).exp()).collect();
                    let sum: f64 = weights.iter().sum();
                    weights.iter().zip(watched).map(|(w, n)| (w / sum).powf(n)).product::<f64>()
                };
                (0..100_000).map(one).sum::<f64>()
            };
            let (first, second) = (evidence(&diets[0]), evidence(&diets[1]));
            let (found, exact) = (world.by_diet(&watched)[0], first / (first + second));
            assert!((found - exact).abs() < 0.02, "{watched:?}: {found} for {exact}");
        }
    }

    /// The real themes with two made-up communities.
    fn films(effort: Effort) -> World {
        let parameters = super::super::Parameters { users: 1, communities: 2, ..Default::default() };
        let (_, truth) = super::super::population(&parameters);
        World { effort, ..World::of(&truth) }
    }

    #[test]
    fn nothing_known_is_uniform_over_fitting_tags() {
        let world = films(LONG);
        let asked = Asked { theme: 4, judged: true, biased: false };
        let by_definition = world.from_nothing(&asked);
        let by_sampling = world.predict(&asked, History { seen: &[], whole: true }, None, &mut Draw::seeded(12));
        for (tag, (p, q)) in by_definition.p.iter().zip(&by_sampling.p).enumerate() {
            assert!((p - q).abs() < 0.02, "tag {tag}: {p} and {q}");
            assert_eq!(*p > 0.0, THEMES[4].tags.contains(&tag));
        }
    }

    #[test]
    fn more_of_a_tag_means_more_of_it_whatever_the_tag() {
        let effort = Effort { chains: 6, warm_up: 50, moves: 9000 };
        let world = films(effort);
        // Theme 0 and a theme that shares a tag with it: a likeness of habits across themes.
        let asked = Asked { theme: 0, judged: true, biased: false };
        let likely = |tag: usize, count: usize, theme: usize| {
            let seen = vec![Seen { theme, tag }; count];
            world.from_own(&asked, History { seen: &seen, whole: true }, &mut Draw::seeded(13)).p[tag]
        };
        let other = (1..THEMES.len()).find(|theme| THEMES[*theme].tags.contains(&THEMES[0].tags[0])).unwrap_or(0);
        assert!(likely(THEMES[0].tags[0], 3, other) > likely(THEMES[0].tags[0], 0, other) + 0.03);
        let counts: Vec<f64> = [0, 1, 3, 8].iter().map(|count| likely(THEMES[0].tags[0], *count, 0)).collect();
        assert!(counts.is_sorted_by(|a, b| a + 0.03 < *b), "{counts:?}");
        // Tags are only names.
        let same: Vec<f64> = THEMES[0].tags.iter().map(|tag| likely(*tag, 3, 0)).collect();
        assert!(same.iter().all(|p| (p - same[0]).abs() < 0.03), "{same:?}");
    }

    #[test]
    fn a_prediction_is_a_function_of_its_draws() {
        let world = films(Effort::USUAL);
        let history = History { seen: &[Seen { theme: 3, tag: THEMES[3].tags[1] }], whole: true };
        let asked = Asked { theme: 3, judged: false, biased: true };
        let predict = |seed| world.from_both(&asked, history, &[0.5, 0.5], &mut Draw::seeded(seed));
        assert_eq!(predict(1), predict(1));
        assert_ne!(predict(1), predict(2));
    }
}
