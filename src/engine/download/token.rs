//! What proves to a hub who is asking.
//!
//! Invariant: a token that no request can carry is not kept, so that no message about the request can quote it; one that can
//! be carried is never shown.

use std::fmt;

/// What proves to a hub who is asking.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// It can be sent.
    Usable(String),
    /// It holds characters that no request can carry.
    Unusable {
        /// Where it stands: a variable or a file.
        place: String,
    },
}

impl Token {
    /// The token that stands in `place`; `None` where nothing does.
    pub fn read(text: &str, place: &str) -> Option<Self> {
        let text = text.trim();
        let usable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (!text.is_empty()).then(|| match usable {
            true => Self::Usable(text.to_owned()),
            false => Self::Unusable { place: place.to_owned() },
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usable(_) => f.write_str("Usable(…)"),
            Self::Unusable { place } => f.debug_struct("Unusable").field("place", place).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_as_it_stands_or_not_at_all() {
        assert_eq!(Token::read(" hf_secret\n", "here"), Some(Token::Usable("hf_secret".into())));
        assert_eq!(Token::read(" \n", "here"), None);
        for odd in ["hf_secret\u{200b}", "hf_secret\nhf_other", "hf secret", "hf_s\u{e9}cret"] {
            let token = Token::read(odd, "here");
            assert_eq!(token, Some(Token::Unusable { place: "here".into() }), "{odd:?}");
            assert!(!format!("{token:?}").contains("secret"));
        }
        assert!(!format!("{:?}", Token::read("hf_secret", "here")).contains("secret"));
    }
}
