//! Where an answer ends: at the first stop text, of which nothing is shown.
//!
//! Invariant: the pieces put together are the answer up to its first stop text, however the pieces were cut.

/// Holds text back as long as it might be the beginning of a stop text.
#[derive(Debug, Default)]
pub(super) struct StopFilter {
    stops: Vec<String>,
    held: String,
}

impl StopFilter {
    /// A filter for these texts; empty ones stop nothing.
    pub(super) fn new(stops: Vec<String>) -> Self {
        Self { stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(), held: String::new() }
    }

    /// The text that is safe to show now, and whether a stop text was found: then nothing follows.
    pub(super) fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let keep = self
            .held
            .char_indices()
            .map(|(at, _)| at)
            .find(|&at| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..])))
            .unwrap_or(self.held.len());
        let rest = self.held.split_off(keep);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back and turned out to be no stop text.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_stop_text_is_never_shown() {
        let mut filter = StopFilter::new(vec!["\n\n".into(), "END".into(), String::new()]);
        assert_eq!(filter.push("one\n"), ("one".into(), false));
        assert_eq!(filter.push("two E"), ("\ntwo ".into(), false));
        assert_eq!(filter.push("N"), (String::new(), false));
        assert_eq!(filter.push("D of"), (String::new(), true));
    }

    #[test]
    fn what_only_looked_like_a_stop_text_comes_at_the_end() {
        let mut filter = StopFilter::new(vec!["END".into()]);
        assert_eq!(filter.push("the EN"), ("the ".into(), false));
        assert_eq!(filter.finish(), "EN");
    }

    proptest! {
        #[test]
        fn cutting_does_not_matter(text in "[ab\u{e9}]{0,24}", stop in "[ab\u{e9}]{1,3}", cuts in prop::collection::vec(1usize..4, 0..24)) {
            let mut filter = StopFilter::new(vec![stop.clone()]);
            let mut chars = text.chars().peekable();
            let mut cuts = cuts.into_iter();
            let (mut shown, mut stopped) = (String::new(), false);
            while chars.peek().is_some() && !stopped {
                let piece: String = chars.by_ref().take(cuts.next().unwrap_or(1)).collect();
                let (safe, hit) = filter.push(&piece);
                shown.push_str(&safe);
                stopped = hit;
            }
            if !stopped {
                shown.push_str(&filter.finish());
            }
            prop_assert_eq!(shown, text.split(&stop).next().unwrap());
        }
    }
}
