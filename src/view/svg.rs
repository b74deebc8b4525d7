//! A drawn screen as an SVG picture, for documentation: the program's own buffer, cell by cell.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// Size of a cell.
const CELL: (f64, f64) = (8.4, 18.0);
/// Room around the screen.
const MARGIN: f64 = 12.0;
/// Text and background of the pictured terminal.
const DEFAULT: (&str, &str) = ("#d8dee9", "#1c2028");
/// The sixteen colours of the pictured terminal.
const PALETTE: [&str; 16] = [
    "#2e3440", "#e06c75", "#98c379", "#e5b567", "#5b9bd5", "#c678dd", "#56b6c2", "#d8dee9", "#5c6370", "#e88388",
    "#a9d18e", "#f0c987", "#7ab8f5", "#d49be8", "#7fd3de", "#ffffff",
];

/// The picture of `buffer`.
pub fn of(buffer: &Buffer) -> String {
    let (columns, rows) = (f64::from(buffer.area.width), f64::from(buffer.area.height));
    let (width, height) = (columns * CELL.0 + 2.0 * MARGIN, rows * CELL.1 + 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',Consolas,monospace\" font-size=\"14\" \
         xml:space=\"preserve\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n",
        DEFAULT.1
    );
    for row in 0..buffer.area.height {
        let mut column = 0;
        while column < buffer.area.width {
            column += run(&mut out, buffer, column, row);
        }
    }
    out.push_str("</svg>\n");
    out
}

/// Writes the run of equally styled cells that starts here and returns its length.
fn run(out: &mut String, buffer: &Buffer, column: u16, row: u16) -> u16 {
    let at = |column: u16| &buffer[(buffer.area.x + column, buffer.area.y + row)];
    let first = at(column);
    let mut text = String::new();
    let mut length = 0;
    // A glyph that the reader's font lacks takes its neighbours along to another font; so it stands alone.
    let plain = first.symbol().is_ascii();
    while column + length < buffer.area.width && at(column + length).style() == first.style() {
        let symbol = at(column + length).symbol();
        if symbol.is_ascii() != plain {
            break;
        }
        text.push_str(symbol);
        // The cell behind a wide character is its second half.
        length += (symbol.width().max(1) as u16).min(buffer.area.width - column - length);
    }
    let (fore, back) = colours(first);
    let (x, y) = (MARGIN + f64::from(column) * CELL.0, MARGIN + f64::from(row) * CELL.1);
    let width = f64::from(length) * CELL.0;
    if back != DEFAULT.1 {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{back}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return length;
    }
    let modifier = first.modifier;
    let mut style = String::new();
    if modifier.contains(Modifier::BOLD) {
        style.push_str(" font-weight=\"bold\"");
    }
    if modifier.contains(Modifier::ITALIC) {
        style.push_str(" font-style=\"italic\"");
    }
    if modifier.contains(Modifier::UNDERLINED) {
        style.push_str(" text-decoration=\"underline\"");
    }
    if modifier.contains(Modifier::DIM) {
        style.push_str(" opacity=\"0.62\"");
    }
    let blank = text.len() - text.trim_start().len();
    let x = x + blank as f64 * CELL.0;
    let shown = text.trim();
    // Fixing the length keeps columns straight whatever font the reader has.
    let length_of = shown.width() as f64 * CELL.0;
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{length_of:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{fore}\"{style}>{}</text>",
        y + CELL.1 * 0.75,
        escaped(shown)
    );
    length
}

/// Text and background, swapped where the cell is reversed.
fn colours(cell: &Cell) -> (String, String) {
    let fore = colour(cell.fg).unwrap_or_else(|| DEFAULT.0.to_owned());
    let back = colour(cell.bg).unwrap_or_else(|| DEFAULT.1.to_owned());
    if cell.modifier.contains(Modifier::REVERSED) { (back, fore) } else { (fore, back) }
}

fn colour(colour: Color) -> Option<String> {
    let index = match colour {
        Color::Reset => return None,
        Color::Rgb(r, g, b) => return Some(format!("#{r:02x}{g:02x}{b:02x}")),
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(index) => usize::from(index),
    };
    PALETTE.get(index).map(|hex| (*hex).to_owned())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    #[test]
    fn a_screen_becomes_text_and_rectangles() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 1));
        buffer.set_string(0, 0, "a<b", Style::new().fg(Color::Red));
        buffer.set_string(4, 0, "日", Style::new().add_modifier(Modifier::REVERSED));
        let svg = of(&buffer);
        assert!(svg.contains(">a&lt;b</text>") && svg.contains("fill=\"#e06c75\""), "{svg}");
        assert!(svg.contains("<rect x=\"45.6\" y=\"12.0\" width=\"8.4\"") || svg.contains("width=\"16.8\""), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
