//! Many guesses at all that is unknown of one person, moved and weighed as one response after another is heard.
//!
//! A sequential particle filter of a model that stands still (Chopin, Biometrika 2002): each response weighs the guesses,
//! and when few of them carry the weight they are drawn anew and moved. Moves leave the posterior as it is: z by
//! elliptical slice sampling, theme by theme and then across themes; the indexes by Gibbs steps, given z and given the own
//! habits in turn, so that neither parametrisation gets stuck (Yu and Meng, JCGS 2011). What chains do not give comes with
//! it: how probable all responses are that were heard, without bias.
//!
//! Invariant: weights sum to 1; a guess has noise for every theme that was heard of, and for no other.

use super::super::{COMMUNITY_LEANING, OWN_LEANING};
use super::{Asked, Custom, Fitting, MOST, Seen, World, normalised, softmax};
use crate::data::draw::Draw;

/// Draws of the question's own theme in each look: it matters most, and one theme costs little.
const ASKED_AGAIN: usize = 4;
/// A community that is so much less likely than another one, in ln, is impossible.
const NEGLIGIBLE: f64 = 14.0;
/// Guesses are drawn anew when the effective number of them falls below this share.
const FEW: f64 = 0.5;

/// What somebody is taken to be before any response of theirs is heard.
#[derive(Clone, Debug)]
pub(super) struct Law {
    /// ln probability of being so and of what was watched, up to what is the same for all laws.
    pub(super) weight: f64,
    /// Probability of each community; empty where none is known.
    pub(super) communities: Vec<f64>,
    /// Probability of a fixation on each tag; empty where there is none.
    pub(super) fixations: Vec<f64>,
}

/// What the responses so far say of the person.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// ln probability of the responses.
    pub(super) log_evidence: f64,
    /// Probability of each community; empty where none is known.
    pub(super) membership: Vec<f64>,
}

/// And of the question.
#[derive(Clone, Debug)]
pub(super) struct Outlook {
    pub(super) standing: Standing,
    /// Probability of each answer together with each community, or once where none is known.
    pub(super) answers: Vec<Fitting>,
}

impl Outlook {
    /// Probability of each answer.
    pub(super) fn overall(&self) -> Fitting {
        let mut overall = [0.0; MOST];
        self.answers.iter().for_each(|answers| add(&mut overall, 1.0, answers));
        overall
    }
}

/// Adds `share` of `more`.
pub(super) fn add(sum: &mut Fitting, share: f64, more: &Fitting) {
    sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += share * more);
}

/// What was answered to one theme.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) theme: usize,
    pub(super) counts: Fitting,
}

impl Block {
    /// ln probability of what was answered, under the community's habit and the own one.
    pub(super) fn told(&self, world: &World, (common, own): &(Fitting, Fitting), fixation: Option<usize>) -> f64 {
        let answers = world.answers(self.theme, common, own, fixation, false);
        // One logarithm: a theme's few films leave the product far from underflow.
        let said = self.counts.iter().zip(answers).filter(|(count, _)| **count > 0.0);
        said.map(|(count, p)| p.powi(*count as i32)).product::<f64>().ln()
    }
}

/// Standard normal: what a theme adds to the own leanings, then, of an unknown community, to the community's.
type Noise = [f64; 2 * MOST];

/// One guess.
#[derive(Clone, Debug)]
struct Guess {
    /// By block.
    noise: Vec<Noise>,
    /// Standard normal: the own leaning to each tag, then, of an unknown community, the community's.
    signatures: Vec<f64>,
    /// Where communities are known.
    community: Option<usize>,
    /// Its distribution given everything else, at the last move.
    belongs: Vec<f64>,
    /// What a biased person is fixed on.
    fixation: Option<usize>,
}

/// What guesses are judged by.
struct Heard<'a> {
    world: &'a World,
    law: &'a Law,
    blocks: Vec<Block>,
}

/// All guesses.
pub(super) struct Cloud<'a> {
    heard: Heard<'a>,
    guesses: Vec<Guess>,
    weights: Vec<f64>,
    log_evidence: f64,
}

impl<'a> Cloud<'a> {
    /// So many guesses that know the law alone.
    pub(super) fn new(world: &'a World, law: &'a Law, count: usize, draw: &mut Draw) -> Self {
        let heard = Heard { world, law, blocks: Vec::new() };
        let communities = evenly(&law.communities, count, draw);
        let mut fixations = evenly(&law.fixations, count, draw);
        draw.shuffle(&mut fixations);
        let signatures = heard.sides() * world.shape.tags;
        let guess = |number: usize| Guess {
            noise: Vec::new(),
            signatures: (0..signatures).map(|_| draw.normal()).collect(),
            community: communities.get(number).copied(),
            belongs: law.communities.clone(),
            fixation: fixations.get(number).copied(),
        };
        let guesses = (0..count).map(guess).collect();
        Self { heard, guesses, weights: vec![1.0 / count as f64; count], log_evidence: 0.0 }
    }

    /// Hears responses up to each of the ascending `marks`, counted from the first one, and takes a note there.
    pub(super) fn hear_until<'s, T>(
        &mut self,
        seen: impl Iterator<Item = &'s Seen>,
        marks: impl Iterator<Item = usize>,
        draw: &mut Draw,
        mut note: impl FnMut(&mut Self, &mut Draw) -> T,
    ) -> Vec<T> {
        let (mut seen, mut count) = (seen, 0);
        let stop = |mark: usize| {
            seen.by_ref().take(mark - count).for_each(|seen| self.hear(seen, draw));
            count = mark;
            note(self, draw)
        };
        marks.map(stop).collect()
    }

    /// Hears one response.
    pub(super) fn hear(&mut self, seen: &Seen, draw: &mut Draw) {
        let fits = self.heard.world.fitting(seen.theme);
        let Some(tag) = fits.iter().position(|tag| *tag == seen.tag) else { return };
        let place = self.block_of(seen.theme, draw);
        let block = &self.heard.blocks[place];
        for (guess, weight) in self.guesses.iter().zip(&mut self.weights) {
            let (common, own) = self.heard.habits_of(guess, place);
            *weight *= self.heard.world.answers(block.theme, &common, &own, guess.fixation, false)[tag];
        }
        self.heard.blocks[place].counts[tag] += 1.0;
        let sum: f64 = self.weights.iter().sum();
        self.log_evidence += sum.ln();
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
        let effective = 1.0 / self.weights.iter().map(|weight| weight * weight).sum::<f64>();
        if effective < FEW * self.guesses.len() as f64 {
            self.draw_anew(draw);
            self.sweep(draw);
        }
    }

    /// What the responses so far say of the person.
    pub(super) fn standing(&self) -> Standing {
        let mut membership = vec![0.0; self.heard.law.communities.len()];
        for (guess, weight) in self.guesses.iter().zip(&self.weights) {
            if let Some(community) = guess.community {
                membership[community] += weight;
            }
        }
        Standing { log_evidence: self.log_evidence, membership }
    }

    /// And of the question.
    pub(super) fn look(&mut self, asked: &Asked, draw: &mut Draw) -> Outlook {
        let standing = self.standing();
        let mut answers = vec![[0.0; MOST]; standing.membership.len().max(1)];
        let place = self.heard.blocks.iter().position(|block| block.theme == asked.theme);
        for (guess, weight) in self.guesses.iter_mut().zip(&self.weights) {
            for _ in 0..ASKED_AGAIN {
                let expected = self.heard.expects(guess, asked, place, draw);
                add(&mut answers[guess.community.unwrap_or(0)], weight / ASKED_AGAIN as f64, &expected);
            }
        }
        Outlook { standing, answers }
    }

    /// The same in the mean over so many moves of all guesses.
    pub(super) fn settle(&mut self, asked: &Asked, sweeps: usize, draw: &mut Draw) -> Outlook {
        let mut membership = vec![0.0; self.heard.law.communities.len()];
        let mut answers = vec![[0.0; MOST]; membership.len().max(1)];
        let each = 1.0 / sweeps as f64;
        for _ in 0..sweeps {
            self.sweep(draw);
            let outlook = self.look(asked, draw);
            answers.iter_mut().zip(&outlook.answers).for_each(|(sum, more)| add(sum, each, more));
            for (guess, weight) in self.guesses.iter().zip(&self.weights) {
                membership.iter_mut().zip(&guess.belongs).for_each(|(sum, p)| *sum += each * weight * p);
            }
        }
        Outlook { standing: Standing { log_evidence: self.log_evidence, membership }, answers }
    }

    /// The place of a theme's block; guesses at a theme that is new are fresh.
    fn block_of(&mut self, theme: usize, draw: &mut Draw) -> usize {
        if let Some(place) = self.heard.blocks.iter().position(|block| block.theme == theme) {
            return place;
        }
        self.heard.blocks.push(Block { theme, counts: [0.0; MOST] });
        let unknown = self.heard.unknown(theme);
        self.guesses.iter_mut().for_each(|guess| guess.noise.push(fresh(unknown, draw)));
        self.heard.blocks.len() - 1
    }

    /// Each guess as often as its weight says.
    fn draw_anew(&mut self, draw: &mut Draw) {
        let count = self.guesses.len();
        let kept = evenly(&self.weights, count, draw);
        self.guesses = kept.into_iter().map(|place| self.guesses[place].clone()).collect();
        self.weights.fill(1.0 / count as f64);
    }

    /// Moves every guess once.
    fn sweep(&mut self, draw: &mut Draw) {
        self.guesses.iter_mut().for_each(|guess| self.heard.sweep(guess, draw));
    }
}

/// So many indexes in proportion to `weights`, by one draw; none of none.
fn evenly(weights: &[f64], count: usize, draw: &mut Draw) -> Vec<usize> {
    let Some(last) = weights.len().checked_sub(1) else { return Vec::new() };
    let each = weights.iter().sum::<f64>() / count as f64;
    let (mut place, mut passed, start) = (0, weights[0], draw.unit());
    let at = |number: usize| {
        while place < last && passed <= (number as f64 + start) * each {
            place += 1;
            passed += weights[place];
        }
        place
    };
    (0..count).map(at).collect()
}

/// Standard normals, two at a time, by Box and Muller.
pub(super) fn fill(normals: &mut [f64], draw: &mut Draw) {
    for pair in normals.chunks_mut(2) {
        let radius = (-2.0 * (1.0 - draw.unit()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * draw.unit()).sin_cos();
        pair.iter_mut().zip([radius * cos, radius * sin]).for_each(|(at, normal)| *at = normal);
    }
}

/// So many standard normals, the rest 0.
fn fresh(count: usize, draw: &mut Draw) -> Noise {
    let mut noise = [0.0; 2 * MOST];
    fill(&mut noise[..count], draw);
    noise
}

impl Heard<'_> {
    /// Whose leanings are unknown: the person's, and the community's where it is.
    fn sides(&self) -> usize {
        if self.law.communities.is_empty() { 2 } else { 1 }
    }

    /// How much of a theme's noise is in use.
    fn unknown(&self, theme: usize) -> usize {
        self.sides() * self.world.fitting(theme).len()
    }

    /// The habits behind a theme's answers: the community's and the person's own.
    fn habits(&self, theme: usize, noise: &[f64], signatures: &[f64], community: Option<usize>) -> (Fitting, Fitting) {
        let fits = self.world.fitting(theme);
        let (common, mut leaning) = match community {
            Some(community) => {
                let custom = &self.world.customs[community][theme];
                (custom.habit, custom.leaning)
            }
            None => {
                let (general, each) = COMMUNITY_LEANING;
                let theirs = &signatures[self.world.shape.tags..];
                let mut leaning = [0.0; MOST];
                for (place, tag) in fits.iter().enumerate() {
                    leaning[place] = general * theirs[*tag] + each * noise[fits.len() + place];
                }
                let custom = Custom::leaning_to(&leaning, fits.len());
                (custom.habit, custom.leaning)
            }
        };
        let (general, each) = OWN_LEANING;
        for (place, tag) in fits.iter().enumerate() {
            leaning[place] += general * signatures[*tag] + each * noise[place];
        }
        (common, softmax(&leaning, fits.len()))
    }

    fn habits_of(&self, guess: &Guess, place: usize) -> (Fitting, Fitting) {
        self.habits(self.blocks[place].theme, &guess.noise[place], &guess.signatures, guess.community)
    }

    /// ln probability of what was answered to a theme.
    fn told(&self, block: &Block, habits: &(Fitting, Fitting), fixation: Option<usize>) -> f64 {
        block.told(self.world, habits, fixation)
    }

    /// The same of all themes, with what may be changed; −∞ below `floor`, where the rest need not be looked at.
    fn told_in_all(&self, guess: &Guess, signatures: &[f64], community: Option<usize>, floor: f64) -> f64 {
        let told = |(block, noise): (&Block, &Noise)| {
            self.told(block, &self.habits(block.theme, noise, signatures, community), guess.fixation)
        };
        sum_above(floor, self.blocks.iter().zip(&guess.noise).map(told))
    }

    /// Moves everything once.
    fn sweep(&self, guess: &mut Guess, draw: &mut Draw) {
        (0..self.blocks.len()).for_each(|place| self.move_theme(guess, place, draw));
        let mut signatures = std::mem::take(&mut guess.signatures);
        slice(draw, &mut signatures, |signatures, bar| self.told_in_all(guess, signatures, guess.community, bar));
        guess.signatures = signatures;
        if self.law.communities.iter().filter(|p| **p > 0.0).count() > 1 {
            self.change_community(guess, draw);
            self.change_community_under_own_habits(guess, draw);
        }
        if guess.fixation.is_some() {
            self.change_fixation(guess, draw);
        }
    }

    /// Moves what is unknown about one theme.
    fn move_theme(&self, guess: &mut Guess, place: usize, draw: &mut Draw) {
        let block = &self.blocks[place];
        let mut noise = guess.noise[place];
        slice(draw, &mut noise[..self.unknown(block.theme)], |noise, _| {
            self.told(block, &self.habits(block.theme, noise, &guess.signatures, guess.community), guess.fixation)
        });
        guess.noise[place] = noise;
    }

    /// A Gibbs step that moves the own habits along: a person's distance from the community stays.
    fn change_community(&self, guess: &mut Guess, draw: &mut Draw) {
        guess.belongs = self.each_community(guess, |community, floor| {
            self.told_in_all(guess, &guess.signatures, Some(community), floor)
        });
        guess.community = Some(draw.index(&guess.belongs));
    }

    /// The distribution of the community, given the ln likelihood of each one, or −∞ below a floor.
    fn each_community(&self, guess: &Guess, log_likelihood: impl Fn(usize, f64) -> f64) -> Vec<f64> {
        let mut logs = vec![f64::NEG_INFINITY; self.law.communities.len()];
        let mut top = f64::NEG_INFINITY;
        // The present one first: it is likely, so the others need not be looked at for long.
        let others = (0..logs.len()).filter(|community| Some(*community) != guess.community);
        for community in guess.community.into_iter().chain(others) {
            let prior = self.law.communities[community].ln();
            if prior.is_finite() {
                logs[community] = prior + log_likelihood(community, top - NEGLIGIBLE - prior);
                top = top.max(logs[community]);
            }
        }
        normalised(&logs)
    }

    /// A Gibbs step under which own habits stay where something was answered, and the distance changes.
    fn change_community_under_own_habits(&self, guess: &mut Guess, draw: &mut Draw) {
        let Some(now) = guess.community else { return };
        let each = OWN_LEANING.1;
        let customs = &self.world.customs;
        let own: Vec<Fitting> = (0..self.blocks.len()).map(|place| self.habits_of(guess, place).1).collect();
        let weights = self.each_community(guess, |community, floor| {
            let fit = |((block, noise), own): ((&Block, &Noise), &Fitting)| {
                let (from, to) = (&customs[now][block.theme], &customs[community][block.theme]);
                // own leaning − signature = .8 ln habit + 2 noise
                let moved = |place: usize| noise[place] + (from.leaning[place] - to.leaning[place]) / each;
                let fits = self.world.fitting(block.theme).len();
                let distance: f64 = (0..fits).map(|place| moved(place).powi(2)).sum();
                self.told(block, &(to.habit, *own), guess.fixation) - distance / 2.0
            };
            sum_above(floor, self.blocks.iter().zip(&guess.noise).zip(&own).map(fit))
        });
        let next = draw.index(&weights);
        for (block, noise) in self.blocks.iter().zip(&mut guess.noise) {
            let (from, to) = (&customs[now][block.theme].leaning, &customs[next][block.theme].leaning);
            noise.iter_mut().zip(from.iter().zip(to)).for_each(|(noise, (from, to))| *noise += (from - to) / each);
        }
        guess.community = Some(next);
    }

    /// A Gibbs step: only themes that fit a tag tell of a fixation on it.
    fn change_fixation(&self, guess: &mut Guess, draw: &mut Draw) {
        let mut logs: Vec<f64> = self.law.fixations.iter().map(|p| p.ln()).collect();
        for (place, block) in self.blocks.iter().enumerate() {
            let habits = self.habits_of(guess, place);
            let usual = self.told(block, &habits, None);
            for tag in self.world.fitting(block.theme) {
                logs[*tag] += self.told(block, &habits, Some(*tag)) - usual;
            }
        }
        guess.fixation = Some(draw.index(&normalised(&logs)));
    }

    /// The probability of each answer to the question, the question's own theme being moved first.
    fn expects(&self, guess: &mut Guess, asked: &Asked, place: Option<usize>, draw: &mut Draw) -> Fitting {
        let (common, own) = match place {
            Some(place) => {
                self.move_theme(guess, place, draw);
                self.habits_of(guess, place)
            }
            None => {
                let noise = fresh(self.unknown(asked.theme), draw);
                self.habits(asked.theme, &noise, &guess.signatures, guess.community)
            }
        };
        self.world.answers(asked.theme, &common, &own, guess.fixation, asked.judged)
    }
}

/// The sum of terms that are none of them above 0, or −∞ if it is below `floor`.
fn sum_above(floor: f64, terms: impl Iterator<Item = f64>) -> f64 {
    let mut sum = 0.0;
    for term in terms {
        sum += term;
        if sum < floor {
            return f64::NEG_INFINITY;
        }
    }
    sum
}

/// Elliptical slice sampling (Murray, Adams and MacKay, AISTATS 2010): moves `at`, standard normal a priori, under a ln
/// likelihood, which may be −∞ below the floor that it is given.
pub(super) fn slice(draw: &mut Draw, at: &mut [f64], log_likelihood: impl Fn(&[f64], f64) -> f64) {
    let from = at.to_vec();
    let mut other = vec![0.0; at.len()];
    fill(&mut other, draw);
    let bar = log_likelihood(at, f64::NEG_INFINITY) + (1.0 - draw.unit()).ln();
    let mut angle = draw.unit() * std::f64::consts::TAU;
    let (mut low, mut high) = (angle - std::f64::consts::TAU, angle);
    loop {
        let (sin, cos) = angle.sin_cos();
        at.iter_mut().zip(from.iter().zip(&other)).for_each(|(at, (from, other))| *at = from * cos + other * sin);
        if log_likelihood(at, bar) >= bar {
            return;
        }
        *(if angle < 0.0 { &mut low } else { &mut high }) = angle;
        angle = low + draw.unit() * (high - low);
    }
}
