//! What everybody's responses tell of the crowd's habits: a reference that is told those knows more than there is to know.
//!
//! Guesses at the habits of a community, as likely as the responses of its people make them: leanings of the community and
//! of each of its people are moved in turn by elliptical slice sampling, those of the community twice, once with the own
//! habits moving along and once with them standing still. Each guess is a chain of its own, from its own beginning; it
//! goes on as time does. A prediction is the mean of those under each guess: what a person answered is among what the
//! guesses were made from, so that none of them counts more than another.
//!
//! What it is told and nobody is: who is in which community, since when, and who is fixed on what.
//!
//! Invariant: guesses as of a moment are a function of responses before it, and of the draw.

use std::thread;

use super::super::{COMMUNITY_LEANING, OWN_LEANING};
use super::cloud::{Block, fill, slice};
use super::{Asked, Crowd, Custom, Fitting, History, Kinds, MOST, Prediction, Seen, World, expected_habits, softmax};
use crate::data::draw::Draw;

/// Somebody's time under one own habit: a drifting person has two of them.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Whose habits the own one leans on.
    pub community: usize,
    /// What tag a biased person is fixed on.
    pub fixation: Option<usize>,
    /// Responses, oldest first.
    pub seen: Vec<Seen>,
}

/// How much to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Guessing {
    pub(super) guesses: usize,
    /// Moves of everything before the first moment, and between one moment and the next.
    pub(super) moves: (usize, usize),
    /// Draws that own habits are averaged over, under each guess.
    pub(super) averaged: usize,
}

impl Guessing {
    const USUAL: Self = Self { guesses: 8, moves: (240, 40), averaged: 400 };
}

/// A world whose habits were learned, as of several moments.
pub struct Learned {
    /// With the moment from which on it may be asked, ascending.
    guesses: Vec<(f64, Vec<World>)>,
}

impl Learned {
    /// Learns what the habits of `world` may be from what everybody answered before each of the ascending `moments`, of
    /// which there is at least one.
    pub fn of(world: &World, stretches: &[Stretch], moments: &[f64], draw: &mut Draw) -> Self {
        Self::with(world, stretches, moments, Guessing::USUAL, draw)
    }

    /// A world whose habits are told: what is expected of it is expected in less time, and less surely.
    pub fn told(world: &World) -> Self {
        Self { guesses: vec![(0.0, vec![world.clone()])] }
    }

    pub(super) fn with(
        world: &World,
        stretches: &[Stretch],
        moments: &[f64],
        guessing: Guessing,
        draw: &mut Draw,
    ) -> Self {
        let draws: Vec<Draw> = (0..guessing.guesses).map(|_| Draw::seeded(draw.below(1 << 48) as u64)).collect();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = draws.len().div_ceil(threads).max(1);
        let chains: Vec<Vec<World>> = thread::scope(|scope| {
            let work = |draws: &[Draw]| {
                let mut draws = draws.to_vec();
                scope.spawn(move || {
                    draws.iter_mut().map(|draw| chain(world, stretches, moments, guessing, draw)).collect::<Vec<_>>()
                })
            };
            let running: Vec<_> = draws.chunks(share).map(work).collect();
            let done = running.into_iter().map(|chains| match chains.join() {
                Ok(chains) => chains,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            done.flatten().collect()
        });
        let at = |place: usize| chains.iter().map(|chain| chain[place].clone()).collect();
        Self { guesses: moments.iter().enumerate().map(|(place, moment)| (*moment, at(place))).collect() }
    }

    /// What may be the world, as of the last moment at or before `at`, or the first one.
    pub(super) fn as_of(&self, at: f64) -> &[World] {
        let passed = self.guesses.iter().take_while(|(moment, _)| *moment <= at).count();
        &self.guesses[passed.saturating_sub(1)].1
    }

    /// From a person's memories and what is known of all communities.
    pub fn from_both(&self, asked: &Asked, history: History, draw: &mut Draw) -> Prediction {
        let guesses = self.as_of(asked.at);
        let effort = guesses[0].effort.alone();
        mean(guesses.iter().map(|world| world.predict(asked, history, Crowd::Known, effort, draw)))
    }

    /// The same where membership is settled elsewhere, so that the memories tell of kind and own habit alone.
    pub fn from_member(&self, asked: &Asked, history: History, membership: &[f64], draw: &mut Draw) -> Prediction {
        let guesses = self.as_of(asked.at);
        let effort = guesses[0].effort.alone();
        mean(guesses.iter().map(|world| world.predict_member(asked, history, membership, effort, draw)))
    }

    /// From membership alone: kind and own habit are integrated out under their priors given the community.
    pub fn from_crowd(&self, asked: &Asked, membership: &[f64]) -> Prediction {
        mean(self.as_of(asked.at).iter().map(|world| world.predict_crowd(asked, membership)))
    }
}

/// All predictions count the same; the error is that of their mean.
fn mean(found: impl Iterator<Item = Prediction>) -> Prediction {
    let found: Vec<Prediction> = found.collect();
    let share = 1.0 / found.len() as f64;
    let mut mean = Prediction {
        p: vec![0.0; found[0].p.len()],
        error: 0.0,
        membership: vec![0.0; found[0].membership.len()],
        kinds: Kinds { steady: 0.0, biased: 0.0, drifting: 0.0 },
    };
    for one in &found {
        mean.p.iter_mut().zip(&one.p).for_each(|(sum, p)| *sum += share * p);
        mean.membership.iter_mut().zip(&one.membership).for_each(|(sum, p)| *sum += share * p);
        mean.kinds = mean.kinds.plus(share, &one.kinds);
    }
    let off = |tag: usize| found.iter().map(|one| (one.p[tag] - mean.p[tag]).powi(2)).sum::<f64>();
    let variance = (0..mean.p.len()).map(off).fold(0.0, f64::max) * share;
    mean.error = (variance / (found.len() as f64 - 1.0).max(1.0)).sqrt();
    mean
}

/// One guess at everything, as of each moment.
fn chain(world: &World, stretches: &[Stretch], moments: &[f64], guessing: Guessing, draw: &mut Draw) -> Vec<World> {
    let of = |community: usize, draw: &mut Draw| {
        let people = stretches.iter().filter(|stretch| stretch.community == community).collect();
        Company::new(world, people, draw)
    };
    let mut companies: Vec<Company> = (0..world.communities()).map(|community| of(community, draw)).collect();
    let as_of = |(place, moment): (usize, &f64)| {
        let moves = if place == 0 { guessing.moves.0 } else { guessing.moves.1 };
        for company in &mut companies {
            company.hear_until(*moment, draw);
            (0..moves).for_each(|_| company.sweep(draw));
        }
        let customs: Vec<Vec<Custom>> = companies.iter().map(|company| company.customs.clone()).collect();
        let expected = expected_habits(&world.shape, &customs, guessing.averaged);
        World { customs, expected, ..world.clone() }
    };
    moments.iter().enumerate().map(as_of).collect()
}

/// A community and its people, all of whose leanings are guessed at.
struct Company<'a> {
    world: &'a World,
    /// Standard normal: the leaning to each tag, and what each theme adds to it.
    signature: Vec<f64>,
    noise: Vec<Fitting>,
    /// What follows from those.
    customs: Vec<Custom>,
    members: Vec<Member<'a>>,
}

struct Member<'a> {
    fixation: Option<usize>,
    /// Responses that are not heard of yet.
    ahead: &'a [Seen],
    blocks: Vec<Block>,
    /// Standard normal, as above; noise by block.
    signature: Vec<f64>,
    noise: Vec<Fitting>,
}

impl<'a> Company<'a> {
    fn new(world: &'a World, people: Vec<&'a Stretch>, draw: &mut Draw) -> Self {
        let signature = normals(world.shape.tags, draw);
        let noise: Vec<Fitting> = world.shape.fits.iter().map(|_| four(draw)).collect();
        let member = |stretch: &&'a Stretch| Member {
            fixation: stretch.fixation,
            ahead: &stretch.seen,
            blocks: Vec::new(),
            signature: normals(world.shape.tags, draw),
            noise: Vec::new(),
        };
        let members = people.iter().map(member).collect();
        let customs = (0..noise.len()).map(|theme| custom(world, theme, &noise[theme], &signature)).collect();
        Self { world, signature, noise, customs, members }
    }

    /// Takes in what was answered before `moment`.
    fn hear_until(&mut self, moment: f64, draw: &mut Draw) {
        for member in &mut self.members {
            let (now, ahead) = member.ahead.split_at(member.ahead.partition_point(|seen| seen.at < moment));
            member.ahead = ahead;
            for seen in now {
                let Some(place) = self.world.fitting(seen.theme).iter().position(|tag| *tag == seen.tag) else {
                    continue;
                };
                let block = member.blocks.iter().position(|block| block.theme == seen.theme).unwrap_or_else(|| {
                    member.blocks.push(Block { theme: seen.theme, counts: [0.0; MOST] });
                    member.noise.push(four(draw));
                    member.blocks.len() - 1
                });
                member.blocks[block].counts[place] += 1.0;
            }
        }
    }

    /// Moves everything once.
    fn sweep(&mut self, draw: &mut Draw) {
        let Self { world, customs, members, .. } = self;
        members.iter_mut().for_each(|member| member.sweep(world, customs, draw));
        let watched = |theme: &usize| members.iter().any(|member| member.blocks.iter().any(|b| b.theme == *theme));
        let watched: Vec<usize> = (0..customs.len()).filter(watched).collect();
        watched.iter().for_each(|theme| self.move_theme(*theme, draw));
        self.move_signature(&watched, draw);
    }

    fn move_theme(&mut self, theme: usize, draw: &mut Draw) {
        let Self { world, signature, customs, members, noise } = self;
        let fits = world.fitting(theme).len();
        for along in [true, false] {
            let now = customs[theme];
            slice(draw, &mut noise[theme][..fits], |noise, floor| {
                told_of(world, members, theme, &now, &custom(world, theme, noise, signature), along, floor)
            });
            customs[theme] = custom(world, theme, &noise[theme], signature);
            if !along {
                members.iter_mut().for_each(|member| member.stand(theme, &now, &customs[theme]));
            }
        }
    }

    fn move_signature(&mut self, watched: &[usize], draw: &mut Draw) {
        let Self { world, signature, customs, members, noise } = self;
        for along in [true, false] {
            let now = customs.clone();
            slice(draw, signature, |signature, floor| {
                let mut sum = 0.0;
                for theme in watched {
                    let next = custom(world, *theme, &noise[*theme], signature);
                    sum += told_of(world, members, *theme, &now[*theme], &next, along, floor - sum);
                    if sum < floor {
                        return f64::NEG_INFINITY;
                    }
                }
                sum
            });
            for theme in 0..customs.len() {
                customs[theme] = custom(world, theme, &noise[theme], signature);
                if !along {
                    members.iter_mut().for_each(|member| member.stand(theme, &now[theme], &customs[theme]));
                }
            }
        }
    }
}

/// ln probability of what people answered to a theme if the community's custom were `next`: either their own habits move
/// along with it, or they stand, and what they add to it is as likely as it then is. −∞ below `floor`.
fn told_of(
    world: &World,
    members: &[Member],
    theme: usize,
    now: &Custom,
    next: &Custom,
    along: bool,
    floor: f64,
) -> f64 {
    let mut sum = 0.0;
    for member in members {
        let Some(place) = member.blocks.iter().position(|block| block.theme == theme) else { continue };
        let (own, distance) = if along {
            (member.own(world, place, next), 0.0)
        } else {
            let moved = stood(&member.noise[place], now, next);
            let fits = world.fitting(theme).len();
            (member.own(world, place, now), moved[..fits].iter().map(|noise| noise * noise).sum::<f64>() / 2.0)
        };
        sum += member.blocks[place].told(world, &(next.habit, own), member.fixation) - distance;
        // No term is above 0.
        if sum < floor {
            return f64::NEG_INFINITY;
        }
    }
    sum
}

/// What somebody adds to a custom if the own habit stands while that changes.
fn stood(noise: &Fitting, from: &Custom, to: &Custom) -> Fitting {
    std::array::from_fn(|place| noise[place] + (from.leaning[place] - to.leaning[place]) / OWN_LEANING.1)
}

impl Member<'_> {
    fn own(&self, world: &World, block: usize, custom: &Custom) -> Fitting {
        own(world, self.blocks[block].theme, custom, &self.noise[block], &self.signature)
    }

    fn stand(&mut self, theme: usize, from: &Custom, to: &Custom) {
        if let Some(place) = self.blocks.iter().position(|block| block.theme == theme) {
            self.noise[place] = stood(&self.noise[place], from, to);
        }
    }

    fn sweep(&mut self, world: &World, customs: &[Custom], draw: &mut Draw) {
        let Self { fixation, blocks, signature, noise, .. } = self;
        for (block, noise) in blocks.iter().zip(&mut *noise) {
            let custom = &customs[block.theme];
            slice(draw, &mut noise[..world.fitting(block.theme).len()], |noise, _| {
                let own = own(world, block.theme, custom, noise, signature);
                block.told(world, &(custom.habit, own), *fixation)
            });
        }
        slice(draw, signature, |signature, floor| {
            let mut sum = 0.0;
            for (block, noise) in blocks.iter().zip(&*noise) {
                let custom = &customs[block.theme];
                let own = own(world, block.theme, custom, noise, signature);
                sum += block.told(world, &(custom.habit, own), *fixation);
                if sum < floor {
                    return f64::NEG_INFINITY;
                }
            }
            sum
        });
    }
}

/// What a community does about a theme.
fn custom(world: &World, theme: usize, noise: &[f64], signature: &[f64]) -> Custom {
    let (general, each) = COMMUNITY_LEANING;
    let fits = world.fitting(theme);
    let mut leaning = [0.0; MOST];
    for (place, tag) in fits.iter().enumerate() {
        leaning[place] = general * signature[*tag] + each * noise[place];
    }
    Custom::leaning_to(&leaning, fits.len())
}

/// What somebody of it does.
fn own(world: &World, theme: usize, custom: &Custom, noise: &[f64], signature: &[f64]) -> Fitting {
    let (general, each) = OWN_LEANING;
    let fits = world.fitting(theme);
    let mut leaning = custom.leaning;
    for (place, tag) in fits.iter().enumerate() {
        leaning[place] += general * signature[*tag] + each * noise[place];
    }
    softmax(&leaning, fits.len())
}

fn normals(count: usize, draw: &mut Draw) -> Vec<f64> {
    let mut normals = vec![0.0; count];
    fill(&mut normals, draw);
    normals
}

fn four(draw: &mut Draw) -> Fitting {
    let mut normals = [0.0; MOST];
    fill(&mut normals, draw);
    normals
}
