//! Small things that several panes are made of: a frame with a title, a bar, a slider.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Borders, Widget};

use super::{span, symbols, text};
use crate::mediator::flip::Band;
use crate::mediator::weights::STOPS;
use crate::theme::Theme;

/// A frame around something.
pub struct Panel {
    /// On the left of the upper edge.
    pub title: Line<'static>,
    /// On the right of the upper edge, if it fits.
    pub note: Line<'static>,
    /// Whether keys act on it.
    pub focused: bool,
}

impl Panel {
    /// Draws the frame and returns the room inside, a column apart from it.
    pub fn draw(&self, theme: &Theme, area: Rect, buffer: &mut Buffer) -> Rect {
        let (kind, style) =
            if self.focused { (BorderType::Thick, theme.border_focus) } else { (BorderType::Rounded, theme.border) };
        Block::new().borders(Borders::ALL).border_type(kind).border_style(style).render(area, buffer);
        if area.width > 6 && area.height > 0 {
            let edge = Rect { x: area.x + 2, width: area.width - 4, height: 1, ..area };
            // What stands on the frame does not take over its style.
            let (title, note) = (self.title.width() as u16, self.note.width() as u16);
            buffer.set_style(Rect { width: title.min(edge.width), ..edge }, Style::reset().patch(theme.text));
            if note > 0 && title + 2 + note <= edge.width {
                buffer
                    .set_style(Rect { x: edge.right() - note, width: note, ..edge }, Style::reset().patch(theme.text));
            }
            super::put_both(&self.title, &self.note, edge, buffer);
        }
        Rect {
            x: area.x + 2.min(area.width),
            y: area.y + 1.min(area.height),
            width: area.width.saturating_sub(4),
            height: area.height.saturating_sub(2),
        }
    }
}

/// Writes the lines from `scroll` on into `inside` and marks on the frame around it what is out of sight. Returns how
/// far it can scroll.
pub fn scrolled(lines: &[Line], scroll: u16, theme: &Theme, inside: Rect, buffer: &mut Buffer) -> u16 {
    let limit = (lines.len() as u16).saturating_sub(inside.height);
    let scroll = scroll.min(limit);
    for (row, line) in lines.iter().skip(usize::from(scroll)).take(usize::from(inside.height)).enumerate() {
        super::put(line, Rect { y: inside.y + row as u16, height: 1, ..inside }, buffer);
    }
    let below = limit - scroll;
    let mark = match (scroll, below) {
        (0, 0) => return limit,
        (0, _) => format!(" {} {below} more ", symbols::MORE[1]),
        (_, 0) => format!(" {} {scroll} ", symbols::MORE[0]),
        _ => format!(" {} {scroll} {} {below} ", symbols::MORE[0], symbols::MORE[1]),
    };
    let width = text::width(&mark) as u16;
    if width <= inside.width {
        let place = Rect { x: inside.right() - width, y: inside.bottom(), width, height: 1 };
        let place = place.intersection(buffer.area);
        buffer.set_style(place, Style::reset().patch(theme.text));
        super::put(&Line::from(span(mark, theme.dim)), place, buffer);
    }
    limit
}

/// A bar of `columns` cells, filled to `share` by eighths of a cell.
pub fn bar(share: f64, columns: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * columns as f64 * 8.0).round() as usize;
    let mut out = symbols::BAR.repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        out.push_str(symbols::BAR_PARTS[eighths % 8 - 1]);
    }
    text::pad(&out, columns)
}

/// What a slider shows.
pub struct Slider<'a> {
    /// The handle's place, 0–100.
    pub position: f64,
    /// Who wins where; empty where that is unknown.
    pub bands: &'a [Band],
    /// Names of the labels.
    pub labels: &'a [String],
    /// Whether keys turn it.
    pub selected: bool,
}

impl Slider<'_> {
    /// The slider in `columns` cells: its decision bands with the winners' names, the handle over them.
    pub fn spans(&self, theme: &Theme, columns: usize) -> Vec<Span<'static>> {
        let track = columns.saturating_sub(2);
        if track < 3 {
            return vec![span(" ".repeat(columns), theme.text)];
        }
        let last = (track - 1) as f64;
        let stop_of = |cell: usize| (cell as f64 / last * STOPS).round() as usize;
        let band_of = |cell: usize| self.bands.iter().position(|band| (band.from..=band.to).contains(&stop_of(cell)));
        let handle = (self.position / STOPS * last).round() as usize;
        // The handle's cell may be shared by two bands; the exact position tells which one holds.
        let here = self.bands.iter().position(|b| (b.from..=b.to).contains(&(self.position.round() as usize)));
        let mut cells: Vec<(String, Style)> = (0..track)
            .map(|cell| {
                let won = here.is_some() && band_of(cell) == here;
                let edge = cell > 0 && band_of(cell) != band_of(cell - 1);
                let glyph = if edge { symbols::BAND_EDGE } else { symbols::TRACK };
                (glyph.to_owned(), if won { theme.band_won } else { theme.band })
            })
            .collect();
        for (ix, band) in self.bands.iter().enumerate() {
            let mut run: Vec<usize> = (0..track).filter(|cell| band_of(*cell) == Some(ix)).collect();
            if ix > 0 && !run.is_empty() {
                run.remove(0);
            }
            let name = self.labels.get(band.label).map_or("", String::as_str);
            write_name(&mut cells, free_of(&run, handle), name);
        }
        let style = if self.selected { theme.handle } else { theme.header };
        cells[handle.min(track - 1)] = (symbols::HANDLE.to_owned(), style);
        let [open, close] = symbols::TRACK_ENDS;
        let mut spans = vec![span(open, theme.band)];
        spans.extend(merged(cells));
        spans.push(span(close, theme.band));
        spans
    }
}

/// The longer piece of `run` on one side of the handle, so that the handle does not hide the name.
fn free_of(run: &[usize], handle: usize) -> &[usize] {
    match run.iter().position(|cell| *cell == handle) {
        Some(at) if at > run.len() / 2 => &run[..at],
        Some(at) => &run[at + 1..],
        None => run,
    }
}

/// Writes as much of `name` as fits into the middle of `run`, leaving a cell of track on either side; less than three
/// letters of a longer name would say nothing.
fn write_name(cells: &mut [(String, Style)], run: &[usize], name: &str) {
    use unicode_segmentation::UnicodeSegmentation;
    let name = text::fit(name, 24);
    // One column a letter, so that each takes one cell of the track.
    let letters: Vec<&str> = name.graphemes(true).filter(|letter| text::width(letter) == 1).collect();
    let room = run.len().saturating_sub(2).min(letters.len());
    if room < letters.len().min(3) || room == 0 {
        return;
    }
    let start = (run.len() - room) / 2;
    for (letter, cell) in letters.iter().zip(&run[start..start + room]) {
        cells[*cell].0 = (*letter).to_owned();
    }
}

/// Joins neighbours of equal style.
fn merged(cells: Vec<(String, Style)>) -> Vec<Span<'static>> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for (glyph, style) in cells {
        match spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(&glyph),
            _ => spans.push(span(glyph, style)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(position: f64, bands: &[Band], columns: usize) -> String {
        let labels = ["noir".to_owned(), "dystopia".to_owned()];
        let slider = Slider { position, bands, labels: &labels, selected: true };
        slider.spans(&Theme::named("mono"), columns).iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn a_slider_names_its_bands() {
        let bands = [Band { from: 0, to: 40, label: 0 }, Band { from: 41, to: 100, label: 1 }];
        assert_eq!(drawn(100.0, &bands, 32), "├────noir────│────dystopia────●┤");
        assert_eq!(drawn(0.0, &bands, 32), "├●───noir────│────dystopia─────┤");
        let cut = drawn(100.0, &bands, 16);
        assert!(cut.contains("dyst") && !cut.contains("dystopia"), "{cut}: a long name is cut");
        assert_eq!(drawn(50.0, &[], 9), "├───●───┤");
        assert_eq!(text::width(&drawn(50.0, &bands, 4)), 4);
    }

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(bar(0.5, 4), "██  ");
        assert_eq!(bar(0.0, 2), "  ");
        assert_eq!(bar(1.0, 2), "██");
        assert_eq!(bar(0.3, 4), "█▎  ");
    }
}
