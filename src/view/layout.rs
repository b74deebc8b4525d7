//! Where things stand: breakpoints and rectangles, nothing drawn.

use ratatui::layout::Rect;

use crate::app::replay::Charts;
use crate::app::state::Pane;

/// The smallest terminal the workbench draws on.
pub const LEAST: (u16, u16) = (40, 12);

/// How the screen is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Three panes side by side, answers and weights below.
    Wide,
    /// Two columns.
    Medium,
    /// One column: one pane at a time, the others as tabs; answers and weights below it where the column is long.
    Narrow,
    /// Nothing fits.
    TooSmall,
}

impl Shape {
    /// The division for `area`.
    pub fn of(area: Rect) -> Self {
        match (area.width, area.height) {
            (width, height) if width < LEAST.0 || height < LEAST.1 => Shape::TooSmall,
            (150.., 32..) => Shape::Wide,
            (100.., 34..) => Shape::Medium,
            _ => Shape::Narrow,
        }
    }
}

/// Rectangles of one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Program, dataset, model.
    pub header: Rect,
    /// Who asks what.
    pub question: Rect,
    /// Names of the panes, where only one is shown.
    pub tabs: Option<Rect>,
    /// The panes shown, in order of [`Pane::ALL`].
    pub panes: [Option<Rect>; 5],
    /// All answers in a line, where only one pane is shown.
    pub strip: Option<Rect>,
    /// The session being replayed.
    pub session: Option<Rect>,
    /// Hints and news.
    pub status: Rect,
}

/// What stands below the panes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strip {
    /// The session being replayed.
    Session(Charts),
    /// A fork beside the session that it was made from.
    Fork,
}

/// Takes `height` rows from the top of `area`.
fn top(area: &mut Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    let taken = Rect { height, ..*area };
    area.y += height;
    area.height -= height;
    taken
}

/// Takes `height` rows from the bottom of `area`.
fn bottom(area: &mut Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    area.height -= height;
    Rect { y: area.y + area.height, height, ..*area }
}

/// Takes `width` columns from the left of `area`.
fn left(area: &mut Rect, width: u16) -> Rect {
    let width = width.min(area.width);
    let taken = Rect { width, ..*area };
    area.x += width;
    area.width -= width;
    taken
}

/// Rows below header and question from which a narrow screen shows three panes.
const LONG: u16 = 40;
/// Rows of the answers pane: a heading, two lines an arm, and its border.
const ANSWERS: u16 = 11;
/// Rows of the weights pane: the ten sliders used most, and its border.
const WEIGHTS: u16 = 12;
/// The same with all twelve and two lines about the selected one.
const ALL_WEIGHTS: u16 = 16;
/// Rows of a screen that has room for that.
const TALL: u16 = 46;

impl Places {
    /// Divides `area`, which is not too small; in a replay with room for the session.
    pub fn of(area: Rect, shape: Shape, focus: Pane, zoom: bool, strip: Option<Strip>) -> Self {
        let mut rest = area;
        let header = top(&mut rest, 1);
        let question = top(&mut rest, if area.height < 16 { 1 } else { 2 });
        let status = bottom(&mut rest, 1);
        let session = strip.map(|strip| bottom(&mut rest, session_rows(shape, area.height, strip)));
        let mut places = Self { header, question, tabs: None, panes: [None; 5], strip: None, session, status };
        let mut put = |pane: Pane, place: Rect| places.panes[pane.index()] = Some(place);
        match shape {
            Shape::Wide | Shape::Medium if zoom => put(focus, rest),
            Shape::Wide => {
                let mut lower = bottom(&mut rest, if area.height >= TALL { ALL_WEIGHTS } else { WEIGHTS });
                let third = rest.width / 3;
                put(Pane::Local, left(&mut rest, third));
                let middle = rest.width - third;
                put(Pane::Mediator, left(&mut rest, middle));
                put(Pane::Global, rest);
                let half = lower.width / 2;
                put(Pane::Answers, left(&mut lower, half));
                put(Pane::Weights, lower);
            }
            Shape::Medium => {
                let spare = (rest.height - 34.min(rest.height)) / 3;
                let weights = (WEIGHTS - 2).min(rest.height / 3) + spare.min(2);
                put(Pane::Weights, bottom(&mut rest, weights));
                let height = rest.height / 2;
                let mut upper = top(&mut rest, height);
                let half = upper.width / 2;
                put(Pane::Local, left(&mut upper, half));
                put(Pane::Global, upper);
                put(Pane::Mediator, left(&mut rest, half));
                put(Pane::Answers, rest);
            }
            Shape::Narrow if rest.height >= LONG && !zoom => {
                places.tabs = Some(top(&mut rest, 1));
                let upper = if matches!(focus, Pane::Answers | Pane::Weights) { Pane::Mediator } else { focus };
                places.panes[Pane::Weights.index()] = Some(bottom(&mut rest, WEIGHTS));
                places.panes[Pane::Answers.index()] = Some(bottom(&mut rest, ANSWERS));
                places.panes[upper.index()] = Some(rest);
            }
            Shape::Narrow | Shape::TooSmall => {
                places.tabs = Some(top(&mut rest, 1));
                places.strip = Some(bottom(&mut rest, 1));
                places.panes[focus.index()] = Some(rest);
            }
        }
        places
    }
}

/// Rows of the session: framed, in three lines, or in one; and of its charts what the panes can spare.
fn session_rows(shape: Shape, height: u16, strip: Strip) -> u16 {
    let (plain, spare) = match (shape, height) {
        (Shape::Wide, _) => (10, height.saturating_sub(36) / 2),
        (Shape::Medium, _) => (10, 3 + height.saturating_sub(34) / 2),
        (Shape::Narrow | Shape::TooSmall, 18..) => (3, height - 18),
        (Shape::Narrow | Shape::TooSmall, _) => (1, 0),
    };
    match strip {
        Strip::Session(Charts::Rows) => plain,
        Strip::Session(Charts::Tall) => plain + spare.min(14),
        Strip::Fork => plain.min(2),
    }
}

/// A rectangle of at most `width` × `height` in the middle of `area`, at least one cell from its edge where there is room.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width.saturating_sub(2)).max(1).min(area.width);
    let height = height.min(area.height.saturating_sub(2)).max(1).min(area.height);
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_inside_and_apart() {
        for width in (40..=260).step_by(11) {
            for height in 12..=80 {
                let area = Rect::new(0, 0, width, height);
                for focus in Pane::ALL {
                    let replays = [
                        None,
                        Some(Strip::Session(Charts::Rows)),
                        Some(Strip::Session(Charts::Tall)),
                        Some(Strip::Fork),
                    ];
                    for (zoom, replay) in replays.into_iter().flat_map(|replay| [(false, replay), (true, replay)]) {
                        let places = Places::of(area, Shape::of(area), focus, zoom, replay);
                        let bars = [
                            Some(places.header),
                            Some(places.question),
                            Some(places.status),
                            places.tabs,
                            places.strip,
                            places.session,
                        ];
                        let all: Vec<Rect> = bars.into_iter().chain(places.panes).flatten().collect();
                        assert!(places.panes[focus.index()].is_some_and(|pane| pane.height >= 5), "{area}");
                        let covered: u32 = all.iter().map(|r| r.area()).sum();
                        assert_eq!(covered, area.area(), "{area} {focus:?}: no gap and no overlap");
                        assert!(all.iter().all(|place| area.intersection(*place) == *place));
                    }
                }
            }
        }
    }
}
