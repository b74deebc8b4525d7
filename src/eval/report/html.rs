//! The report as one page: a single file that loads nothing, in light and dark, that prints well.
//!
//! The sections of the other reports as tables, with bars where they can be drawn; below them every figure of the JSON
//! by its path. The page is well-formed XML, and whatever comes from data is escaped and made visible.

use std::fmt::Write as _;

use serde_json::Value;

use super::section::{Bar, Curve, Section};
use crate::data::sanitize::visible;
use crate::eval::steady;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2328;--faint:#5c6670;--line:#d5dade;--paper:#fdfdfc;--bar:#7da7d9;--err:#1d2328}
@media(prefers-color-scheme:dark){:root{--ink:#e4e7ea;--faint:#9aa4ad;--line:#3a4249;--paper:#15191c;--bar:#40719f;\
--err:#e4e7ea}}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.5rem;line-height:1.3}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem .2rem 0;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}
th{font-weight:600;color:var(--faint)}
ul{margin:.6rem 0;padding-left:1.1rem;color:var(--faint);font-size:.9rem}
svg{display:block;width:100%;max-width:46rem;margin:.4rem 0 1rem}
svg text{fill:var(--ink);font:13px system-ui,sans-serif}
svg rect{fill:var(--bar)}svg line{stroke:var(--err);stroke-width:1.5}svg .zero{stroke:var(--faint);stroke-width:1}
.curves{display:flex;flex-wrap:wrap;gap:.4rem 1.2rem}.curves svg{width:11rem;margin:0}\
.curves .ideal{stroke-dasharray:4 4;stroke-width:1}.curves polyline{fill:none;stroke:var(--bar);stroke-width:2}\
.curves circle{fill:var(--bar)}
details{margin-top:2.5rem}summary{cursor:pointer;font-weight:600}
details td{font-size:.85rem;white-space:normal;word-break:break-all}
@media print{body{background:#fff;color:#000;font-size:11px}main{max-width:none;padding:0}section{break-inside:avoid}\
.wide{overflow:visible}details:not([open]){display:none}}";

/// Width of a picture, in its own units.
const WIDTH: f64 = 720.0;
/// Where bars begin and end.
const PLOT: (f64, f64) = (200.0, 650.0);
/// Height of a bar's row.
const ROW: f64 = 22.0;

/// Margin and side of a square that a curve is drawn in.
const SQUARE: (f64, f64) = (14.0, 160.0);

/// The page called `title` of `sections`, with every figure of `figures`.
pub fn page(title: &str, sections: &[Section], figures: &Value) -> String {
    let title = escaped(title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{title}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    // Writing to a String cannot fail, so its results are let go.
    for section in sections {
        let _ = writeln!(out, "<section>\n<h2>{}</h2>", escaped(&section.title));
        chart(&mut out, &section.chart, &section.title);
        curves(&mut out, &section.curves);
        table(&mut out, &section.rows);
        if !section.notes.is_empty() {
            out.push_str("<ul>\n");
            for note in &section.notes {
                let _ = writeln!(out, "<li>{}</li>", escaped(note));
            }
            out.push_str("</ul>\n");
        }
        out.push_str("</section>\n");
    }
    let mut all = vec![vec!["figure".to_owned(), "value".to_owned()]];
    flatten(String::new(), figures, &mut all);
    let _ = writeln!(out, "<details>\n<summary>Every figure, as in JSON ({})</summary>", all.len() - 1);
    table(&mut out, &all);
    out.push_str("</details>\n</main>\n</body>\n</html>\n");
    out
}

fn table(out: &mut String, rows: &[Vec<String>]) {
    let Some((header, body)) = rows.split_first() else { return };
    let line = |out: &mut String, tag: &str, cells: &[String]| {
        out.push_str("<tr>");
        for cell in cells {
            let _ = write!(out, "<{tag}>{}</{tag}>", escaped(cell));
        }
        out.push_str("</tr>\n");
    };
    out.push_str("<div class=\"wide\">\n<table>\n<thead>\n");
    line(out, "th", header);
    out.push_str("</thead>\n<tbody>\n");
    body.iter().for_each(|row| line(out, "td", row));
    out.push_str("</tbody>\n</table>\n</div>\n");
}

/// Bars from 0 with their intervals, all on one scale.
fn chart(out: &mut String, bars: &[Bar], title: &str) {
    if bars.is_empty() {
        return;
    }
    let ends = |bar: &Bar| [bar.value, bar.ci.map_or(bar.value, |ci| ci.low), bar.ci.map_or(bar.value, |ci| ci.high)];
    let all = || bars.iter().flat_map(ends);
    let (low, high) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
    let signed = low < 0.0;
    let span = if high > low { high - low } else { 1.0 };
    let x = |value: f64| PLOT.0 + (PLOT.1 - PLOT.0) * (value - low) / span;
    let height = ROW * bars.len() as f64;
    let label = escaped(title);
    let _ = writeln!(out, "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">");
    for (place, bar) in bars.iter().enumerate() {
        let top = ROW * place as f64;
        let (middle, text) = (top + ROW / 2.0, top + ROW * 0.7);
        let (start, end) = (x(bar.value.min(0.0)), x(bar.value.max(0.0)));
        let value = if signed { format!("{:+.3}", steady(bar.value, 3)) } else { format!("{:.3}", bar.value) };
        let _ = writeln!(
            out,
            "<text x=\"0\" y=\"{text:.1}\">{}</text><rect x=\"{start:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\"/>",
            escaped(&bar.name),
            top + 4.0,
            end - start
        );
        if let Some(ci) = bar.ci {
            let (low, high) = (x(ci.low), x(ci.high));
            let _ = writeln!(out, "<line x1=\"{low:.1}\" y1=\"{middle:.1}\" x2=\"{high:.1}\" y2=\"{middle:.1}\"/>");
        }
        let _ = writeln!(out, "<text x=\"{WIDTH}\" y=\"{text:.1}\" text-anchor=\"end\">{value}</text>");
    }
    let zero = x(0.0);
    let _ = writeln!(out, "<line class=\"zero\" x1=\"{zero:.1}\" y1=\"0\" x2=\"{zero:.1}\" y2=\"{height}\"/>\n</svg>");
}

/// Accuracy over probability, a square each; on the dashed line probabilities hold. A point is as large as its bin is full.
fn curves(out: &mut String, curves: &[Curve]) {
    if curves.is_empty() {
        return;
    }
    out.push_str("<div class=\"curves\">\n");
    for Curve { name, points } in curves {
        let name = escaped(name);
        let (x, y) = (|p: f64| SQUARE.0 + SQUARE.1 * p, |p: f64| SQUARE.0 + SQUARE.1 * (1.0 - p));
        let (left, right) = (x(0.0), x(1.0));
        let side = right + SQUARE.0;
        let _ = writeln!(
            out,
            "<svg viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"{name}: accuracy over probability\">\
             <line class=\"zero\" x1=\"{left}\" y1=\"{right}\" x2=\"{right}\" y2=\"{right}\"/>\
             <line class=\"zero\" x1=\"{left}\" y1=\"{left}\" x2=\"{left}\" y2=\"{right}\"/>\
             <line class=\"zero ideal\" x1=\"{left}\" y1=\"{right}\" x2=\"{right}\" y2=\"{left}\"/>\
             <text x=\"{}\" y=\"{}\">{name}</text>",
            left + 6.0,
            left + 12.0
        );
        let line: Vec<String> = points.iter().map(|(p, share, _)| format!("{:.1},{:.1}", x(*p), y(*share))).collect();
        let _ = write!(out, "<polyline points=\"{}\"/>", line.join(" "));
        let all: usize = points.iter().map(|(_, _, n)| n).sum();
        for (p, share, n) in points {
            let radius = 2.0 + 8.0 * (*n as f64 / all.max(1) as f64).sqrt();
            let told = format!("{n} answers, probability {p:.3}, right {share:.3}");
            let _ = write!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\"><title>{told}</title></circle>",
                x(*p),
                y(*share)
            );
        }
        out.push_str("\n</svg>\n");
    }
    out.push_str("</div>\n");
}

/// Every number, word and truth of `value` with its path, `arms.local.buckets[0].accuracy`.
fn flatten(path: String, value: &Value, rows: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            flatten(path, value, rows);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(ix, item)| flatten(format!("{path}[{ix}]"), item, rows));
        }
        Value::String(text) => rows.push(vec![path, text.clone()]),
        other => rows.push(vec![path, other.to_string()]),
    }
}

/// Text that a page shows as it is.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::stats::Interval;

    #[test]
    fn bars_stand_on_one_scale_around_zero() {
        let bar = |value, low, high| Bar { name: "x".into(), value, ci: Some(Interval { low, high }) };
        let mut out = String::new();
        chart(&mut out, &[bar(0.5, 0.25, 1.0), bar(-0.5, -1.0, 0.0)], "t");
        // From −1 to 1: zero lies in the middle of 200 … 650, a half is a quarter of the width.
        assert!(out.contains("<rect x=\"425.0\" y=\"4.0\" width=\"112.5\""), "{out}");
        assert!(out.contains("<rect x=\"312.5\" y=\"26.0\" width=\"112.5\""), "{out}");
        assert!(out.contains("x1=\"200.0\" y1=\"33.0\" x2=\"425.0\"") && out.contains(">-0.500</text>"), "{out}");
        out.clear();
        chart(&mut out, &[], "t");
        assert!(out.is_empty());
    }

    #[test]
    fn a_curve_stands_in_its_square_with_points_as_large_as_their_bins() {
        let mut out = String::new();
        curves(&mut out, &[Curve { name: "a<b".into(), points: vec![(0.25, 0.5, 1), (0.75, 1.0, 3)] }]);
        // A quarter of 160 from 14, half of it down; the larger bin holds three of four answers.
        assert!(out.contains("points=\"54.0,94.0 134.0,14.0\""), "{out}");
        assert!(out.contains("cx=\"134.0\" cy=\"14.0\" r=\"8.9\"") && out.contains("a&lt;b"), "{out}");
        out.clear();
        curves(&mut out, &[]);
        assert!(out.is_empty());
    }

    #[test]
    fn text_of_the_data_cannot_be_a_tag_or_a_control() {
        assert_eq!(escaped("<b>\"a\" & 'b'\u{1b}"), "&lt;b&gt;&quot;a&quot; &amp; &#39;b&#39;␛");
    }

    #[test]
    fn every_leaf_has_its_path() {
        let mut rows = Vec::new();
        flatten(String::new(), &serde_json::json!({"a": {"b": [1.5, {"c": null}]}, "d": "<"}), &mut rows);
        let rows: Vec<String> = rows.iter().map(|row| row.join("=")).collect();
        assert_eq!(rows, ["a.b[0]=1.5", "a.b[1].c=null", "d=<"]);
    }
}
