//! Themes: roles read from TOML, resolved once into styles. No other module names a colour.
//!
//! Invariant: every role has a style in every theme, and in theme `mono` none of them has a colour.

use std::collections::BTreeMap;
use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

/// Why a theme could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// Not TOML, or not the fields of a theme.
    #[error("theme '{theme}': {reason}")]
    Syntax {
        /// The theme's name.
        theme: String,
        /// What the parser says.
        reason: String,
    },
    /// A value that means nothing.
    #[error("theme '{theme}': role '{role}' has {what} '{value}'; {remedy}")]
    Value {
        /// The theme's name.
        theme: String,
        /// The role.
        role: String,
        /// Which part of the role.
        what: &'static str,
        /// The value as written.
        value: String,
        /// What to write instead.
        remedy: &'static str,
    },
    /// A role that no view uses.
    #[error("theme '{theme}': there is no role '{role}'; known are {known}")]
    UnknownRole {
        /// The theme's name.
        theme: String,
        /// The role as written.
        role: String,
        /// All roles.
        known: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    roles: BTreeMap<String, WrittenRole>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRole {
    fg: Option<String>,
    bg: Option<String>,
    #[serde(default, rename = "mod")]
    modifiers: Vec<String>,
}

macro_rules! roles {
    ($($field:ident = $name:literal, $doc:literal;)*) => {
        /// A theme: a style for every role.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Theme {
            /// Its name.
            pub name: &'static str,
            $(#[doc = $doc] pub $field: Style,)*
        }

        impl Theme {
            /// Names of all roles, in order of definition.
            pub const ROLES: &'static [&'static str] = &[$($name),*];

            fn plain(name: &'static str) -> Self {
                Self { name, $($field: Style::new(),)* }
            }

            fn role_mut(&mut self, role: &str) -> Option<&mut Style> {
                match role {
                    $($name => Some(&mut self.$field),)*
                    _ => None,
                }
            }
        }
    };
}

roles! {
    text = "text", "What has no other role.";
    dim = "dim", "Secondary text.";
    title = "title", "Title of a pane.";
    header = "header", "The program's name, the decision.";
    border = "border", "Border of a pane.";
    border_focus = "border-focus", "Border of the pane that has the focus.";
    local = "local", "Local memory.";
    global = "global", "Global memory.";
    mediated = "mediated", "The mediator.";
    none = "none", "The arm without memory.";
    score = "score", "A score.";
    good = "good", "An answer that equals the judged one.";
    bad = "bad", "An answer that differs from it.";
    conflict = "conflict", "A conflict.";
    stale = "stale", "Something made for an earlier question.";
    selection = "selection", "The selected row.";
    key = "key", "A key in a hint.";
    matched = "match", "What a filter matched.";
    input = "input", "Text being typed.";
    band = "band", "A stretch of a slider where another label wins.";
    band_won = "band-won", "The stretch of a slider around its value.";
    handle = "handle", "A slider's handle.";
    busy = "busy", "Work under way.";
    error = "error", "A failure.";
    raises = "raises", "Speaks for an answer.";
    raises_much = "raises-much", "Speaks for an answer by a factor of e or more.";
    lowers = "lowers", "Speaks against an answer.";
    lowers_much = "lowers-much", "Speaks against an answer by a factor of e or more.";
}

const BUILTIN: [(&str, &str); 4] = [
    ("ansi", include_str!("../themes/ansi.toml")),
    ("night", include_str!("../themes/night.toml")),
    ("day", include_str!("../themes/day.toml")),
    ("mono", include_str!("../themes/mono.toml")),
];

impl Theme {
    /// Names of the built-in themes; the first is the default, the last has no colour.
    pub fn names() -> [&'static str; 4] {
        BUILTIN.map(|(name, _)| name)
    }

    /// A built-in theme; a plain one if there is none of that name.
    pub fn named(name: &str) -> Self {
        let found = BUILTIN.iter().find(|(known, _)| *known == name);
        // The built-in texts are parsed by a test; a plain screen is better than none if one ever were broken.
        found.and_then(|(name, text)| Self::parse(name, text).ok()).unwrap_or_else(|| Self::plain("plain"))
    }

    /// Reads a theme's TOML.
    pub fn parse(name: &'static str, text: &str) -> Result<Self, ThemeError> {
        let written: Written = toml::from_str(text)
            .map_err(|error| ThemeError::Syntax { theme: name.to_owned(), reason: error.message().to_owned() })?;
        let mut theme = Self::plain(name);
        for (role, style) in written.roles {
            let resolved = resolve(name, &role, &style)?;
            let Some(slot) = theme.role_mut(&role) else {
                return Err(ThemeError::UnknownRole { theme: name.to_owned(), role, known: Self::ROLES.join(", ") });
            };
            *slot = resolved;
        }
        Ok(theme)
    }
}

fn resolve(theme: &str, role: &str, written: &WrittenRole) -> Result<Style, ThemeError> {
    let color = |what, value: &Option<String>| -> Result<Option<Color>, ThemeError> {
        let Some(value) = value else { return Ok(None) };
        Color::from_str(value).map(Some).map_err(|_| ThemeError::Value {
            theme: theme.to_owned(),
            role: role.to_owned(),
            what,
            value: value.clone(),
            remedy: "use a colour's name, #rrggbb or a number from 0 to 255",
        })
    };
    let mut style = Style::new();
    style.fg = color("the colour", &written.fg)?;
    style.bg = color("the background", &written.bg)?;
    for name in &written.modifiers {
        let modifier = match name.as_str() {
            "bold" => Modifier::BOLD,
            "dim" => Modifier::DIM,
            "italic" => Modifier::ITALIC,
            "underlined" => Modifier::UNDERLINED,
            "reversed" => Modifier::REVERSED,
            "crossed-out" => Modifier::CROSSED_OUT,
            _ => {
                return Err(ThemeError::Value {
                    theme: theme.to_owned(),
                    role: role.to_owned(),
                    what: "the modifier",
                    value: name.clone(),
                    remedy: "use bold, dim, italic, underlined, reversed or crossed-out",
                });
            }
        };
        style = style.add_modifier(modifier);
    }
    Ok(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_themes_parse_and_name_every_role() {
        for (name, text) in BUILTIN {
            Theme::parse(name, text).unwrap();
            for role in Theme::ROLES {
                assert!(text.contains(&format!("\n{role} = ")), "{name} leaves out {role}");
            }
        }
    }

    /// Red, green and blue of one of the fixed colours 16–255.
    fn rgb(color: Color) -> [f64; 3] {
        let Color::Indexed(index @ 16..) = color else { panic!("{color:?} is none of the fixed colours") };
        let step = |level: u8| if level == 0 { 0.0 } else { f64::from(55 + 40 * level) };
        match index {
            232.. => [f64::from(8 + 10 * (u16::from(index) - 232)); 3],
            _ => [(index - 16) / 36, (index - 16) / 6 % 6, (index - 16) % 6].map(step),
        }
    }

    /// Relative luminance by WCAG 2.
    fn luminance(color: Color) -> f64 {
        let linear =
            |c: f64| if c / 255.0 <= 0.03928 { c / 255.0 / 12.92 } else { ((c / 255.0 + 0.055) / 1.055).powf(2.4) };
        let [r, g, b] = rgb(color).map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    #[test]
    fn themes_with_a_background_are_readable_on_it() {
        for name in ["night", "day"] {
            let mut theme = Theme::named(name);
            let ground = luminance(theme.text.bg.unwrap());
            for role in Theme::ROLES.iter().filter(|role| **role != "border") {
                let Some(color) = theme.role_mut(role).unwrap().fg else { continue };
                let ink = luminance(color);
                let contrast = (ink.max(ground) + 0.05) / (ink.min(ground) + 0.05);
                assert!(contrast >= 4.5, "{name}: {role} has a contrast of {contrast:.1}");
            }
        }
    }

    #[test]
    fn mono_has_no_colour_and_shows_the_selection() {
        let mut mono = Theme::named("mono");
        for role in Theme::ROLES {
            let style = *mono.role_mut(role).unwrap();
            assert_eq!((style.fg, style.bg), (None, None), "{role}");
        }
        assert!(mono.selection.add_modifier.contains(Modifier::REVERSED));
    }

    #[test]
    fn mistakes_are_named_with_a_remedy() {
        for (text, expected) in [
            ("[roles]\ntext = { fg = \"blurple\" }", "the colour 'blurple'; use a colour's name"),
            ("[roles]\ntext = { mod = [\"loud\"] }", "the modifier 'loud'; use bold"),
            ("[roles]\ntxet = {}", "no role 'txet'"),
            ("roles = 1", "theme 't'"),
        ] {
            let message = Theme::parse("t", text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
