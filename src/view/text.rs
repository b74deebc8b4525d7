//! Text for cells: nothing hostile, never cut inside a grapheme, numbers in one format.

use std::borrow::Cow;
use std::time::Duration;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::symbols;
use crate::data::sanitize::visible;

/// `text` made harmless, and without what joins, splits or varies glyphs unseen: terminals disagree on how wide the result
/// is, and one column too many pushes the frame out of place.
fn drawable(text: &str) -> Cow<'_, str> {
    let text = visible(text);
    if text.is_ascii() || !text.chars().any(is_unseen) {
        return text;
    }
    Cow::Owned(text.chars().filter(|c| !is_unseen(*c)).collect())
}

/// Zero-width spaces and joiners, soft hyphens, variation selectors and tags. Combining marks are none of these.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{206F}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Columns that `text` takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` made harmless and cut to at most `columns`, with an ellipsis where something is missing.
pub fn fit(text: &str, columns: usize) -> String {
    let text = drawable(text);
    if text.width() <= columns {
        return text.into_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let next = used + grapheme.width();
        if next > columns - 1 {
            break;
        }
        out.push_str(grapheme);
        used = next;
    }
    out.push_str(symbols::ELLIPSIS);
    out
}

/// [`fit`], then padded on the right to exactly `columns`.
pub fn pad(text: &str, columns: usize) -> String {
    let mut out = fit(text, columns);
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(out.width())));
    out
}

/// [`fit`], then padded on the left to exactly `columns`.
pub fn pad_left(text: &str, columns: usize) -> String {
    let fitted = fit(text, columns);
    format!("{}{fitted}", " ".repeat(columns.saturating_sub(fitted.width())))
}

/// `text` made harmless and broken at spaces into lines of at most `columns`; a longer word is cut.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let text = drawable(text);
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut rest = word;
        if !line.is_empty() && line.width() + 1 + word.width() > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        while rest.width() > columns {
            let mut taken = 0;
            for (at, grapheme) in rest.grapheme_indices(true) {
                if at > 0 && rest[..at + grapheme.len()].width() > columns {
                    break;
                }
                taken = at + grapheme.len();
            }
            lines.push(rest[..taken].to_owned());
            rest = &rest[taken..];
        }
        line.push_str(rest);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A line made harmless and broken into lines of at most `columns`, every character kept: for text that counts as it
/// stands.
pub fn fold(text: &str, columns: usize) -> Vec<String> {
    let text = drawable(text);
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        if used + grapheme.width() > columns && used > 0 {
            lines.push(String::new());
            used = 0;
        }
        used += grapheme.width();
        lines.last_mut().into_iter().for_each(|line| line.push_str(grapheme));
    }
    lines
}

/// A share in three columns: `.81`, `1.0`, `.00`.
pub fn share(value: f64) -> String {
    hundredths((value * 100.0).round() as i64)
}

fn hundredths(value: i64) -> String {
    match value {
        // The least number has no counterpart.
        ..0 => format!("-{}", hundredths(value.saturating_neg())),
        0..100 => format!(".{value:02}"),
        _ => format!("{}.{}", value / 100, value % 100 / 10),
    }
}

/// A score and its terms, rounded so that the shown terms still add up to the shown score.
pub fn sum_of<const N: usize>(score: f64, terms: [f64; N]) -> (String, [String; N]) {
    let total = (score * 100.0).round() as i64;
    let exact = terms.map(|term| term * 100.0);
    let mut rounded = exact.map(|term| term.round() as i64);
    let mut missing = rounded.iter().fold(total, |left, term| left.saturating_sub(*term));
    // Rounding takes no more than a hundredth from each; a session changed by hand may not add up at all.
    if missing.unsigned_abs() > N as u64 {
        return (hundredths(total), rounded.map(hundredths));
    }
    while missing != 0 && N > 0 {
        let step = missing.signum();
        // The term that its rounding has wronged most gives or takes the missing hundredth.
        let wronged = |ix: &usize| (exact[*ix] - rounded[*ix] as f64) * step as f64;
        let Some(ix) = (0..N).max_by(|a, b| wronged(a).total_cmp(&wronged(b))) else { break };
        rounded[ix] += step;
        missing -= step;
    }
    (hundredths(total), rounded.map(hundredths))
}

/// A weight's value: at most four significant digits, `inf` for no end.
pub fn value(value: f64) -> String {
    if value.is_infinite() {
        return "inf".to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let decimals = (3 - value.abs().log10().floor() as i32).clamp(0, 5) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A count with separators: `9,612`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number of weights: `850 k`, `3.1 M`, `7 B`.
pub fn magnitude(n: u64) -> String {
    let (scale, unit) = match n {
        0..1_000 => return n.to_string(),
        1_000..1_000_000 => (1e3, "k"),
        1_000_000..1_000_000_000 => (1e6, "M"),
        _ => (1e9, "B"),
    };
    let value = n as f64 / scale;
    if value < 9.95 { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

/// An age: `3 h`, `12 d`, `14 mo`, `3 y`.
pub fn age(days: f64) -> String {
    match days {
        d if d < 1.0 => format!("{:.0} h", d * 24.0),
        d if d < 100.0 => format!("{d:.0} d"),
        d if d < 730.0 => format!("{:.0} mo", d / 30.44),
        d => format!("{:.0} y", d / 365.25),
    }
}

/// A time taken: `4 ms`, `1.3 s`.
pub fn duration(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        ms if ms < 0.95 => "<1 ms".to_owned(),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.1} s", ms / 1e3),
    }
}

/// `word` for one, `words` for any other number.
pub fn plural(n: usize, word: &str, words: &str) -> String {
    format!("{} {}", count(n as u64), if n == 1 { word } else { words })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_is_wider_than_it_may_be(text in any::<String>(), columns in 0..40usize) {
            prop_assert!(width(&fit(&text, columns)) <= columns);
            prop_assert_eq!(width(&pad(&text, columns)), columns);
            prop_assert_eq!(width(&pad_left(&text, columns)), columns);
            for line in wrap(&text, columns) {
                // A single grapheme may be wider than the columns it is given.
                prop_assert!(width(&line) <= columns.max(1) || line.graphemes(true).count() == 1);
            }
        }

        #[test]
        fn shown_terms_add_up(terms in proptest::array::uniform3(-1.0..1.0f64)) {
            let (score, shown) = sum_of(terms.iter().sum(), terms);
            let cents = |text: &str| (text.parse::<f64>().unwrap() * 100.0).round() as i64;
            if score.trim_start_matches('-').starts_with('.') && shown.iter().all(|t| t.trim_start_matches('-').starts_with('.')) {
                prop_assert_eq!(shown.iter().map(|t| cents(t)).sum::<i64>(), cents(&score));
            }
        }
    }

    #[test]
    fn numbers_read_alike_everywhere() {
        assert_eq!([0.0, 0.005, 0.814, 0.996, 1.0].map(share), [".00", ".01", ".81", "1.0", "1.0"]);
        assert_eq!(
            [0.0, 0.25, 2.0, 6.2134, 180.0, 3650.0, f64::INFINITY].map(value),
            ["0", "0.25", "2", "6.213", "180", "3650", "inf"]
        );
        assert_eq!([7, 9_612, 1_000_000].map(count), ["7", "9,612", "1,000,000"]);
        assert_eq!([512, 850_000, 3_100_000, 14_000_000].map(magnitude), ["512", "850k", "3.1M", "14M"]);
        assert_eq!([0.1, 12.0, 400.0, 1500.0].map(age), ["2 h", "12 d", "13 mo", "4 y"]);
        assert_eq!([0, 4, 1300].map(|ms| duration(Duration::from_millis(ms))), ["<1 ms", "4 ms", "1.3 s"]);
    }

    #[test]
    fn hostile_text_is_shown_not_obeyed() {
        assert_eq!(fit("a\u{1b}[31m", 10), "a␛[31m");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(fold("one  two", 4), ["one ", " two"]);
        assert_eq!(fold("", 4), [""]);
    }
}
