//! A run of drawn screens as a terminal recording, asciicast v2: the program's own buffers, frame by frame.
//!
//! Invariants: nothing but the frames and their times goes in, so the same session gives the same bytes; what is written
//! moves the cursor, sets styles and prints cells, and no cell holds a control character.

use std::fmt::Write as _;
use std::time::Duration;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use serde_json::json;
use unicode_width::UnicodeWidthStr;

/// Version of the format.
const VERSION: u8 = 2;

/// A recording as far as it has come.
#[derive(Debug)]
pub struct Cast {
    text: String,
    before: Option<Buffer>,
}

impl Cast {
    /// An empty recording of a terminal of so many columns and rows.
    pub fn new(width: u16, height: u16, title: &str) -> Self {
        let header = json!({
            "version": VERSION, "width": width, "height": height, "title": title, "env": {"TERM": "xterm-256color"},
        });
        Self { text: format!("{header}\n"), before: None }
    }

    /// The screen looks like `buffer` from `at` on.
    pub fn frame(&mut self, at: Duration, buffer: &Buffer) {
        let mut out = String::new();
        let blank = || {
            let mut blank = buffer.clone();
            blank.reset();
            blank
        };
        if self.before.is_none() {
            out.push_str("\x1b[?25l\x1b[0m\x1b[2J");
        }
        let before = self.before.take().unwrap_or_else(blank);
        let mut pen = Pen::default();
        for (column, row, cell) in before.diff(buffer) {
            pen.draw(&mut out, column - buffer.area.x, row - buffer.area.y, cell);
        }
        if pen.at.is_some() {
            out.push_str("\x1b[0m");
        }
        self.before = Some(buffer.clone());
        if !out.is_empty() {
            self.event(at, "o", &out);
        }
    }

    /// A name for this moment, which players jump to.
    pub fn marker(&mut self, at: Duration, name: &str) {
        self.event(at, "m", name);
    }

    /// The recording, which goes on without change until `end`.
    pub fn end(mut self, end: Duration) -> String {
        self.event(end, "o", "\x1b[?25h");
        self.text
    }

    fn event(&mut self, at: Duration, kind: &str, data: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{}", json!([at.as_secs_f64(), kind, data]));
    }
}

/// Where the next cell would go, and how it would look.
#[derive(Default)]
struct Pen {
    at: Option<(u16, u16)>,
    style: Option<(Color, Color, Modifier)>,
}

impl Pen {
    fn draw(&mut self, out: &mut String, column: u16, row: u16, cell: &Cell) {
        if self.at != Some((column, row)) {
            let _ = write!(out, "\x1b[{};{}H", row + 1, column + 1);
        }
        let style = (cell.fg, cell.bg, cell.modifier);
        if self.style != Some(style) {
            out.push_str("\x1b[0");
            for (modifier, code) in MODIFIERS {
                if cell.modifier.contains(modifier) {
                    let _ = write!(out, ";{code}");
                }
            }
            colour(out, cell.fg, 30);
            colour(out, cell.bg, 40);
            out.push('m');
            self.style = Some(style);
        }
        out.push_str(cell.symbol());
        self.at = Some((column + cell.symbol().width().max(1) as u16, row));
    }
}

const MODIFIERS: [(Modifier, u8); 6] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::REVERSED, 7),
    (Modifier::CROSSED_OUT, 9),
];

/// The parameters that set a colour, `base` being 30 for text and 40 for what is behind it.
fn colour(out: &mut String, colour: Color, base: u8) {
    let index = match colour {
        Color::Reset => return,
        Color::Rgb(r, g, b) => {
            let _ = write!(out, ";{};2;{r};{g};{b}", base + 8);
            return;
        }
        Color::Indexed(index) => {
            let _ = write!(out, ";{};5;{index}", base + 8);
            return;
        }
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 60,
        Color::LightRed => 61,
        Color::LightGreen => 62,
        Color::LightYellow => 63,
        Color::LightBlue => 64,
        Color::LightMagenta => 65,
        Color::LightCyan => 66,
        Color::White => 67,
    };
    let _ = write!(out, ";{}", base + index);
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn only_what_changes_is_written() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 2));
        let mut cast = Cast::new(6, 2, "t");
        buffer.set_string(1, 0, "日b", Style::new().fg(Color::LightRed).add_modifier(Modifier::BOLD));
        cast.frame(Duration::ZERO, &buffer);
        cast.marker(Duration::from_millis(500), "turn 1");
        cast.frame(Duration::from_millis(900), &buffer);
        buffer.set_string(4, 1, "x", Style::new().bg(Color::Indexed(7)));
        cast.frame(Duration::from_secs(1), &buffer);
        let text = cast.end(Duration::from_secs(3));
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["version"], &lines[0]["width"], &lines[0]["height"]), (&json!(2), &json!(6), &json!(2)));
        let rest = [
            json!([0.0, "o", "\u{1b}[?25l\u{1b}[0m\u{1b}[2J\u{1b}[1;2H\u{1b}[0;1;91m日b\u{1b}[0m"]),
            json!([0.5, "m", "turn 1"]),
            json!([1.0, "o", "\u{1b}[2;5H\u{1b}[0;48;5;7mx\u{1b}[0m"]),
            json!([3.0, "o", "\u{1b}[?25h"]),
        ];
        assert_eq!(lines[1..], rest);
    }
}
