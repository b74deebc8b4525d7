//! How a community leans: what one number per response, added to what everyone answers to each topic, says best what its
//! people answered.
//!
//! Topics differ in what can be answered to them, so that shares of all responses tell of the topics as much as of the
//! people. Here the topics are given: p_c(y|z) ∝ p(y|z) exp θ_c(y), a conditional logit (McFadden 1974), whose θ are found by
//! iterative scaling under a Gaussian prior (Chen and Rosenfeld, IEEE TSAP 2000). It says what a community will answer to
//! a topic that it has not answered to yet.
//!
//! Invariant: leanings sum to 0; of no responses they are 0.

/// How sure it is beforehand that nobody leans: 1/σ² of θ, in nats.
const PRECISION: f64 = 1.0;
/// Steps of each sweep's own equation, from a beginning that is nearly right.
const STEPS: usize = 3;

/// θ(y) from responses `given` by cell, topic after topic, against what everyone answers, p(y|z) > 0, after so many
/// `sweeps` from `start`.
pub fn leaning(given: &[f64], common: &[f64], start: &[f64], sweeps: usize) -> Vec<f64> {
    let labels = start.len().max(1);
    let answered: Vec<(f64, &[f64])> = given
        .chunks_exact(labels)
        .map(|topic| topic.iter().sum::<f64>())
        .zip(common.chunks_exact(labels))
        .filter(|(total, _)| *total > 0.0)
        .collect();
    let mut observed = vec![0.0; labels];
    for topic in given.chunks_exact(labels) {
        observed.iter_mut().zip(topic).for_each(|(sum, count)| *sum += count);
    }
    let mut theta = start.to_vec();
    for _ in 0..sweeps {
        let mut expected = vec![0.0; labels];
        let lifts: Vec<f64> = theta.iter().map(|lean| lean.exp()).collect();
        for (total, common) in &answered {
            let sum: f64 = common.iter().zip(&lifts).map(|(p, lift)| p * lift).sum();
            let cells = expected.iter_mut().zip(common.iter().zip(&lifts));
            cells.for_each(|(expected, (p, lift))| *expected += total * p * lift / sum);
        }
        for ((lean, expected), observed) in theta.iter_mut().zip(&expected).zip(&observed) {
            // The δ of expected · exp δ + λ (θ + δ) = observed, by Newton's method.
            let mut delta = ((observed + PRECISION) / (expected + PRECISION)).ln();
            for _ in 0..STEPS {
                let lifted = expected * delta.exp();
                delta -= (lifted + PRECISION * (*lean + delta) - observed) / (lifted + PRECISION);
            }
            *lean += delta;
        }
        // Added to all alike it changes no share, so that only the prior has a say: at its best they sum to 0.
        let mean = theta.iter().sum::<f64>() / labels as f64;
        theta.iter_mut().for_each(|lean| *lean -= mean);
    }
    theta
}

/// p(y|z) exp θ(y), summing to 1 for each topic.
pub fn leant(common: &[f64], leaning: &[f64]) -> Vec<f64> {
    let lifts: Vec<f64> = leaning.iter().map(|lean| lean.exp()).collect();
    let topic = |topic: &[f64]| {
        let lifted: Vec<f64> = topic.iter().zip(&lifts).map(|(p, lift)| p * lift).collect();
        let sum: f64 = lifted.iter().sum();
        lifted.into_iter().map(move |p| p / sum).collect::<Vec<f64>>()
    };
    common.chunks_exact(leaning.len().max(1)).flat_map(topic).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two topics, which everyone answers differently; the leaning is that of the second response.
    fn common() -> Vec<f64> {
        vec![0.8, 0.15, 0.05, 0.1, 0.3, 0.6]
    }

    fn found(given: &[f64]) -> Vec<f64> {
        leaning(given, &common(), &[0.0; 3], 200)
    }

    #[test]
    fn nothing_said_leans_nowhere() {
        assert_eq!(found(&[0.0; 6]), [0.0; 3]);
        let as_everyone: Vec<f64> = common().iter().map(|p| 40.0 * p).collect();
        assert!(found(&as_everyone).iter().all(|lean| lean.abs() < 1e-9), "a leaning is against everyone");
    }

    /// At the mode Σ_z n(z) p_c(y|z) + λ θ(y) = Σ_z n(z,y).
    #[test]
    fn what_is_expected_is_what_was_answered_less_the_prior() {
        let given = [2.0, 11.0, 0.0, 0.0, 5.0, 1.0];
        let theta = found(&given);
        let expected = leant(&common(), &theta);
        for y in 0..3 {
            let sum = 13.0 * expected[y] + 6.0 * expected[3 + y] + PRECISION * theta[y];
            assert!((sum - given[y] - given[3 + y]).abs() < 1e-4, "{y}: {sum}, {theta:?}");
        }
        assert!(theta[1] > 0.5 && theta[0] < 0.0);
    }

    #[test]
    fn it_is_told_of_a_topic_that_nobody_of_them_answered_to() {
        let theta = found(&[2.0, 30.0, 1.0, 0.0, 0.0, 0.0]);
        let other = &leant(&common(), &theta)[3..];
        assert!(other[1] > 0.75, "{other:?}, where everyone has .3");
        assert!((other.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_few_sweeps_from_nearly_the_same_find_it() {
        let given = [2.0, 11.0, 0.0, 0.0, 5.0, 1.0];
        let mut less = given;
        less[1] -= 1.0;
        let (from_nothing, from_there) = (found(&less), leaning(&less, &common(), &found(&given), 4));
        assert!(
            from_nothing.iter().zip(&from_there).all(|(a, b)| (a - b).abs() < 0.02),
            "{from_nothing:?} {from_there:?}"
        );
    }
}
