//! The mediator's weights: names, ranges, steps, defaults.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::policy::Policy;
use crate::data::dataset::{AgeUnit, Manifest, TaskKind};

/// A number that an analyst may turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// ℓ: exponent of the local side's evidence.
    LocalTrust,
    /// g: exponent of the collective side's evidence.
    GlobalTrust,
    /// κ: how many personal examples the prior is worth.
    PriorStrength,
    /// γ: how much nearer memories count more.
    SimilaritySharpness,
    /// τ: how fast personal memories fade, in days or in the person's own items.
    HalfLife,
    /// α: population … own communities.
    CommunityFocus,
    /// β: how much a one-sided history is distrusted where the query is unlike it.
    SkewDamping,
    /// Divergence that counts as conflict.
    ConflictThreshold,
    /// h: margin needed to change sides while the evidence hardly moves.
    Hysteresis,
    /// How much of the prompt local memory gets, 1 being what it would take by itself.
    LocalRoom,
    /// How much of the prompt global memory gets, 1 being what it would take by itself.
    GlobalRoom,
    /// ω: the model's share in the final decision.
    ModelTrust,
}

/// What a change of a weight makes stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Nothing but the decision.
    Mediate,
    /// Only what is displayed as conflict.
    Display,
    /// The decision, through the question before it in the session.
    Session,
    /// What the model reads, and so its answers.
    Prompt,
    /// Only the final decision, after the model.
    Model,
}

/// How a slider runs over its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Equal steps.
    Linear,
    /// Equal factors; `endless` ranges reach infinity at their last stop.
    Log {
        /// Whether the last stop is infinity.
        endless: bool,
    },
}

impl Weight {
    /// All, in display order.
    pub const ALL: [Weight; 12] = [
        Weight::LocalTrust,
        Weight::GlobalTrust,
        Weight::PriorStrength,
        Weight::SimilaritySharpness,
        Weight::HalfLife,
        Weight::CommunityFocus,
        Weight::ModelTrust,
        Weight::ConflictThreshold,
        Weight::SkewDamping,
        Weight::Hysteresis,
        Weight::LocalRoom,
        Weight::GlobalRoom,
    ];

    /// Name in UI, CLI, files and docs.
    pub fn name(self) -> &'static str {
        match self {
            Weight::LocalTrust => "local-trust",
            Weight::GlobalTrust => "global-trust",
            Weight::PriorStrength => "prior-strength",
            Weight::SimilaritySharpness => "similarity-sharpness",
            Weight::HalfLife => "half-life",
            Weight::CommunityFocus => "community-focus",
            Weight::SkewDamping => "skew-damping",
            Weight::ConflictThreshold => "conflict-threshold",
            Weight::Hysteresis => "hysteresis",
            Weight::LocalRoom => "local-room",
            Weight::GlobalRoom => "global-room",
            Weight::ModelTrust => "model-trust",
        }
    }

    /// The symbol in formulas.
    pub fn symbol(self) -> &'static str {
        match self {
            Weight::LocalTrust => "ℓ",
            Weight::GlobalTrust => "g",
            Weight::PriorStrength => "κ",
            Weight::SimilaritySharpness => "γ",
            Weight::HalfLife => "τ",
            Weight::CommunityFocus => "α",
            Weight::SkewDamping => "β",
            Weight::ConflictThreshold => "D",
            Weight::Hysteresis => "h",
            Weight::LocalRoom => "l",
            Weight::GlobalRoom => "c",
            Weight::ModelTrust => "ω",
        }
    }

    /// One line of meaning.
    pub fn reading(self) -> &'static str {
        match self {
            Weight::LocalTrust => "exponent of the person's own evidence",
            Weight::GlobalTrust => "exponent of the collective evidence",
            Weight::PriorStrength => "how many personal examples the prior is worth",
            Weight::SimilaritySharpness => "how much nearer memories count more",
            Weight::HalfLife => "days or own items in which a personal memory loses half its weight",
            Weight::CommunityFocus => "0 the whole population, 1 the person's own communities",
            Weight::SkewDamping => "how much a one-sided history is distrusted where the query is unlike it",
            Weight::ConflictThreshold => "divergence in bits that counts as a value conflict",
            Weight::Hysteresis => "margin needed to change sides while the evidence hardly moves",
            Weight::LocalRoom => "the person's share of the mediated prompt, 1 as much as it takes by itself",
            Weight::GlobalRoom => "the others' share of the mediated prompt, 1 as much as it takes by itself",
            Weight::ModelTrust => "share of the model's own probabilities in the final decision",
        }
    }

    /// Least and greatest value.
    pub fn range(self) -> (f64, f64) {
        match self {
            Weight::LocalTrust | Weight::GlobalTrust | Weight::LocalRoom | Weight::GlobalRoom => (0.0, 4.0),
            Weight::PriorStrength => (0.01, 100.0),
            Weight::SimilaritySharpness => (0.0, 20.0),
            Weight::HalfLife => (1.0, f64::INFINITY),
            Weight::CommunityFocus
            | Weight::SkewDamping
            | Weight::ConflictThreshold
            | Weight::Hysteresis
            | Weight::ModelTrust => (0.0, 1.0),
        }
    }

    /// How its slider runs.
    pub fn scale(self) -> Scale {
        match self {
            Weight::PriorStrength => Scale::Log { endless: false },
            Weight::HalfLife => Scale::Log { endless: true },
            _ => Scale::Linear,
        }
    }

    /// What a change makes stale.
    pub fn scope(self) -> Scope {
        match self {
            Weight::ConflictThreshold => Scope::Display,
            Weight::Hysteresis => Scope::Session,
            Weight::LocalRoom | Weight::GlobalRoom => Scope::Prompt,
            Weight::ModelTrust => Scope::Model,
            _ => Scope::Mediate,
        }
    }

    /// Stops of a slider: `position` 0..=[`STOPS`] to a value. The inverse of [`Weight::position`].
    pub fn at(self, position: f64) -> f64 {
        let share = (position / STOPS).clamp(0.0, 1.0);
        let (low, high) = self.range();
        match self.scale() {
            Scale::Linear => low + share * (high - low),
            Scale::Log { endless: true } if share >= 1.0 => f64::INFINITY,
            Scale::Log { endless } => low * ((if endless { LONGEST } else { high }) / low).powf(share),
        }
    }

    /// Where `value` stands on the slider, 0..=[`STOPS`].
    pub fn position(self, value: f64) -> f64 {
        let (low, high) = self.range();
        let share = match self.scale() {
            Scale::Linear => (value - low) / (high - low),
            Scale::Log { endless: true } if value > LONGEST => 1.0,
            Scale::Log { endless } => (value / low).ln() / ((if endless { LONGEST } else { high }) / low).ln(),
        };
        (share * STOPS).clamp(0.0, STOPS)
    }

    /// The value moved by `steps` of a hundredth of the slider, rounded to three digits so that it reads well.
    pub fn nudged(self, value: f64, steps: f64) -> f64 {
        let target = (self.position(value) + steps).clamp(0.0, STOPS);
        let (low, high) = self.range();
        let raw = self.at(target);
        if raw == 0.0 || !raw.is_finite() {
            return raw;
        }
        let digits = 10f64.powi(2 - raw.abs().log10().floor() as i32);
        ((raw * digits).round() / digits).clamp(low, high)
    }
}

/// κ of policy shrinkage, before a dataset states its own.
const SHRINKAGE_PRIOR: f64 = 1.0;
/// Positions of a slider.
pub const STOPS: f64 = 100.0;
/// The longest finite half-life on the slider, ten years; beyond it is infinity.
const LONGEST: f64 = 3650.0;

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for Weight {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let all = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|w| w.name() == name)
            .ok_or_else(|| format!("'{name}' is no weight; use one of {}", all()))
    }
}

/// A weight's value that its range does not hold.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{weight} is {value}; its range is {} to {}", weight.range().0, weight.range().1)]
pub struct OutOfRange {
    /// Which weight.
    pub weight: Weight,
    /// The value.
    pub value: f64,
}

impl Weight {
    /// `value`, if the range holds it; not-a-number is in none.
    pub fn checked(self, value: f64) -> Result<f64, OutOfRange> {
        let (low, high) = self.range();
        if (low..=high).contains(&value) { Ok(value) } else { Err(OutOfRange { weight: self, value }) }
    }
}

/// A setting of all weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Weights {
    /// ℓ, 0–4.
    pub local_trust: f64,
    /// g, 0–4.
    pub global_trust: f64,
    /// κ, 0.01–100.
    pub prior_strength: f64,
    /// γ, 0–20.
    pub similarity_sharpness: f64,
    /// τ in the dataset's unit, 1–∞.
    #[serde(with = "endless")]
    pub half_life: f64,
    /// α, 0–1.
    pub community_focus: f64,
    /// β, 0–1.
    #[serde(default)]
    pub skew_damping: f64,
    /// Bits, 0–1.
    pub conflict_threshold: f64,
    /// h, 0–1.
    #[serde(default)]
    pub hysteresis: f64,
    /// 0–4, relative to what local memory would take by itself.
    #[serde(default = "one")]
    pub local_room: f64,
    /// 0–4, relative to what global memory would take by itself.
    #[serde(default = "one")]
    pub global_room: f64,
    /// ω, 0–1.
    pub model_trust: f64,
}

/// Files written before there was room to divide had all of it.
fn one() -> f64 {
    1.0
}

/// The method's defaults under policy product, before a dataset states its own.
impl Default for Weights {
    fn default() -> Self {
        Self {
            local_trust: 1.0,
            global_trust: 1.0,
            prior_strength: 0.25,
            similarity_sharpness: 10.0,
            half_life: 180.0,
            community_focus: 0.5,
            skew_damping: 0.0,
            conflict_threshold: 0.1,
            hysteresis: 0.0,
            local_room: 1.0,
            global_room: 1.0,
            model_trust: 0.0,
        }
    }
}

impl Weights {
    /// Defaults of `policy` on a dataset: its own where it states them, the method's otherwise.
    pub fn defaults(policy: Policy, manifest: &Manifest) -> Self {
        let own = &manifest.weights;
        let standard = match manifest.task {
            TaskKind::Labels | TaskKind::Text => Self::default(),
            TaskKind::Rating => Self::of_ratings(),
        };
        let prior_strength = match policy.ruling_in(manifest.task) {
            Policy::Shrinkage => own.prior_strength_shrinkage.unwrap_or(SHRINKAGE_PRIOR),
            _ => own.prior_strength_product.unwrap_or(standard.prior_strength),
        };
        Self {
            prior_strength,
            similarity_sharpness: own.similarity_sharpness.unwrap_or(standard.similarity_sharpness),
            half_life: own.half_life.unwrap_or(standard.half_life),
            community_focus: own.community_focus.unwrap_or(standard.community_focus),
            model_trust: manifest.calibration.model_trust,
            ..standard
        }
    }

    /// The method's defaults for ratings: attributes are few and coarse, histories come in long sittings, and others are
    /// heard by thing, not by community.
    fn of_ratings() -> Self {
        Self { similarity_sharpness: 2.0, half_life: 15.0, community_focus: 0.0, ..Self::default() }
    }

    /// The first weight, in display order, whose value is outside its range: what a file may hold, and nothing here may
    /// compute with.
    pub fn out_of_range(&self) -> Option<OutOfRange> {
        Weight::ALL.into_iter().find_map(|weight| weight.checked(self.get(weight)).err())
    }

    /// The value of one weight.
    pub fn get(&self, weight: Weight) -> f64 {
        match weight {
            Weight::LocalTrust => self.local_trust,
            Weight::GlobalTrust => self.global_trust,
            Weight::PriorStrength => self.prior_strength,
            Weight::SimilaritySharpness => self.similarity_sharpness,
            Weight::HalfLife => self.half_life,
            Weight::CommunityFocus => self.community_focus,
            Weight::SkewDamping => self.skew_damping,
            Weight::ConflictThreshold => self.conflict_threshold,
            Weight::Hysteresis => self.hysteresis,
            Weight::LocalRoom => self.local_room,
            Weight::GlobalRoom => self.global_room,
            Weight::ModelTrust => self.model_trust,
        }
    }

    /// The same setting with one weight at `value`, kept inside its range; not-a-number changes nothing.
    #[must_use]
    pub fn with(mut self, weight: Weight, value: f64) -> Self {
        if value.is_nan() {
            return self;
        }
        let (low, high) = weight.range();
        let slot = match weight {
            Weight::LocalTrust => &mut self.local_trust,
            Weight::GlobalTrust => &mut self.global_trust,
            Weight::PriorStrength => &mut self.prior_strength,
            Weight::SimilaritySharpness => &mut self.similarity_sharpness,
            Weight::HalfLife => &mut self.half_life,
            Weight::CommunityFocus => &mut self.community_focus,
            Weight::SkewDamping => &mut self.skew_damping,
            Weight::ConflictThreshold => &mut self.conflict_threshold,
            Weight::Hysteresis => &mut self.hysteresis,
            Weight::LocalRoom => &mut self.local_room,
            Weight::GlobalRoom => &mut self.global_room,
            Weight::ModelTrust => &mut self.model_trust,
        };
        *slot = value.clamp(low, high);
        self
    }
}

/// The unit of a half-life in few letters: days, or own items.
pub fn unit_name(unit: AgeUnit) -> &'static str {
    match unit {
        AgeUnit::Days => "d",
        AgeUnit::Items => "own",
    }
}

/// JSON has no infinity: an endless half-life is written as the string `"inf"`.
mod endless {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_str("inf") }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "half-life is neither a number of days nor \"inf\"")]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(value) => Ok(value),
            Written::Text(text) if text == "inf" => Ok(f64::INFINITY),
            Written::Text(text) => {
                Err(serde::de::Error::custom(format!("'{text}' is no number of days; use a number or \"inf\"")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sliders_reach_both_ends_and_stay_inside(ix in 0..Weight::ALL.len(), start in 0.0..100.0f64, steps in -120.0..120.0f64) {
            let weight = Weight::ALL[ix];
            let (low, high) = weight.range();
            let moved = weight.nudged(weight.at(start), steps);
            prop_assert!(moved >= low && moved <= high);
            prop_assert_eq!(weight.nudged(moved, -200.0), low);
            prop_assert_eq!(weight.nudged(moved, 200.0), high);
            prop_assert!((weight.position(weight.at(start)) - start).abs() < 1e-6);
        }
    }

    #[test]
    fn names_round_trip_and_infinity_survives_json() {
        for weight in Weight::ALL {
            assert_eq!(weight.name().parse::<Weight>(), Ok(weight));
        }
        let weights = Weights { half_life: f64::INFINITY, ..Weights::default() };
        let json = serde_json::to_string(&weights).unwrap();
        assert!(json.contains("\"half-life\":\"inf\""), "{json}");
        assert_eq!(serde_json::from_str::<Weights>(&json).unwrap(), weights);
    }
}
