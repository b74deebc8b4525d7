//! Fusion of a model's label probabilities with an arm's memory: a geometric mean with one exponent for all arms.
//!
//! p ∝ p_model^ω · m^(1−ω). The model has read the same memories, so exponents sum to 1, never more. Fusing only one
//! arm, or giving arm `none` the mediator's distribution, would make the comparison void.

use super::distribution::from_logs;

/// `model` are natural-log probabilities of the labels (any constant added), `memory` the arm's distribution.
pub fn fuse(model: &[f64], memory: &[f64], model_trust: f64) -> Vec<f64> {
    if model_trust <= 0.0 {
        return memory.to_vec();
    }
    let log = |(log_p, m): (&f64, &f64)| {
        let memory = if model_trust >= 1.0 { 0.0 } else { (1.0 - model_trust) * m.ln() };
        model_trust * log_p + memory
    };
    from_logs(model.iter().zip(memory).map(log).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_are_memory_alone_and_model_alone() {
        let model = [0.8f64.ln() - 3.0, 0.2f64.ln() - 3.0];
        let memory = [0.3, 0.7];
        assert_eq!(fuse(&model, &memory, 0.0), memory);
        let alone = fuse(&model, &memory, 1.0);
        assert!((alone[0] - 0.8).abs() < 1e-12);
        let half = fuse(&model, &memory, 0.5);
        let expected = (0.8f64 * 0.3).sqrt() / ((0.8f64 * 0.3).sqrt() + (0.2f64 * 0.7).sqrt());
        assert!((half[0] - expected).abs() < 1e-12);
    }
}
