//! A sweep as a picture: a curve with its band, or a heat map.

use std::fmt::Write as _;

use super::{extent, mark, share, spread};
use crate::eval::sweep::{Grid, Sweep};
use crate::mediator::weights::STOPS;

/// Size of the picture.
const SIZE: (f64, f64) = (720.0, 420.0);
/// Where the plot lies in it: left, top, right, bottom.
const PLOT: (f64, f64, f64, f64) = (80.0, 50.0, 690.0, 350.0);
/// Numbers on an axis.
const TICKS: usize = 5;

/// The picture, titled.
pub(super) fn of(title: &str, found: &Sweep) -> String {
    let (width, height) = SIZE;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    text(&mut out, (PLOT.0, 24.0), "start", title);
    match &found.grids[..] {
        [down, across] => heat_map(&mut out, found, down, across),
        [grid] => curve(&mut out, found, grid),
        _ => {}
    }
    text(&mut out, (PLOT.0, height - 12.0), "start", &found.verdict());
    out + "</svg>\n"
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, told: &str) {
    let told = told.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // Writing to a String cannot fail.
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{told}</text>");
}

fn curve(out: &mut String, found: &Sweep, grid: &Grid) {
    let (left, top, right, bottom) = PLOT;
    let (low, high) = spread(&found.points);
    let places: Vec<f64> = grid.values.iter().map(|value| grid.weight.position(*value)).collect();
    let (first, last) = (places.first().copied().unwrap_or_default(), places.last().copied().unwrap_or(STOPS));
    let x = |place: f64| left + share(place, (first, last)) * (right - left);
    let y = |value: f64| bottom - share(value, (low, high)) * (bottom - top);
    // An axis of one value has one number.
    let ticks = |varies: bool| if varies { TICKS } else { 1 };
    for tick in 0..ticks(high > low) {
        let value = low + tick as f64 / (TICKS - 1) as f64 * (high - low);
        let _ = writeln!(out, "<path d=\"M{left} {0:.1}H{right}\" stroke=\"#ddd\"/>", y(value));
        text(out, (left - 8.0, y(value) + 4.0), "end", &format!("{value:.3}"));
    }
    for tick in 0..ticks(last > first) {
        let part = tick as f64 / (TICKS - 1) as f64;
        let place = ((grid.values.len() - 1) as f64 * part).round() as usize;
        text(out, (x(places[place]), bottom + 18.0), "middle", &grid.values[place].to_string());
    }
    text(out, ((left + right) / 2.0, bottom + 36.0), "middle", grid.weight.name());
    let points = || places.iter().zip(&found.points);
    let upper: Vec<String> = points()
        .filter_map(|(place, point)| Some(format!("{:.1} {:.1}", x(*place), y(point.interval?.high))))
        .collect();
    let lower: Vec<String> = points()
        .rev()
        .filter_map(|(place, point)| Some(format!("{:.1} {:.1}", x(*place), y(point.interval?.low))))
        .collect();
    if !upper.is_empty() {
        let band = [upper, lower].concat().join(" L");
        let _ = writeln!(out, "<path d=\"M{band}Z\" fill=\"#5b9bd5\" fill-opacity=\".2\"/>");
    }
    let line: Vec<String> =
        points().filter_map(|(place, point)| Some(format!("{:.1} {:.1}", x(*place), y(point.value?)))).collect();
    let _ = writeln!(out, "<path d=\"M{}\" fill=\"none\" stroke=\"#2b6cb0\" stroke-width=\"2\"/>", line.join(" L"));
    for (ix, (place, point)) in points().enumerate() {
        let (told, Some(value)) = (mark(found, ix), point.value) else { continue };
        if !told.is_empty() {
            let _ = writeln!(out, "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\" fill=\"#c53030\"/>", x(*place), y(value));
            text(out, (x(*place), y(value) - 10.0), "middle", told);
        }
    }
}

fn heat_map(out: &mut String, found: &Sweep, down: &Grid, across: &Grid) {
    let (left, top, right, bottom) = PLOT;
    let (rows, columns) = (down.values.len(), across.values.len());
    let cell = ((right - left) / columns as f64, (bottom - top) / rows as f64);
    let extent = extent(&found.points);
    for (place, point) in found.points.iter().enumerate() {
        let (row, column) = (place / columns, place % columns);
        let (x, y) = (left + column as f64 * cell.0, top + row as f64 * cell.1);
        let Some(value) = point.value else { continue };
        let blue = share(value, extent);
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#2b6cb0\" fill-opacity=\"{blue:.3}\">\
             <title>{} {}, {} {}: {value:.4}</title></rect>",
            cell.0, cell.1, down.weight, point.at[0], across.weight, point.at[1]
        );
        let told = mark(found, place);
        if !told.is_empty() {
            let _ = writeln!(
                out,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"none\" stroke=\"#c53030\" \
                 stroke-width=\"2\"/>",
                cell.0, cell.1
            );
            text(out, (x + cell.0 / 2.0, y + cell.1 / 2.0 + 4.0), "middle", told);
        }
    }
    for (row, value) in down.values.iter().enumerate() {
        text(out, (left - 8.0, top + (row as f64 + 0.5) * cell.1 + 4.0), "end", &value.to_string());
    }
    // No more numbers across than have room beside each other.
    for (column, value) in across.values.iter().enumerate().step_by(columns.div_ceil(12)) {
        text(out, (left + (column as f64 + 0.5) * cell.0, bottom + 16.0), "middle", &value.to_string());
    }
    let (low, high) = extent;
    let told = format!("{} down, {} across; {} {low:.4} light to {high:.4} dark", down.weight, across.weight, found.by);
    text(out, (left, 40.0), "start", &told);
}
