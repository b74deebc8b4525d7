//! The numbers of the session: every arm with its interval before and now, and what of it is chance.

use ratatui::text::Line;

use super::super::super::panes::arm_look;
use super::super::super::{span, symbols, text};
use super::Shown;
use crate::app::state::State;
use crate::engine::prompt::Arm;
use crate::eval::numbers::{Numbers, Paired, Share};
use crate::theme::Theme;

/// Columns of what stands before the numbers.
const NAME: usize = 16;
/// Columns of one setting's numbers.
const CELL: usize = 24;

pub(super) fn shown(state: &State, theme: &Theme, width: usize) -> Shown {
    let Some(before) = &state.study.before else { return Shown { head: Vec::new(), body: Vec::new() } };
    let now = state.study.now.as_ref();
    let wide = width >= NAME + 2 * CELL;
    // Where one column fits, it is the present setting's.
    let columns: Vec<(&str, &Numbers)> = match now {
        Some(now) if wide => vec![(state.baseline(), before), ("now", now)],
        Some(now) => vec![("now", now)],
        None => vec![(state.baseline(), before)],
    };
    let line = |name: String, style, of: &dyn Fn(&Numbers) -> String| {
        let mut parts = vec![span(text::pad(&name, NAME), style)];
        let first = columns.first().map(|(_, numbers)| of(numbers));
        for (_, numbers) in &columns {
            let told = of(numbers);
            let differs = first.as_ref() != Some(&told);
            parts.push(span(text::pad(&told, CELL), if differs { theme.conflict } else { theme.score }));
        }
        Line::from(parts)
    };
    let tally = &before.tally;
    let people = text::plural(before.people, "person", "people");
    let dot = symbols::DOT;
    let mut told = if state.replay.is_some() {
        let turns = text::plural(tally.turns, "question", "questions");
        format!("{turns} the whole session {dot} {} judged {dot} {people}", tally.judged)
    } else {
        // What is typed has no true answer and is not among them.
        let asked = text::plural(tally.judged, "judged question", "judged questions");
        format!("{asked} asked so far, each as asked last {dot} {people}")
    };
    if before.unanswered > 0 {
        told += &format!(" {dot} {} not counted: not every arm answered", before.unanswered);
    }
    let mut heading = vec![span(text::pad("accuracy", NAME), theme.dim)];
    heading.extend(columns.iter().map(|(name, _)| span(text::pad(name, CELL), theme.dim)));
    let mut body = vec![Line::from(heading)];
    for arm in Arm::ALL {
        let (glyph, style) = arm_look(arm, theme);
        body.push(line(format!("{glyph} {}", arm.name()), style, &|numbers| {
            share(numbers.accuracy[arm as usize], state.is_testable())
        }));
    }
    body.push(line("diversity".to_owned(), theme.text, &|numbers| {
        let entropy = |share: Option<f64>| share.map_or("-".to_owned(), text::share);
        format!("{}, of the gold {}", entropy(numbers.diversity), entropy(numbers.gold_diversity))
    }));
    let glyphs = Arm::ALL.map(|arm| arm_look(arm, theme).0).join(" ");
    let rated = before.error_over_local.n > 0;
    if rated {
        body.push(line(format!("MAE {glyphs}"), theme.text, &|numbers| {
            let told = |arm| numbers.tally.mean_error(arm).map_or("-".to_owned(), |error| format!("{error:.2}"));
            Arm::ALL.map(told).join(" ")
        }));
    }
    body.push(line(format!("Brier {glyphs}"), theme.text, &|numbers| {
        numbers.brier.map(|score| score.map_or("-".to_owned(), text::share)).join(" ")
    }));
    body.push(line(format!("ECE {}", arm_look(Arm::Mediated, theme).0), theme.text, &|numbers| {
        let told = |(error, by_chance)| format!("{}, by chance {}", text::share(error), text::share(by_chance));
        numbers.calibration.map_or("-".to_owned(), told)
    }));
    body.push(line("overrides".to_owned(), theme.text, &|numbers| numbers.tally.overrides.to_string()));
    body.push(line("  rescued".to_owned(), theme.text, &|numbers| numbers.tally.rescues.to_string()));
    body.push(line("  suppressed".to_owned(), theme.text, &|numbers| numbers.tally.suppressions.to_string()));
    body.push(line("value conflicts".to_owned(), theme.text, &|numbers| numbers.tally.conflicts.to_string()));
    body.push(Line::default());
    for (name, numbers) in &columns {
        let lead = if columns.len() > 1 { format!("{name}: ") } else { String::new() };
        for (pair, other) in [(numbers.over_local, "local"), (numbers.over_global, "global")] {
            let (told, certain) = match !state.is_testable() {
                true => (pair.told_of_picked(["mediated", other]), false),
                false => (pair.told(["mediated", other]) + &difference(pair), pair.n > 0 && !pair.is_noise()),
            };
            let (told, style) = (format!("{lead}{told}"), if certain { theme.good } else { theme.text });
            body.extend(text::wrap(&told, width).into_iter().map(|line| Line::from(span(line, style))));
        }
        for (errors, other) in [(numbers.error_over_local, "local"), (numbers.error_over_global, "global")] {
            if errors.n > 0 {
                let style = if errors.is_noise() || !state.is_testable() { theme.text } else { theme.good };
                let told = format!("{lead}{}", errors.told(["mediated", other], !state.is_testable()));
                body.extend(text::wrap(&told, width).into_iter().map(|line| Line::from(span(line, style))));
            }
        }
    }
    let called = state.all_called();
    if called.questions > 0 {
        let told = Arm::ALL.map(|arm| {
            let (answers, right) = called.arms[arm as usize];
            format!("{} {right}/{answers}", arm.name())
        });
        let questions = text::plural(called.questions, "question", "questions");
        let told = format!("called right by your word on {questions}: {}", told.join(&format!(" {} ", symbols::DOT)));
        body.extend(text::wrap(&told, width).into_iter().map(|line| Line::from(span(line, theme.key))));
    }
    body.push(Line::default());
    let brackets = match state.is_testable() {
        true => "In brackets 95 %: Wilson's interval of a share, the exact one of a difference.",
        false => "Questions that were picked or repeat are no sample, so no interval is told.",
    };
    let mut notes = format!(
        "{brackets} Diversity is the entropy of the decisions over ln K; hold it against that of the gold. Brier is the \
         squared error over all labels, 0 to 2; ECE is how far accuracy is from the probability of the answer, and by chance \
         what right probabilities would have on so few questions."
    );
    if rated {
        notes += " MAE is how far scores are from the real ones on average";
        notes += if state.is_testable() { "; the interval of its difference is Student's." } else { "." };
    }
    if before.people > 1 && state.is_testable() {
        notes += " Questions count as independent; with several people `logoscope eval` resamples people.";
    }
    body.extend(text::wrap(&notes, width).into_iter().map(|line| Line::from(span(line, theme.dim))));
    let head = vec![Line::from(span(text::fit(&told, width), theme.title)), Line::default()];
    Shown { head, body }
}

/// `.79 19/24 [.60–.91]`; without the interval where questions were picked or repeat.
pub(super) fn share(share: Option<Share>, testable: bool) -> String {
    let Some(share) = share else { return "-".to_owned() };
    let told = format!("{} {}/{}", text::share(share.value()), share.right, share.n);
    let [low, high] = [share.interval.low, share.interval.high].map(text::share);
    if testable { format!("{told} [{low}–{high}]") } else { told }
}

/// The interval of a difference in points of accuracy.
fn difference(pair: Paired) -> String {
    let points = |share: f64| format!("{:+.0}", share * 100.0);
    match pair.interval() {
        Some(interval) => format!(" {} [{} to {}] points", symbols::DOT, points(interval.low), points(interval.high)),
        None => String::new(),
    }
}
