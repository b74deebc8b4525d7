//! A thin profile of one person: the decayed distribution of their responses.

/// Half-life, in days, of an item's weight in a profile.
pub const HALF_LIFE: f64 = 180.0;

/// What a person tends to answer, whatever the query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Decayed count per label.
    pub counts: Vec<f64>,
}

impl Profile {
    /// Adds up `(label, age in days)` pairs.
    pub fn of(labels: usize, items: impl Iterator<Item = (usize, f64)>) -> Self {
        let mut counts = vec![0.0; labels];
        for (label, age) in items {
            counts[label] += (-age / HALF_LIFE).exp2();
        }
        Self { counts }
    }

    /// Shares per label; all zero for a person without items.
    pub fn distribution(&self) -> Vec<f64> {
        let sum: f64 = self.counts.iter().sum();
        self.counts.iter().map(|count| if sum > 0.0 { count / sum } else { 0.0 }).collect()
    }

    /// `(label, share)` by falling share, without labels never used.
    pub fn ranked(&self) -> Vec<(usize, f64)> {
        let mut shares: Vec<(usize, f64)> =
            self.distribution().into_iter().enumerate().filter(|(_, p)| *p > 0.0).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        shares
    }
}
