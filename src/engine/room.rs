//! Room in memory: what a model will take, and what there is.
//!
//! Invariants: what is needed is reckoned from the model's own files, before anything is read into memory; what cannot be
//! measured refuses nothing.

use std::fmt;
use std::fs;
use std::str::FromStr;

/// A number of bytes as people read it: `812 MB`, `4.9 GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.0 as f64;
        match self.0 {
            0..=999 => write!(f, "{} B", self.0),
            1_000..=999_499 => write!(f, "{:.0} kB", value / 1e3),
            999_500..=999_499_999 => write!(f, "{:.0} MB", value / 1e6),
            _ => write!(f, "{:.1} GB", value / 1e9),
        }
    }
}

/// How much memory a model may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Allowance {
    /// What the system says is available.
    #[default]
    Available,
    /// So many bytes.
    Bytes(u64),
    /// Whatever it needs; nobody looks.
    Any,
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("'{text}' is no amount of memory; write 8G, 800M or any");
        if text == "any" {
            return Ok(Self::Any);
        }
        let unit = |unit: char| match unit.to_ascii_uppercase() {
            'K' => Some(1e3),
            'M' => Some(1e6),
            'G' => Some(1e9),
            _ => None,
        };
        let text = text.trim_end_matches(['B', 'b']);
        let scale = text.chars().last().and_then(unit).ok_or_else(refused)?;
        let number: f64 = text[..text.len() - 1].trim().parse().map_err(|_| refused())?;
        if !number.is_finite() || number <= 0.0 {
            return Err(refused());
        }
        Ok(Self::Bytes((number * scale) as u64))
    }
}

/// The memory a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Need {
    /// Its weights, in bytes.
    pub weights: u64,
    /// Tables of the positions that it knows, in bytes, while they are computed: all of them, however short its context is.
    pub positions: u64,
    /// Keys and values of a whole context, in bytes.
    pub cache: u64,
    /// Tokens of that context.
    pub context: usize,
}

impl Need {
    /// All together.
    pub fn total(&self) -> u64 {
        self.fixed().saturating_add(self.cache)
    }

    /// What a shorter context does not make smaller.
    fn fixed(&self) -> u64 {
        self.weights.saturating_add(self.positions)
    }

    /// Why the model does not fit into `free` bytes: the reason and the remedy. `None` if it does. `quantised` is what it
    /// would need if it were made smaller while it is read, where that can be done.
    pub fn exceeds(&self, free: u64, quantised: Option<&Self>) -> Option<(String, String)> {
        if self.total() <= free {
            return None;
        }
        let reason = format!(
            "it needs {} of memory ({} of weights, {} of positions, {} for {} tokens), and {} may be taken",
            Bytes(self.total()),
            Bytes(self.weights),
            Bytes(self.positions),
            Bytes(self.cache),
            self.context,
            Bytes(free)
        );
        let remedy = if self.fixed() < free {
            "pass --context with fewer tokens, or --memory any to load it all the same"
        } else if quantised.is_some_and(|quantised| quantised.weights < self.weights) {
            "pass --quantize q4k, choose a smaller model, or --memory any to load it all the same"
        } else {
            "choose a smaller model, or pass --memory any to load it all the same"
        };
        Some((reason, remedy.to_owned()))
    }
}

/// Bytes that this process can still take without pushing others out; `None` where the system does not say.
pub fn available() -> Option<u64> {
    let system = fs::read_to_string("/proc/meminfo").ok().and_then(|told| field(&told, "MemAvailable:"));
    // A container may have less than the machine.
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let contained = number("/sys/fs/cgroup/memory.max")
        .zip(number("/sys/fs/cgroup/memory.current"))
        .map(|(most, used)| most.saturating_sub(used.saturating_sub(reclaimable().unwrap_or(0))));
    [system, contained].into_iter().flatten().min()
}

/// Pages of files that the container counts and the system takes back when asked to.
fn reclaimable() -> Option<u64> {
    let told = fs::read_to_string("/sys/fs/cgroup/memory.stat").ok()?;
    let line = told.lines().find_map(|line| line.strip_prefix("inactive_file "))?;
    line.trim().parse().ok()
}

/// Bytes of this process that are in memory; `None` where the system does not say.
pub fn resident() -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

fn field(told: &str, name: &str) -> Option<u64> {
    let line = told.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_told_with_its_parts_and_the_fitting_remedy() {
        let need = Need { weights: 5_000_000_000, positions: 100_000_000, cache: 500_000_000, context: 4096 };
        assert_eq!(need.exceeds(5_600_000_000, None), None);
        let (reason, remedy) = need.exceeds(5_200_000_000, None).unwrap();
        assert_eq!(
            reason,
            "it needs 5.6 GB of memory (5.0 GB of weights, 100 MB of positions, 500 MB for 4096 tokens), and 5.2 GB may be \
             taken"
        );
        assert!(remedy.contains("--context") && remedy.contains("--memory any"), "{remedy}");
        let remedy = |quantised| need.exceeds(1_000_000_000, quantised).unwrap().1;
        let smaller = Need { weights: 1_500_000_000, ..need };
        assert!(remedy(Some(&smaller)).contains("--quantize q4k"));
        let (_, fewer) = need.exceeds(5_050_000_000, None).unwrap();
        assert!(!fewer.contains("--context"), "no context is short enough: {fewer}");
        for no_smaller in [None, Some(&need)] {
            assert_eq!(remedy(no_smaller), "choose a smaller model, or pass --memory any to load it all the same");
        }
    }

    #[test]
    fn amounts_are_read_as_people_write_them() {
        assert_eq!("8G".parse(), Ok(Allowance::Bytes(8_000_000_000)));
        assert_eq!("1.5gb".parse(), Ok(Allowance::Bytes(1_500_000_000)));
        assert_eq!("800M".parse(), Ok(Allowance::Bytes(800_000_000)));
        assert_eq!("any".parse(), Ok(Allowance::Any));
        for odd in ["", "8", "-1G", "NaNG", "G", "8T", "8é"] {
            assert!(odd.parse::<Allowance>().is_err(), "{odd:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_says_what_there_is() {
        assert!(available().unwrap() > 0 && resident().unwrap() > 1_000_000);
    }
}
