//! Communities: users grouped by what they answer and about what, period after period.
//!
//! Seeded spherical k-means, warm-started from the period before so that a community keeps its number; where topics are
//! told apart, people then move to where their answers to those topics are likeliest. Hard assignment writes (whose items
//! make a community's entries); reading uses the posterior of [`membership`].

use super::embed::{dot, normalise};
use super::fixed::{self, Rows};
use super::habits::{self, CellIx, Habits};
use super::population::{ItemIx, Population, UserIx};
use super::topics::Topics;
use crate::data::draw::Draw;

/// Weight of a person's mean text against their response histogram.
const TEXT_WEIGHT: f32 = 0.7;
/// Rounds of reassignment at most; assignments settle sooner.
const ROUNDS: usize = 20;
/// So many responses say as much of a community as any number of them: they are one person's, and mostly own habits. What
/// more of them were asked about says ever less.
const TOLD: f64 = 6.0;
/// Rounds in which people move to where their answers are likeliest.
const MOVES: usize = 4;

/// Number of a community, stable over periods.
pub type CommunityIx = usize;

/// Who belongs where at a period's end.
#[derive(Clone, Debug, Default)]
pub struct Communities {
    /// Per user; `None` before their first item.
    pub of: Vec<Option<CommunityIx>>,
    /// How many communities there are, empty ones included.
    pub count: usize,
    centroids: Vec<Vec<f32>>,
}

impl Communities {
    /// Groups users by their items among the first `before`, starting from `last` period's centroids, and by `topics`
    /// where some are known.
    pub fn next(
        population: &Population,
        before: usize,
        last: &Communities,
        topics: Option<&Topics>,
        seed: u64,
    ) -> Self {
        let vectors = user_vectors(population, before);
        let present: Vec<usize> = (0..vectors.len()).filter(|user| vectors[*user].is_some()).collect();
        // Leanings say what few people answered nothing to, so that communities may be smaller.
        let pairs = if topics.is_some() { 1.0 } else { 2.0 };
        let target = ((present.len() as f64 / pairs).sqrt() as usize).clamp(4, 64).min(present.len());
        let points: Vec<&[f32]> = present.iter().filter_map(|user| vectors[*user].as_deref()).collect();
        let clusters = k_means(&points, last.centroids.clone(), target.max(last.count), seed);
        let mut of = vec![None; vectors.len()];
        for (user, cluster) in present.iter().zip(&clusters.of) {
            of[*user] = Some(*cluster);
        }
        let mut communities = Self { of, count: clusters.centroids.len(), centroids: clusters.centroids };
        if let Some(topics) = topics {
            (0..MOVES).for_each(|_| communities.of = communities.likeliest(population, before, topics));
        }
        communities
    }

    /// Where everyone belongs by what they answered to each topic among the first `before` items: argmax_c
    /// (M_c + 1) Π p_c(y|z), members M_c and habits p_c being those of the others.
    fn likeliest(&self, population: &Population, before: usize, topics: &Topics) -> Vec<Option<CommunityIx>> {
        let habits = Habits::of(population, self, Some(topics), (0..before).map(|item| (item, 1.0)));
        let base = habits.base();
        let heard = habits.besides(&base, None, std::iter::empty());
        let cells = topics.count() * population.labels.len();
        // By cell, then community: a person's few cells are read from end to end.
        let logs: Vec<f64> = (0..cells)
            .flat_map(|cell| (0..self.count).map(move |c| (cell, c)))
            .map(|(cell, c)| heard.answer(c, cell).ln())
            .collect();
        let mut members = vec![1.0f64; self.count];
        self.of.iter().flatten().for_each(|community| members[*community] += 1.0);

        let place = |(user, home): (UserIx, &Option<CommunityIx>)| {
            let home = (*home)?;
            let items = population.items_of[user].iter().take_while(|item| **item < before);
            let mut own: Vec<CellIx> = items.map(|item| habits::cell(population, Some(topics), *item)).collect();
            own.sort_unstable();
            let mut weights: Vec<f64> = members.iter().map(|members| members.ln()).collect();
            for cell in &own {
                weights.iter_mut().zip(&logs[cell * self.count..]).for_each(|(weight, log)| *weight += log);
            }
            // At home, what the others there answer.
            weights[home] = (members[home] - 1.0).ln() + heard.without(home, &own);
            (0..self.count).reduce(|best, c| if weights[c] > weights[best] { c } else { best })
        };
        self.of.iter().enumerate().map(place).collect()
    }

    /// Communities as they were written.
    pub(super) fn from_parts(of: Vec<Option<CommunityIx>>, centroids: Vec<Vec<f32>>) -> Self {
        Self { of, count: centroids.len(), centroids }
    }

    /// What everyone's place was judged by.
    pub(super) fn centroids(&self) -> &[Vec<f32>] {
        &self.centroids
    }

    /// A number of who belongs where, whatever the numbers of the users and however many belong nowhere.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.count as u64).to_le_bytes());
        for community in self.of.iter().flatten() {
            hasher.update(&(*community as u64).to_le_bytes());
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    /// Follows users to new numbers: user `i` becomes user `places[i]` of `count`, the others belong nowhere yet.
    pub(super) fn renumber(&mut self, places: &[UserIx], count: usize) {
        let mut of = vec![None; count];
        places.iter().zip(&self.of).for_each(|(place, community)| of[*place] = *community);
        self.of = of;
    }
}

/// `[√ response histogram, L2] ++ 0.7 · [mean text vector, L2]` of each user with an item.
fn user_vectors(population: &Population, before: usize) -> Vec<Option<Vec<f32>>> {
    let labels = population.labels.len();
    let dimensions = population.dimensions();
    let vector = |items: &[ItemIx]| {
        let items = &items[..items.partition_point(|item| *item < before)];
        if items.is_empty() {
            return None;
        }
        let mut histogram = vec![0.0f32; labels];
        let mut text = vec![0.0f32; dimensions];
        for item in items {
            histogram[population.label[*item]] += 1.0;
            population.vector(*item).add_to(&mut text);
        }
        histogram.iter_mut().for_each(|count| *count = count.sqrt());
        normalise(&mut histogram);
        normalise(&mut text);
        let mut joined = histogram;
        joined.extend(text.iter().map(|x| TEXT_WEIGHT * x));
        normalise(&mut joined);
        Some(joined)
    };
    population.items_of.iter().map(vector).collect()
}

/// A grouping of points.
pub struct Clusters {
    /// Cluster of each point.
    pub of: Vec<usize>,
    /// Unit vectors; a cluster without points keeps its last one.
    pub centroids: Vec<Vec<f32>>,
}

/// Spherical k-means of unit `points` from the `start` centroids, more being drawn far from the existing ones until
/// there are `k`. Ties go to the lower number, so the result is a function of its arguments.
///
/// Most comparisons are settled in fixed point, see [`super::fixed`]; the result is that of comparing all exactly.
pub fn k_means(points: &[&[f32]], start: Vec<Vec<f32>>, k: usize, seed: u64) -> Clusters {
    let mut draw = Draw::seeded(seed);
    let mut centroids = start;
    let dimensions = points.first().map_or(0, |point| point.len());
    let coarse = Rows::of(dimensions, points.iter().copied());
    let error = fixed::error(dimensions);
    // k-means++: each new centroid is a point drawn by its distance from the nearest centroid so far.
    let mut distance = vec![1.0f64; points.len()];
    let mut about = Vec::with_capacity(points.len());
    let mut nearer = |distance: &mut [f64], centroid: &[f32]| {
        coarse.cosines(&fixed::fixed(centroid), &mut about);
        for (d, (about, point)) in distance.iter_mut().zip(about.iter().zip(points)) {
            if 1.0 - f64::from(about + error) < *d {
                *d = d.min((1.0 - f64::from(dot(point, centroid))).max(0.0));
            }
        }
    };
    let drawn = centroids.len() < k;
    centroids.iter().filter(|_| drawn).for_each(|centroid| nearer(&mut distance, centroid));
    while centroids.len() < k && !points.is_empty() {
        let chosen = points[draw.index(&distance)].to_vec();
        nearer(&mut distance, &chosen);
        centroids.push(chosen);
    }

    let mut of = vec![0; points.len()];
    let mut coarse_centroids = Rows::of(dimensions, centroids.iter().map(Vec::as_slice));
    for _ in 0..ROUNDS {
        let mut moved = false;
        for (ix, (slot, point)) in of.iter_mut().zip(points).enumerate() {
            coarse_centroids.cosines(coarse.row(ix), &mut about);
            let top = about.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let nearest = nearest(point, &centroids, &about, top - 2.0 * error);
            moved |= *slot != nearest;
            *slot = nearest;
        }
        let mut sums: Vec<Option<Vec<f32>>> = vec![None; centroids.len()];
        for (cluster, point) in of.iter().zip(points) {
            let sum = sums[*cluster].get_or_insert_with(|| vec![0.0; point.len()]);
            sum.iter_mut().zip(*point).for_each(|(sum, x)| *sum += x);
        }
        for (ix, (centroid, sum)) in centroids.iter_mut().zip(sums).enumerate() {
            if let Some(mut sum) = sum {
                normalise(&mut sum);
                coarse_centroids.set(ix, &sum);
                *centroid = sum;
            }
        }
        if !moved {
            break;
        }
    }
    Clusters { of, centroids }
}

/// The nearest centroid among those whose approximate cosine `about` is at least `least`: no other can be it.
pub(super) fn nearest(point: &[f32], centroids: &[Vec<f32>], about: &[f32], least: f32) -> usize {
    let mut best = (0, f32::NEG_INFINITY);
    for (ix, centroid) in centroids.iter().enumerate().filter(|(ix, _)| about[*ix] >= least) {
        let likeness = dot(point, centroid);
        if likeness > best.1 {
            best = (ix, likeness);
        }
    }
    best.0
}

/// What membership is judged by: probabilities > 0 of a response, by community and cell.
pub struct Telling<A, Q> {
    /// p_c(y|z), that the community answers y to the topic.
    pub answers: A,
    /// p_c(z), that the community asks about it.
    pub asks: Q,
}

/// Posterior of a person's community from their visible responses, each of a topic z:
/// ρ_c ∝ π_c · Π [p_c(y|z)^η p_c(z)^ζ]^n(z,y) with η = min(1, 6/n) and ζ = min(1, 6/N)². Without responses it is the
/// prior π.
///
/// What somebody asks about tells of their community while they have answered little, and more than the answers do. Later
/// the answers tell better: what one asks about stays one's own, whoever one has come to agree with.
///
/// A prior of 0 keeps a community out. `prior` are shares of users; `own` are decayed counts by cell, `visible` is N, how many
/// responses they are of. `telling` is asked only where `own[cell]` is not 0.
pub fn membership(
    prior: &[f64],
    telling: Telling<impl Fn(CommunityIx, CellIx) -> f64, impl Fn(CommunityIx, CellIx) -> f64>,
    own: &[f64],
    visible: usize,
) -> Vec<f64> {
    let told = |n: f64| if n > TOLD { TOLD / n } else { 1.0 };
    let (eta, zeta) = (told(own.iter().sum()), told(visible as f64).powi(2));
    let given: Vec<CellIx> = (0..own.len()).filter(|y| own[*y] > 0.0).collect();
    let tells = |c: CommunityIx, cell: CellIx| {
        own[cell] * (eta * (telling.answers)(c, cell).ln() + zeta * (telling.asks)(c, cell).ln())
    };
    let log_weight = |(c, pi): (CommunityIx, &f64)| pi.ln() + given.iter().map(|cell| tells(c, *cell)).sum::<f64>();
    let weigh = |(c, pi): (CommunityIx, &f64)| if *pi > 0.0 { log_weight((c, pi)) } else { f64::NEG_INFINITY };
    let logs: Vec<f64> = prior.iter().enumerate().map(weigh).collect();
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return prior.to_vec();
    }
    let weights: Vec<f64> = logs.iter().map(|log| (log - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    #[test]
    fn clusters_find_groups_and_keep_their_numbers() {
        let mut points = Vec::new();
        for i in 0..30 {
            let mut point = vec![0.05 * (i % 5) as f32, 0.0, 0.0];
            point[i % 3] += 1.0;
            normalise(&mut point);
            points.push(point);
        }
        let views: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        let first = k_means(&views, Vec::new(), 3, 7);
        assert!((0..30).all(|i| first.of[i] == first.of[i % 3]), "{:?}", first.of);
        let again = k_means(&views, first.centroids.clone(), 3, 8);
        assert_eq!(first.of, again.of, "a warm start keeps ids stable");
    }

    /// Comparing in fixed point first changes nothing: the same as Lloyd's rounds with every comparison exact.
    #[test]
    fn fixed_point_changes_no_assignment() {
        let mut draw = Draw::seeded(5);
        let mut points: Vec<Vec<f32>> = (0..400).map(|_| (0..24).map(|_| draw.normal() as f32).collect()).collect();
        points.iter_mut().for_each(|point| normalise(point));
        // Equal points make ties.
        points.extend_from_within(..40);
        let views: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        let start: Vec<Vec<f32>> = points.iter().step_by(11).cloned().collect();
        let found = k_means(&views, start.clone(), start.len(), 3);
        let mut centroids = start;
        let mut of = vec![0; views.len()];
        for _ in 0..ROUNDS {
            let all = vec![0.0; centroids.len()];
            let assigned: Vec<usize> = views.iter().map(|point| nearest(point, &centroids, &all, -1.0)).collect();
            let moved = std::mem::replace(&mut of, assigned) != of;
            for (c, centroid) in centroids.iter_mut().enumerate() {
                let mut sum = vec![0.0f32; 24];
                let members: Vec<_> = views.iter().zip(&of).filter(|(_, cluster)| **cluster == c).collect();
                members.iter().for_each(|(point, _)| sum.iter_mut().zip(**point).for_each(|(sum, x)| *sum += x));
                if !members.is_empty() {
                    normalise(&mut sum);
                    *centroid = sum;
                }
            }
            if !moved {
                break;
            }
        }
        assert_eq!(found.of, of);
        assert_eq!(found.centroids, centroids);
    }

    /// Of two people, how often those of one latent community are grouped together, and others apart: the pairs that are,
    /// as a share of all pairs that either says belong together.
    fn agreement(one: &[Option<CommunityIx>], other: &[Option<CommunityIx>]) -> f64 {
        let people: Vec<_> = one.iter().zip(other).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
        let pairs = || people.iter().enumerate().flat_map(|(at, one)| people[..at].iter().map(move |two| (one, two)));
        let both = pairs().filter(|(one, two)| one.0 == two.0 && one.1 == two.1).count();
        let either = pairs().filter(|(one, two)| one.0 == two.0 || one.1 == two.1).count();
        both as f64 / either as f64
    }

    #[test]
    fn who_answers_alike_to_the_same_is_grouped_together() {
        use crate::data::synth::{Kind, Parameters, population};
        let (dataset, truth) = population(&Parameters::default());
        let all = Memory::build(&dataset).population;
        // Whoever moves is in two communities.
        let of = |user: &crate::data::interaction::UserId| {
            let truth = truth.users.iter().find(|person| person.user == *user)?;
            (truth.kind == Kind::Regular).then_some(truth.community)
        };
        let latent: Vec<Option<CommunityIx>> = all.users.iter().map(of).collect();
        let topics = Topics::told_apart(&all, all.len(), 32, 1);
        let nobody = Communities::default();
        let plain = Communities::next(&all, all.len(), &nobody, None, 7);
        let told = Communities::next(&all, all.len(), &nobody, Some(&topics), 7);
        let (plain, told) = (agreement(&plain.of, &latent), agreement(&told.of, &latent));
        assert!(told > plain + 0.1, "{told} with topics, {plain} without");
    }

    #[test]
    fn membership_is_the_prior_without_history_and_sharpens_with_it() {
        let prior = [0.5, 0.5];
        let answers = |c: usize, y: usize| [[0.9, 0.1], [0.1, 0.9]][c][y];
        let told = |prior: &[f64], own: &[f64]| {
            let visible = own.iter().sum::<f64>() as usize;
            membership(prior, Telling { answers, asks: |_, _| 1.0 }, own, visible)
        };
        assert_eq!(told(&prior, &[0.0, 0.0]), prior);
        let some = told(&prior, &[1.0, 0.0]);
        assert!((some[0] - 0.9).abs() < 1e-12);
        let many = told(&prior, &[2000.0, 0.0]);
        assert!((many[0] - told(&prior, &[20.0, 0.0])[0]).abs() < 1e-12, "capped");
        assert_eq!(told(&[1.0, 0.0], &[0.0, 3.0]), [1.0, 0.0], "a prior of 0 keeps out");
    }

    /// Two topics of one response each; who asks about the first is likelier of the first community.
    #[test]
    fn what_is_asked_about_tells_most_while_little_is_answered() {
        let asks = |c: usize, cell: usize| [[0.6, 0.4], [0.3, 0.7]][c][cell];
        let odds = |n: usize| {
            let telling = Telling { answers: |_, _| 0.5, asks };
            let found = membership(&[0.5, 0.5], telling, &[n as f64, 0.0], n);
            (found[0] / found[1]).ln()
        };
        assert!((odds(1) - 2f64.ln()).abs() < 1e-12 && (odds(6) - 6.0 * 2f64.ln()).abs() < 1e-12);
        assert!((odds(24) - 1.5 * 2f64.ln()).abs() < 1e-12, "24 (6/24)²");
    }
}
