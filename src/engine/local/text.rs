//! From token ids to text that may be shown: whole characters only.
//!
//! Invariant: the pieces put together are the decoded answer, however its characters were cut into tokens.

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
