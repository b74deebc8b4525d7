//! Reports: one assessment as text, Markdown, HTML, JSON or CSV.
//!
//! Text, Markdown and HTML print the same [`section`]s; JSON is the assessment itself; CSV is the rows behind it. Nothing
//! here computes a figure.

mod arms;
pub mod audit;
mod calibration;
mod differences;
mod html;
mod rows;
pub mod section;
mod session;

pub use differences::{ablation, comparison};
pub use html::page;
pub use rows::csv;
pub use section::Section;
pub use session::session_page;

use std::fmt::Write as _;

use super::assessment::Assessment;

/// Everything `assessment` has to say, in order of reading.
pub fn sections(assessment: &Assessment) -> Vec<Section> {
    let parts = [
        Some(arms::provenance(assessment)),
        Some(arms::scores(assessment)),
        calibration::scores(assessment),
        calibration::bins(assessment),
        arms::writing(assessment),
        Some(arms::buckets(assessment)),
        arms::overrides(assessment),
        arms::disagreement(assessment),
        arms::signs(assessment),
        differences::gain(assessment),
        differences::paired(assessment),
        differences::paired_others(assessment),
        differences::fused(assessment),
        differences::windows(assessment),
        differences::over_windows(assessment),
        differences::pooled(assessment),
    ];
    parts.into_iter().flatten().collect()
}

/// The gain over local alone, with where it comes from.
pub fn gain(assessment: &Assessment) -> Vec<Section> {
    [Some(arms::provenance(assessment)), differences::gain(assessment)].into_iter().flatten().collect()
}

// Writing to a String cannot fail, so its results are let go below.

/// Sections for reading in a terminal.
pub fn text_of(sections: &[Section]) -> String {
    let mut out = String::new();
    for (number, section) in sections.iter().enumerate() {
        let _ = writeln!(out, "{}{}", if number == 0 { "" } else { "\n" }, section.title);
        let width =
            |column: usize| section.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
        let columns = section.rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &section.rows {
            let mut line = format!("  {:<1$}", row[0], widths[0]);
            for (cell, width) in row.iter().zip(&widths).skip(1) {
                let _ = write!(line, "  {cell:>width$}");
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
        for note in &section.notes {
            let _ = writeln!(out, "  {note}");
        }
    }
    out
}

/// Sections for a repository or an issue, under a heading.
pub fn markdown_of(title: &str, sections: &[Section]) -> String {
    let mut out = format!("# {}\n", escaped(title));
    for section in sections {
        let _ = writeln!(out, "\n## {}\n", escaped(&section.title));
        for (number, row) in section.rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
            let _ = writeln!(out, "| {} |", cells.join(" | "));
            if number == 0 {
                let _ = writeln!(out, "|---|{}", "---:|".repeat(row.len() - 1));
            }
        }
        if !section.rows.is_empty() && !section.notes.is_empty() {
            out.push('\n');
        }
        for note in &section.notes {
            let _ = writeln!(out, "* {}", escaped(note));
        }
    }
    out
}

/// Text that Markdown leaves as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '|' | '*' | '_' | '`' | '<' | '#' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
