//! `[periods]`: how collective knowledge is cut into time, and how fast it fades.

use serde::{Deserialize, Serialize};

use super::is_default;

/// More periods than this would be a mistake in `dataset.toml`, not a calendar.
pub const MOST_PERIODS: usize = 1000;

/// How long a period is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PeriodLength {
    /// So many days. > 0; `inf` closes none.
    Days(f64),
    /// So many interactions of the population, and whatever else happens in the second of the last one. ≥ 1.
    Interactions(usize),
}

impl PeriodLength {
    /// What to do where no period closes, so that nothing collective is ever known.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Days(_) => "write a shorter one: [periods] days in dataset.toml",
            Self::Interactions(_) => "write a shorter one: [periods] interactions in dataset.toml",
        }
    }
}

/// How collective knowledge is cut into time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "PeriodsTable", into = "PeriodsTable")]
pub struct Periods {
    /// How long a period is.
    pub length: PeriodLength,
    /// Half-life, in days, of an interaction's weight in collective entries.
    pub half_life: f64,
    /// Half-life, in days, of an interaction's weight in the base rate.
    pub base_half_life: f64,
    /// Half-life, in days, of an interaction's weight in collective terms.
    pub term_half_life: f64,
    /// h_N: half-life, in days, of a neighbour's vote.
    pub neighbour_half_life: f64,
    /// Half-life, in days, of the person's own responses where their community is told from them; `inf` forgets none.
    pub membership_half_life: f64,
    /// Topics that communities are told apart by, at most 256; 0 tells none apart.
    pub topics: usize,
}

impl Default for Periods {
    fn default() -> Self {
        Self {
            length: PeriodLength::Days(90.0),
            half_life: 365.0,
            base_half_life: 180.0,
            term_half_life: 730.0,
            neighbour_half_life: 365.0,
            membership_half_life: f64::INFINITY,
            topics: 0,
        }
    }
}

/// `[periods]` as it is written: the length under the name of its unit.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct PeriodsTable {
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interactions: Option<usize>,
    half_life: f64,
    base_half_life: f64,
    term_half_life: f64,
    neighbour_half_life: f64,
    /// Absent where nothing is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    membership_half_life: Option<f64>,
    #[serde(skip_serializing_if = "is_default")]
    topics: usize,
}

impl Default for PeriodsTable {
    /// A table without a line: its length is yet to be filled in.
    fn default() -> Self {
        Self { days: None, interactions: None, ..Periods::default().into() }
    }
}

impl From<Periods> for PeriodsTable {
    fn from(periods: Periods) -> Self {
        let Periods { length, half_life, base_half_life, term_half_life, neighbour_half_life, topics, .. } = periods;
        let membership_half_life = periods.membership_half_life;
        let membership_half_life = membership_half_life.is_finite().then_some(membership_half_life);
        let (days, interactions) = match length {
            PeriodLength::Days(days) => (Some(days), None),
            PeriodLength::Interactions(count) => (None, Some(count)),
        };
        Self {
            days,
            interactions,
            half_life,
            base_half_life,
            term_half_life,
            neighbour_half_life,
            membership_half_life,
            topics,
        }
    }
}

impl TryFrom<PeriodsTable> for Periods {
    type Error = &'static str;

    fn try_from(table: PeriodsTable) -> Result<Self, Self::Error> {
        let length = match (table.days, table.interactions) {
            (Some(_), Some(_)) => {
                return Err("'periods' has both 'days' and 'interactions'; keep one of them: a period has one length");
            }
            (Some(days), None) => PeriodLength::Days(days),
            (None, Some(count)) => PeriodLength::Interactions(count),
            (None, None) => Self::default().length,
        };
        let PeriodsTable { half_life, base_half_life, term_half_life, neighbour_half_life, topics, .. } = table;
        let membership_half_life = table.membership_half_life.unwrap_or(f64::INFINITY);
        Ok(Self {
            length,
            half_life,
            base_half_life,
            term_half_life,
            neighbour_half_life,
            membership_half_life,
            topics,
        })
    }
}
