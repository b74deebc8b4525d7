//! Reports: one assessment as text, Markdown, JSON or CSV.
//!
//! Text and Markdown print the same [`section`]s; JSON is the assessment itself; CSV is the rows behind it. Nothing here
//! computes a figure.

mod rows;
pub mod section;

pub use rows::csv;
pub use section::{Section, ablation};

use std::fmt::Write as _;

use super::assessment::Assessment;
use section::sections;

/// The contract's object on one line.
pub fn json(assessment: &Assessment) -> Result<String, serde_json::Error> {
    serde_json::to_string(assessment).map(|object| object + "\n")
}

// Writing to a String cannot fail, so its results are let go below.

/// For reading in a terminal.
pub fn text(assessment: &Assessment) -> String {
    text_of(&sections(assessment))
}

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

/// For a repository or an issue.
pub fn markdown(assessment: &Assessment) -> String {
    markdown_of(&assessment.provenance.dataset, &sections(assessment))
}

/// Sections about a dataset for a repository or an issue.
pub fn markdown_of(dataset: &str, sections: &[Section]) -> String {
    let mut out = format!("# Evaluation of {}\n", escaped(dataset));
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
