//! Every glyph the workbench draws and reports print, each with an ASCII twin.
//!
//! Invariant: each glyph is one column wide, in both forms, so that a screen has the same shape with `--ascii`.

use std::borrow::Cow;
use std::iter::repeat_n;

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthChar;

/// Local memory.
pub const LOCAL: &str = "●";
/// Global memory.
pub const GLOBAL: &str = "◆";
/// The mediator.
pub const MEDIATED: &str = "▲";
/// The arm without memory.
pub const NONE: &str = "○";
/// Right.
pub const RIGHT: &str = "✓";
/// Wrong.
pub const WRONG: &str = "✗";
/// Leads to.
pub const ARROW: &str = "→";
/// A conflict.
pub const CONFLICT: &str = "≠";
/// Something left out.
pub const ELLIPSIS: &str = "…";
/// Between parts of a line.
pub const DOT: &str = "·";
/// The selected slider or row.
pub const POINTER: &str = "▸";
/// A line that filters what stands below it, after the key that leads there in the help.
pub const FILTER: &str = "/";
/// A slider's handle.
pub const HANDLE: &str = "●";
/// A slider's ends.
pub const TRACK_ENDS: [&str; 2] = ["├", "┤"];
/// A slider's track.
pub const TRACK: &str = "─";
/// Between two decision bands.
pub const BAND_EDGE: &str = "│";
/// A full cell of a bar.
pub const BAR: &str = "█";
/// Cells of a bar filled by eighths, thinnest first.
pub const BAR_PARTS: [&str; 7] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// Frames of the spinner.
pub const SPINNER: [&str; 4] = ["◐", "◓", "◑", "◒"];
/// A replay that plays.
pub const PLAYING: &str = "▶";
/// A replay that is paused.
pub const PAUSED: &str = "⏸";
/// A replay at its end.
pub const STOPPED: &str = "■";
/// A turn to go to is being typed.
pub const SEEKING: &str = "»";
/// Asked now.
pub const LIVE: &str = "◉";
/// A decision that the present weights change.
pub const FLIP: &str = "⇄";
/// An answer that the analyst judged.
pub const SAID: &str = "✎";
/// The first of the 256 glyphs of eight dots, the empty one.
pub const BRAILLE: u32 = 0x2800;
/// A share as a small bar, lowest first.
pub const SPARKS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// More above, more below.
pub const MORE: [&str; 2] = ["↑", "↓"];

/// Glyph and twin of everything above and of the symbols in the mediator's formulas.
const TWINS: &[(&str, &str)] = &[
    ("●", "o"),
    ("◆", "#"),
    ("▲", "^"),
    ("○", "."),
    ("✓", "+"),
    ("✗", "x"),
    ("→", ">"),
    ("←", "<"),
    ("≠", "!"),
    ("…", "~"),
    ("·", "-"),
    ("▸", ">"),
    ("├", "["),
    ("┤", "]"),
    ("─", "-"),
    ("│", "|"),
    ("█", "#"),
    ("▓", "+"),
    ("▒", "="),
    ("░", "-"),
    ("▏", " "),
    ("▎", " "),
    ("▍", " "),
    ("▌", "="),
    ("▋", "="),
    ("▊", "="),
    ("▉", "#"),
    ("◐", "|"),
    ("◓", "/"),
    ("◑", "-"),
    ("◒", "\\"),
    ("↑", "^"),
    ("↓", "v"),
    ("╭", "."),
    ("╮", "."),
    ("╰", "'"),
    ("╯", "'"),
    ("━", "="),
    ("┃", "|"),
    ("┏", "+"),
    ("┓", "+"),
    ("┗", "+"),
    ("┛", "+"),
    ("ℓ", "L"),
    ("κ", "k"),
    ("γ", "y"),
    ("τ", "t"),
    ("α", "a"),
    ("ω", "w"),
    ("β", "B"),
    ("λ", "l"),
    ("⋅", "*"),
    ("σ", "s"),
    ("ν", "v"),
    ("∝", "~"),
    ("₂", "2"),
    ("−", "-"),
    ("–", "-"),
    ("—", "-"),
    ("“", "\""),
    ("”", "\""),
    ("‘", "'"),
    ("’", "'"),
    ("é", "e"),
    ("×", "x"),
    ("≤", "<"),
    ("▶", ">"),
    ("⏸", "|"),
    ("■", "#"),
    ("»", ">"),
    ("◉", "*"),
    ("⇄", "%"),
    ("✎", "\""),
    ("▁", "_"),
    ("▂", "."),
    ("▃", ":"),
    ("▄", ";"),
    ("▅", "="),
    ("▆", "+"),
    ("▇", "*"),
];

/// The ASCII twin of a glyph; `?` for what has none.
pub fn twin(glyph: &str) -> &str {
    if glyph.is_ascii() {
        return glyph;
    }
    if let Some(dots) = glyph.chars().next().filter(|c| is_braille(*c)) {
        // Eight dots in four rows; one sign for where they are.
        let dots = dots as u32 - BRAILLE;
        return match (dots & 0b0000_1001 > 0, dots & 0b0011_0110 > 0, dots & 0b1100_0000 > 0) {
            (false, false, false) => " ",
            (true, false, false) => "'",
            (false, true, false) => "-",
            (false, false, true) => "_",
            (true, true, _) | (_, true, true) | (true, _, true) => "|",
        };
    }
    TWINS.iter().find(|(known, _)| *known == glyph).map_or("?", |(_, twin)| twin)
}

/// Whether a character is one of the glyphs of eight dots.
pub fn is_braille(c: char) -> bool {
    (BRAILLE..BRAILLE + 256).contains(&(c as u32))
}

/// `text` in ASCII, as wide as it was; text of the data included, which such a terminal cannot show.
pub fn in_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match twin(c.encode_utf8(&mut [0; 4])) {
            "?" => plain.extend(repeat_n('?', c.width().unwrap_or_default())),
            twin => plain.push_str(twin),
        }
    }
    Cow::Owned(plain)
}

/// Replaces everything in `buffer` that is not ASCII; text of the data included, which such a terminal cannot show.
pub fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let twin = twin(cell.symbol()).to_owned();
            cell.set_symbol(&twin);
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::symbols::border;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn glyphs_and_twins_are_one_column_wide() {
        for (glyph, twin) in TWINS {
            assert_eq!(glyph.width(), 1, "{glyph}");
            assert!(twin.is_ascii() && twin.len() == 1, "{twin}");
        }
    }

    #[test]
    fn a_text_keeps_its_width_in_ascii() {
        for (text, plain) in [
            ("▁▅█ −.31 · p ≤ .05 →\n", "_=# -.31 - p < .05 >\n"),
            ("░▒▓█ ──●──", "-=+# --o--"),
            ("日本 e\u{301}?", "???? e?"),
            ("plain", "plain"),
        ] {
            assert_eq!(in_ascii(text), plain);
            assert_eq!(text.width(), plain.width(), "{text}");
        }
    }

    #[test]
    fn every_glyph_has_a_twin() {
        let parts = [
            LOCAL, GLOBAL, MEDIATED, NONE, RIGHT, WRONG, ARROW, CONFLICT, ELLIPSIS, DOT, POINTER, TRACK, BAND_EDGE,
            BAR, PLAYING, PAUSED, STOPPED, SEEKING, LIVE, FLIP, SAID, "⣿", "⠀",
        ];
        let edges = [border::ROUNDED, border::THICK].map(|set| {
            [
                set.top_left,
                set.top_right,
                set.bottom_left,
                set.bottom_right,
                set.vertical_left,
                set.vertical_right,
                set.horizontal_top,
                set.horizontal_bottom,
            ]
        });
        let all = parts
            .into_iter()
            .chain(TRACK_ENDS)
            .chain(BAR_PARTS)
            .chain(SPINNER)
            .chain(MORE)
            .chain(SPARKS)
            .chain(edges.into_iter().flatten());
        for glyph in all {
            assert_ne!(twin(glyph), "?", "{glyph}");
        }
    }
}
