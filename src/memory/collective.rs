//! Collective evidence: what terms, neighbours and entries say together.
//!
//! p_G = normalise(b · exp(A_T E_T + A_N E_N + A_V E_V)) for the population. All three read the same interactions, so
//! their exponents are fitted together, never calibrated one by one and multiplied. Communities blend at the level of
//! distributions: p_C = Σ_c ρ_c p_c, each p_c made like the population's from the community's own terms, leaning, habit,
//! entries and nearest texts.
//!
//! Pure: nothing is retrieved here, so a fit may try exponents on what was read once.

use super::community::CommunityIx;
use crate::data::dataset::Calibration;

/// Pseudo-mass of the parent's distribution in votes.
const PARENT_MASS: f64 = 1.0;

/// The least weight of a response beside the likeliest one. What is told by the present exponents and constants is far from
/// it; the most extreme ones would have a logarithm of nothing come out, which is no evidence.
const LEAST: f64 = 1e-300;

/// What one community says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommunityPart {
    /// Which community.
    pub community: CommunityIx,
    /// ρ_c: probability that the person belongs here.
    pub share: f64,
    /// E_S(y): how the community leans from what everyone answers, in nats; 0 where it is not looked for.
    pub leaning: Vec<f64>,
    /// n_c(z,y)/m: what the community answers to the query's topic; 0 where it is not looked for or kept back.
    pub habit: Vec<f64>,
    /// E_T(y) with the community's p_c(w|y), in nats.
    pub terms: Vec<f64>,
    /// V(y) of the community's entries.
    pub entries: Vec<f64>,
    /// V(y) of the community's texts nearest to the query; 0 where they are not looked for.
    pub neighbours: Vec<f64>,
}

/// What one community says by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Voice {
    /// Which community.
    pub community: CommunityIx,
    /// ρ_c: probability that the person belongs here, > 0.
    pub share: f64,
    /// p_c. Sums to 1, every entry > 0.
    pub distribution: Vec<f64>,
}

/// What everyone else says, before it is weighed. Nothing known is 0 throughout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parts {
    /// E_T(y) of the population, in nats.
    pub terms: Vec<f64>,
    /// V(y) of neighbours; `None` where there are too many items to look at each.
    pub neighbours: Option<Vec<f64>>,
    /// V(y) of entries.
    pub entries: Vec<f64>,
    /// Communities that the person may belong to.
    pub communities: Vec<CommunityPart>,
}

impl Parts {
    /// Nothing known.
    pub fn silent(labels: usize) -> Self {
        let none = vec![0.0; labels];
        Self { terms: none.clone(), neighbours: Some(none.clone()), entries: none, communities: Vec::new() }
    }

    /// A_V: what the dataset says, else 1 where entries take the place of neighbours and 0 where they do not.
    pub fn entries_exponent(&self, calibration: &Calibration) -> f64 {
        calibration.entries.unwrap_or(if self.neighbours.is_none() { 1.0 } else { 0.0 })
    }

    /// E_N(y) = ln\[(V(y) + b(y))/((ΣV + 1) b(y))\].
    pub fn near(&self, base: &[f64]) -> Vec<f64> {
        self.neighbours.as_ref().map_or_else(|| vec![0.0; base.len()], |votes| votes_evidence(votes, base))
    }

    /// E_V(y), the same of entries.
    pub fn entry_evidence(&self, base: &[f64]) -> Vec<f64> {
        votes_evidence(&self.entries, base)
    }

    /// p_G of the population, and p_C of the person's communities (the population's where they have none). Both sum to 1,
    /// every entry > 0.
    pub fn distributions(&self, base: &[f64], calibration: &Calibration) -> (Vec<f64>, Vec<f64>) {
        let common = self.common(base, calibration);
        let population = common.tilt(&self.terms);
        let belonging: f64 = self.communities.iter().map(|community| community.share).sum();
        if belonging <= 0.0 {
            return (population.clone(), population);
        }
        let mut blended = vec![0.0; base.len()];
        for part in &self.communities {
            let share = part.share / belonging;
            blended.iter_mut().zip(common.of_community(part)).for_each(|(sum, p)| *sum += share * p);
        }
        (population, blended)
    }

    /// p_c of each community by itself.
    pub fn voices(&self, base: &[f64], calibration: &Calibration) -> Vec<Voice> {
        let common = self.common(base, calibration);
        let heard = self.communities.iter().filter(|part| part.share > 0.0);
        let voice = |part: &CommunityPart| Voice {
            community: part.community,
            share: part.share,
            distribution: common.of_community(part),
        };
        heard.map(voice).collect()
    }

    fn common<'a>(&self, base: &'a [f64], calibration: &'a Calibration) -> Common<'a> {
        let (near, entries) = (self.near(base), self.entry_evidence(base));
        Common { base, calibration, near, entries, exponent: self.entries_exponent(calibration) }
    }
}

/// What population and communities have in common.
struct Common<'a> {
    base: &'a [f64],
    calibration: &'a Calibration,
    near: Vec<f64>,
    entries: Vec<f64>,
    exponent: f64,
}

impl Common<'_> {
    /// b tilted by `terms` and by what neighbours and entries of everyone say.
    fn tilt(&self, terms: &[f64]) -> Vec<f64> {
        let Self { base, calibration, near, entries, exponent } = self;
        let known = terms.iter().chain(near).chain(entries).any(|e| *e != 0.0);
        if !known {
            // Exactly the base rate, without the rounding of a logarithm and back.
            return base.to_vec();
        }
        let logs = (0..base.len()).map(|y| {
            base[y].ln() + calibration.terms * terms[y] + calibration.neighbours * near[y] + exponent * entries[y]
        });
        from_logs(logs.collect())
    }

    /// p_c: that with the community's own terms and leaning, tilted by its own entries and then by its own nearest texts.
    fn of_community(&self, part: &CommunityPart) -> Vec<f64> {
        let by_terms = self.tilt(&part.terms);
        let leaning = match self.calibration.community_leaning {
            0.0 => by_terms,
            exponent => from_logs(by_terms.iter().zip(&part.leaning).map(|(p, e)| p.ln() + exponent * e).collect()),
        };
        let by_habit = match self.calibration.community_habit {
            0.0 => leaning,
            exponent => tilted(leaning, &part.habit, exponent),
        };
        let by_entries = tilted(by_habit, &part.entries, self.exponent);
        match self.calibration.community_neighbours {
            0.0 => by_entries,
            exponent => tilted(by_entries, &part.neighbours, exponent),
        }
    }
}

/// `parent` tilted by what votes say beyond it.
fn tilted(parent: Vec<f64>, votes: &[f64], exponent: f64) -> Vec<f64> {
    let said = votes_evidence(votes, &parent);
    from_logs(parent.iter().zip(&said).map(|(p, e)| p.ln() + exponent * e).collect())
}

/// ln\[(V(y) + m·p(y))/((ΣV + m)·p(y))\]: 0 without votes.
fn votes_evidence(votes: &[f64], parent: &[f64]) -> Vec<f64> {
    let total: f64 = votes.iter().sum();
    let evidence = |(vote, p): (&f64, &f64)| ((vote + PARENT_MASS * p) / ((total + PARENT_MASS) * p)).ln();
    votes.iter().zip(parent).map(evidence).collect()
}

/// The distribution proportional to exp(`logs`), every entry > 0.
fn from_logs(logs: Vec<f64>) -> Vec<f64> {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logs.iter().map(|log| (log - top).exp().max(LEAST)).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However sure the collective side is, whatever it is weighed with, no response is impossible.
    #[test]
    fn the_most_extreme_exponents_leave_every_response_a_chance() {
        let most = 10.0;
        let calibration = Calibration {
            terms: most,
            neighbours: most,
            entries: Some(most),
            community_leaning: most,
            community_habit: most,
            community_neighbours: most,
            ..Calibration::default()
        };
        let (terms, votes) = (vec![40.0, -40.0, -200.0], vec![1e6, 0.0, 1e-9]);
        let community = CommunityPart {
            community: 0,
            share: 1.0,
            leaning: vec![-90.0, 90.0, 0.0],
            habit: vec![0.0, 0.0, 50.0],
            terms: terms.clone(),
            entries: votes.clone(),
            neighbours: vec![0.0, 1e6, 0.0],
        };
        let parts = Parts { terms, neighbours: Some(votes.clone()), entries: votes, communities: vec![community] };
        let base = [0.9, 1e-6, 0.1 - 1e-6];
        let (population, blended) = parts.distributions(&base, &calibration);
        let voices = parts.voices(&base, &calibration);
        for p in [&population, &blended, &voices[0].distribution] {
            assert!(p.iter().all(|p| *p > 0.0) && (p.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{p:?}");
        }
        assert!(population[0] > 0.999, "what is sure stays so: {population:?}");
    }
}
