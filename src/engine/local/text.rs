//! From token ids to text that may be shown: whole characters only, and nothing of a stop text.
//!
//! Invariant: the pieces put together are the decoded answer up to its first stop text, however the tokens were cut.

/// Turns token ids into text as they come. A character whose bytes are spread over several tokens appears when its
/// last byte is there.
pub(super) struct TextStream<D> {
    decode: D,
    /// The latest tokens: those shown last, as context for the decoder, and those not shown yet.
    window: Vec<u32>,
    /// How many of them have been shown.
    shown: usize,
}

impl<D: Fn(&[u32]) -> String> TextStream<D> {
    /// A stream that continues after the token `last`. Decoders treat the beginning of a text in their own way (they
    /// drop its leading space), so an answer is decoded as what it is: a continuation.
    pub(super) fn after(last: u32, decode: D) -> Self {
        Self { decode, window: vec![last], shown: 1 }
    }

    /// The text that `token` completes; empty while a character is unfinished.
    pub(super) fn push(&mut self, token: u32) -> String {
        self.window.push(token);
        let text = (self.decode)(&self.window);
        if text.ends_with(char::REPLACEMENT_CHARACTER) {
            return String::new();
        }
        self.show(&text)
    }

    /// What is left at the end, unfinished characters as replacement characters.
    pub(super) fn finish(&mut self) -> String {
        let text = (self.decode)(&self.window);
        self.show(&text)
    }

    fn show(&mut self, text: &str) -> String {
        let before = (self.decode)(&self.window[..self.shown]);
        // `None` would mean that a token changed text shown earlier; what is on the screen cannot be taken back.
        let fresh = text.get(before.len()..).unwrap_or_default().to_owned();
        self.window.drain(..self.shown);
        self.shown = self.window.len();
        fresh
    }
}

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

    /// Each token is one byte.
    fn bytes(tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().map(|&token| u8::try_from(token).unwrap()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn a_character_appears_whole() {
        let mut stream = TextStream::after(u32::from(b':'), bytes);
        let pieces: Vec<String> = " né🎬".bytes().map(|byte| stream.push(u32::from(byte))).collect();
        assert_eq!(pieces, [" ", "n", "", "é", "", "", "", "🎬"]);
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn an_unfinished_character_is_shown_as_such_at_the_end() {
        let mut stream = TextStream::after(u32::from(b':'), bytes);
        assert_eq!(stream.push(0xF0), "");
        assert_eq!(stream.finish(), "\u{FFFD}");
    }

    #[test]
    fn a_decoder_that_trims_does_not_eat_the_first_space() {
        let trimming = |tokens: &[u32]| bytes(tokens).trim_start().to_owned();
        let mut stream = TextStream::after(u32::from(b':'), trimming);
        let text: String = " a b".bytes().map(|byte| stream.push(u32::from(byte))).collect();
        assert_eq!(text, " a b");
    }

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
