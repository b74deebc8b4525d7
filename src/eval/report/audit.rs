//! An audit for reading: the verdict first, then what it rests on, each table with a line that says what a number means.

use std::fmt::Write as _;

use super::arms::head;
use super::section::{Bar, Section, heading, number, p_value, resampling, signed_interval};
use crate::data::sanitize::visible;
use crate::engine::prompt::Arm;
use crate::eval::assessment::LEVEL;
use crate::eval::audit::gate::Verdict;
use crate::eval::audit::measure::{ArmGroups, Dimension, Figure, Measured, second};
use crate::eval::audit::overrule::{Case, Overruled, Personalised, Rate, Share};
use crate::eval::audit::{Audit, LEAST_OF_PERSON, LEAST_QUERIES, Right};
use crate::eval::metrics::Metric;
use crate::eval::stats::Unit;
use crate::eval::steady;

/// Groups side by side in a terminal of 80 columns.
const ABREAST: usize = 3;
/// Columns that a note may fill, behind its margin.
const COLUMNS: usize = 78;

/// Everything `audit` has to say, in order of reading.
pub fn sections(audit: &Audit) -> Vec<Section> {
    let mut sections = vec![head(&audit.provenance, audit.n, audit.users), verdict(audit)];
    for dimension in &audit.dimensions {
        sections.extend(of_dimension(audit, dimension));
    }
    sections.extend([overruled(audit), personalised(audit), guarded(audit), cases(audit), limits(audit)]);
    sections
}

/// Notes folded to a terminal of 80 columns; commands that are there to be copied stay whole.
pub fn folded(mut sections: Vec<Section>) -> Vec<Section> {
    for section in &mut sections {
        section.notes = section.notes.iter().flat_map(|note| fold(note)).collect();
    }
    sections
}

fn fold(note: &str) -> Vec<String> {
    if note.contains("logoscope ask ") {
        return vec![note.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in note.split(' ') {
        let line = lines.last_mut();
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("  {word}")),
        }
    }
    lines
}

fn cell(figure: Option<Figure>) -> String {
    figure.map_or_else(
        || "–".to_owned(),
        |Figure { value, ci }| {
            let ci = ci.map_or(String::new(), |ci| format!(" [{:.3}, {:.3}]", ci.low, ci.high));
            format!("{value:.3}{ci}")
        },
    )
}

fn signed_cell(figure: Option<Figure>) -> String {
    figure.map_or_else(
        || "–".to_owned(),
        |Figure { value, ci }| {
            let ci = ci.map_or(String::new(), |ci| format!(" [{:+.2}, {:+.2}]", steady(ci.low, 2), steady(ci.high, 2)));
            format!("{:+.2}{ci}", steady(value, 2))
        },
    )
}

/// The one sentence of a gap.
fn told_gap(headline: &str, by: &str, group: &Measured) -> Option<String> {
    let gap = group.gap.as_ref()?;
    let decisive = if gap.p_holm < LEVEL { "decisive" } else { "not decisive" };
    let figure = cell(Some(Figure { value: gap.value, ci: gap.ci }));
    Some(format!(
        "largest gap by {by}: {headline} of {} is {figure} worse than of {}; {decisive}, p {}",
        group.group,
        gap.best,
        p_value(gap.p_holm)
    ))
}

fn verdict(audit: &Audit) -> Section {
    let headline = heading(audit.headline);
    let mut notes = Vec::new();
    for dimension in &audit.dimensions {
        let mediated = dimension.arms.iter().filter(|arm| arm.arm == Arm::Mediated).flat_map(|arm| &arm.groups);
        let with_gap = mediated.filter_map(|group| Some((group, group.gap.as_ref()?.value)));
        let worst = with_gap.max_by(|a, b| a.1.total_cmp(&b.1));
        notes.push(match worst {
            Some((group, _)) => told_gap(headline, &dimension.by, group).unwrap_or_default(),
            None => format!("by {}: fewer than two groups can be told of, so there is no gap", dimension.by),
        });
    }
    for overruled in audit.overruled.iter().filter(|overruled| overruled.by.is_none()) {
        let Overruled { whose, minority, suppressed, rescued, .. } = overruled;
        // Who differs remembers what they differ by.
        let remembering = if *minority { "" } else { " who remembers something" };
        notes.push(format!(
            "of {whose}{remembering}: {} of {} right local answers overruled, {} of {} wrong ones rescued",
            suppressed.n, suppressed.of, rescued.n, rescued.of
        ));
    }
    for gate in &audit.gates {
        let verdict = match gate.verdict {
            Verdict::Held => "held",
            Verdict::Failed => "FAILED",
            Verdict::Unjudged => "not judged",
        };
        notes.push(format!("gate {} {}: {verdict}; {}", gate.gate, gate.bound, gate.told));
    }
    Section::notes("In short, of the mediated arm", notes)
}

/// One metric of all arms in all groups, a few groups at a time.
fn matrix(
    title: &str,
    dimension: &Dimension,
    gold: Option<&dyn Fn(usize) -> String>,
    of: &dyn Fn(&Measured) -> String,
    notes: Vec<String>,
) -> Vec<Section> {
    let places: Vec<usize> = (0..dimension.groups.len()).collect();
    let mut sections: Vec<Section> = places
        .chunks(ABREAST)
        .map(|places| {
            let names = places.iter().map(|place| dimension.groups[*place].name.as_str());
            let header: Vec<&str> = std::iter::once("").chain(names).collect();
            let mut section = Section::table(title, &header);
            for ArmGroups { arm, groups } in &dimension.arms {
                let cells = places.iter().map(|place| of(&groups[*place]));
                section.rows.push(std::iter::once(arm.name().to_owned()).chain(cells).collect());
            }
            if let Some(gold) = gold {
                let cells = places.iter().map(|place| gold(*place));
                section.rows.push(std::iter::once("gold".to_owned()).chain(cells).collect());
            }
            section
        })
        .collect();
    if let Some(last) = sections.last_mut() {
        last.notes = notes;
    }
    sections
}

fn of_dimension(audit: &Audit, dimension: &Dimension) -> Vec<Section> {
    let (headline, by) = (audit.headline, &dimension.by);
    let mut sections = vec![groups(dimension)];
    if dimension.groups.is_empty() {
        return sections;
    }
    let other = second(headline);
    let what = |metric: Metric| match metric {
        Metric::Accuracy if audit.right_is == Right::Form => "accuracy .8: eight of ten answers have the right form",
        Metric::Accuracy => "accuracy .8: eight of ten answers are right",
        Metric::BalancedAccuracy => {
            "balanced accuracy .8: of each response eight in ten are found, however rare it is; few right answers make \
             it unsteady"
        }
        Metric::MeanAbsoluteError => "MAE .8: the answer is .8 of a score off on average; less is better",
        Metric::RootMeanSquareError => "RMSE .8: as MAE, but large errors weigh more; less is better",
        Metric::RougeL => "ROUGE-L .8: four fifths of the words agree, in order",
        _ => "",
    };
    let figure = |of: fn(&Measured) -> Option<Figure>| move |measured: &Measured| cell(of(measured));
    let mut scores = matrix(
        &format!("By {by}: {}", heading(headline)),
        dimension,
        None,
        &figure(|measured| Some(measured.score)),
        vec![what(headline).to_owned()],
    );
    if let Some(first) = scores.first_mut() {
        let mediated = dimension.arms.iter().filter(|arm| arm.arm == Arm::Mediated).flat_map(|arm| &arm.groups);
        let bar = |m: &Measured| Bar { name: m.group.clone(), value: m.score.value, ci: m.score.ci };
        first.chart = mediated.map(bar).collect();
    }
    sections.extend(scores);
    sections.push(gaps(dimension, headline, audit.resampled));
    sections.extend(matrix(
        &format!("By {by}: {}", if other == Metric::BalancedAccuracy { "balanced accuracy" } else { "RMSE" }),
        dimension,
        None,
        &figure(|measured| Some(measured.second)),
        vec![what(other).to_owned()],
    ));
    let gold = |place: usize| number(dimension.groups[place].gold_entropy);
    sections.extend(matrix(
        &format!("By {by}: entropy of answers less that of the right ones (gold)"),
        dimension,
        Some(&gold),
        &|measured| signed_cell(Some(measured.variety)),
        vec![
            "gold .8: right answers are almost as varied as if all were equally frequent, 0 always the same; -.2: answers \
             are less varied by that, people are answered more alike than they are; 0 is even-handed; no interval where \
             resamples, which lose labels, miss the value"
                .to_owned(),
        ],
    ));
    sections.extend(matrix(
        &format!("By {by}: popularity lift"),
        dimension,
        None,
        &|measured| signed_cell(measured.lift),
        vec![
            "lift +.8: answers are 80 % more popular among other people than the right ones are; 0 is even-handed, above 0 \
             leans to what is popular"
                .to_owned(),
        ],
    ));
    let miscalibrated = |arm: &ArmGroups| arm.groups.iter().any(|group| group.miscalibration.is_some());
    if dimension.arms.iter().any(miscalibrated) {
        sections.extend(matrix(
            &format!("By {by}: miscalibration"),
            dimension,
            None,
            &figure(|measured| measured.miscalibration),
            vec![format!(
                "miscalibration .8: mean KL divergence in nats of a person's right answers from what they were answered; \
                 0 is alike, 4.6 is never; of people with {LEAST_OF_PERSON} queries or more, – where they are fewer than \
                 the guard"
            )],
        ));
    } else if let Some(last) = sections.last_mut() {
        last.notes.push(format!(
            "miscalibration left out: in no group do as many people as the guard asks for have {LEAST_OF_PERSON} queries"
        ));
    }
    sections
}

fn groups(dimension: &Dimension) -> Section {
    let mut section = Section::table(format!("Groups by {}", dimension.by), &["", "queries", "people", "who they are"]);
    for group in &dimension.groups {
        let cells = [group.name.clone(), group.n.to_string(), group.users.to_string(), group.told.clone()];
        section.rows.push(cells.to_vec());
    }
    for left in &dimension.left_out {
        let (n, users) = (left.n.to_string(), left.users.to_string());
        section.rows.push(vec![left.name.clone(), n, users, "left out".to_owned()]);
        section.notes.push(format!("{} left out: {}", left.name, left.reason));
    }
    section.notes.push("told from what was known strictly before each query, never from its right answer".to_owned());
    section
}

fn gaps(dimension: &Dimension, headline: Metric, resampled: Unit) -> Section {
    let title = format!("By {}: gap in {} to the best group of the arm", dimension.by, heading(headline));
    let mut section = Section::table(title, &["", "best", "gap", "95 %", "p", "detectable"]);
    for ArmGroups { arm, groups } in &dimension.arms {
        for (group, gap) in groups.iter().filter_map(|group| Some((group, group.gap.as_ref()?))) {
            section.rows.push(vec![
                format!("{}, {}", arm.name(), group.group),
                gap.best.clone(),
                number(gap.value),
                signed_interval(gap.ci),
                p_value(gap.p_holm),
                gap.detectable.map_or_else(|| "–".to_owned(), number),
            ]);
        }
    }
    section.notes.push(match headline {
        Metric::MeanAbsoluteError => {
            "gap .08: answers are .08 of a score farther off than in the best group".to_owned()
        }
        Metric::RougeL => "gap .08: ROUGE-L is .08 lower than in the best group".to_owned(),
        _ => "gap .08: eight more of a hundred answers are wrong than in the best group".to_owned(),
    });
    section.notes.push(format!(
        "p: sign flips by {}, after Holm over all pairs of the arm's groups; below .05 is decisive. A true gap as large as \
         the detectable one would be found four times out of five",
        resampled.singular()
    ));
    if section.rows.len() == 1 {
        section.rows.clear();
        section.notes = vec!["one group alone has no gap".to_owned()];
    }
    section
}

/// Times it happened of times it could have, the share, its interval.
fn rate(rate: &Rate) -> [String; 3] {
    let (share, ci) = rate.share.map_or(("–".to_owned(), String::new()), |Share { share, ci }| {
        (format!("{share:.2}"), format!("[{:.2}, {:.2}]", ci.low, ci.high))
    });
    [format!("{}/{}", rate.n, rate.of), share, ci]
}

fn overruled(audit: &Audit) -> Section {
    let header = ["", "gave up", "", "95 %", "rescued", "", "95 %"];
    let mut section = Section::table("Right local answers given up, wrong ones rescued", &header);
    for overruled in &audit.overruled {
        let whose = match &overruled.by {
            Some(by) => format!("{}: {}", by.strip_prefix("attribute:").unwrap_or(by), overruled.whose),
            None => overruled.whose.clone(),
        };
        let cells = rate(&overruled.suppressed).into_iter().chain(rate(&overruled.rescued));
        section.rows.push(std::iter::once(whose).chain(cells).collect());
        let bar = |Figure { value, ci }: Figure| Bar { name: overruled.whose.clone(), value, ci };
        section.chart.extend(overruled.suppressed.figure().map(bar));
    }
    let everybody = audit.overruled.iter().find(|overruled| overruled.by.is_none() && !overruled.minority);
    let remembered = everybody.map_or(0, |everybody| everybody.n);
    section.notes = vec![
        format!(
            "everybody: who remembers something at the query, as at {remembered} of {}; elsewhere local memory has no \
             answer of its own that could be given up",
            audit.n
        ),
        "gave up .08: of a hundred answers that the person's own memory had right, the mediator lost eight; rescued .3: of \
         a hundred that it had wrong, the mediator found thirty"
            .to_owned(),
        "differ, and every row below: people whose commonest response so far is not the commonest one of the others"
            .to_owned(),
        format!(
            "– where people are fewer than the guard of {} or queries than {LEAST_QUERIES}; where it never happened the \
             upper end is that of the rule of three, 3 over the {}",
            audit.provenance.guard,
            audit.resampled.name()
        ),
    ];
    section.notes.extend(match audit.right_is {
        Right::Label => None,
        Right::Score => Some("of ratings right is the very score".to_owned()),
        Right::Form => Some("of texts right is the form, such as a question or a list, whatever the words".to_owned()),
    });
    section
}

fn personalised(audit: &Audit) -> Section {
    let header = ["", "changed", "95 %", "worse", "95 %", "better"];
    let mut section = Section::table("What local memory changes", &header);
    for Personalised { arm, without, changed, worsened, bettered } in &audit.personalised {
        let ([_, share, ci], [_, worse, worse_ci], [_, better, _]) = (rate(changed), rate(worsened), rate(bettered));
        section.rows.push(vec![format!("{arm} against {without}"), share, ci, worse, worse_ci, better]);
    }
    section.notes = vec![
        "changed .8: local memory makes eight of ten answers other ones. worse: of answers right without it, the share \
         that it spoils; better: of wrong ones, the share that it repairs. Many changed, many worse: over-personalised"
            .to_owned(),
    ];
    section
}

fn guarded(audit: &Audit) -> Section {
    let guard = &audit.guarded;
    let mut section = Section::table(format!("Guard of {} contributors", guard.guard), &["", ""]);
    section.rows[0] = vec!["over all prompts".to_owned(), "number".to_owned()];
    let mut row = |name: &str, value: String| section.rows.push(vec![name.to_owned(), value]);
    row("collective statements kept back", guard.suppressed.to_string());
    row("queries at which one was", guard.queries.to_string());
    row("entries in prompts", guard.entries.to_string());
    row("of those counted anew from their items", guard.recounted.to_string());
    row("fewest people behind one", guard.least.map_or_else(|| "–".to_owned(), |least| least.to_string()));
    row("with fewer people than the guard", guard.below.to_string());
    section.notes = vec![
        "kept back: fewer people stood behind it, the asking one aside; the last number has to be 0. The guard limits what \
         can be told about one person; it does not make the data anonymous"
            .to_owned(),
    ];
    section
}

fn cases(audit: &Audit) -> Section {
    let shown = audit.cases.len();
    let title = format!("Overruled though right: {shown} of {}, the greatest harm first", audit.overridden_right);
    let mut section =
        Section::table(title, &["", "harm", "local", "mediated", "right", "answered", "differs", "as others"]);
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let p = |p: Option<f64>| p.map_or_else(|| "–".to_owned(), |p| format!("{p:.2}"));
    let told = |text: &str| crate::data::text::brief(&visible(text), 14).into_owned();
    for (place, case) in (1..).zip(&audit.cases) {
        let Case { harm, p_local, p_mediated, right, mediated, minority, as_others, .. } = case;
        section.rows.push(vec![
            format!("{place}"),
            p(*harm),
            p(*p_local),
            p(*p_mediated),
            told(right),
            told(mediated),
            yes(*minority),
            yes(*as_others),
        ]);
    }
    if shown == 0 {
        section.rows.clear();
    }
    section.notes = vec![
        "harm .8: the right answer lost .8 of probability from local to mediated, below 0 it gained less than another; \
         differs: the person prefers something else than the others; as others: it is what global memory alone answers. \
         Each one is shown by:"
            .to_owned(),
    ];
    let opens = (1..).zip(&audit.cases).map(|(place, case)| format!("{place}  {}", visible(&case.open)));
    section.notes.extend(opens);
    if shown == 0 {
        section.notes = vec!["none to show".to_owned()];
    }
    section
}

fn limits(audit: &Audit) -> Section {
    let p = &audit.provenance;
    let mut notes = vec![
        format!("dataset {} {}", visible(&p.dataset), p.dataset_hash),
        format!(
            "{}, seed {}; groups with fewer people than the guard of {} or fewer queries than {LEAST_QUERIES} are left out",
            resampling(audit.resampled, p.plan),
            p.plan.seed,
            p.guard
        ),
        "groups are not random: a gap says that one fares worse, not that being in it is why; groupings overlap, so their \
         gaps are not separate findings"
            .to_owned(),
        "intervals are not corrected for how many there are, and the best group is picked on the same queries: read p"
            .to_owned(),
        "right answers are what people did, habits included; who is answered as they always did can be right and \
         one-sided at once"
            .to_owned(),
    ];
    if audit.dimensions.iter().all(|dimension| !dimension.by.starts_with("attribute:")) {
        notes.push(
            "nothing is said of attributes such as age or gender: --by attribute:NAME does, where interactions carry them"
                .to_owned(),
        );
    }
    Section::notes("How far this goes", notes)
}

/// Every figure, one a row (RFC 4180).
pub fn csv(audit: &Audit) -> String {
    let mut out = String::from("by,group,arm,figure,queries,people,value,low,high,p_holm,detectable\r\n");
    let field = super::rows::field;
    let mut row =
        |by: &str, group: &str, arm: &str, name: &str, [n, users]: [usize; 2], figure: Option<Figure>, test: &str| {
            let Some(Figure { value, ci }) = figure else { return };
            let (low, high) = ci.map_or_else(Default::default, |ci| (ci.low.to_string(), ci.high.to_string()));
            let (by, group) = (field(by), field(group));
            // Writing to a String cannot fail, so its result is let go.
            let _ = write!(out, "{by},{group},{arm},{name},{n},{users},{value},{low},{high},{test}\r\n");
        };
    for dimension in &audit.dimensions {
        for ArmGroups { arm, groups } in &dimension.arms {
            for (report, measured) in dimension.groups.iter().zip(groups) {
                let mut told = |name: &str, figure: Option<Figure>, test: &str| {
                    row(&dimension.by, &report.name, arm.name(), name, [report.n, report.users], figure, test);
                };
                told(audit.headline.name(), Some(measured.score), ",");
                told(second(audit.headline).name(), Some(measured.second), ",");
                told("entropy", Some(Figure { value: measured.entropy, ci: None }), ",");
                told("gold_entropy", Some(Figure { value: report.gold_entropy, ci: None }), ",");
                told("variety", Some(measured.variety), ",");
                told("lift", measured.lift, ",");
                told("miscalibration", measured.miscalibration, ",");
                if let Some(gap) = &measured.gap {
                    let detectable = gap.detectable.map_or_else(String::new, |d| d.to_string());
                    let test = format!("{},{detectable}", gap.p_holm);
                    told("gap", Some(Figure { value: gap.value, ci: gap.ci }), &test);
                }
            }
        }
    }
    for overruled in &audit.overruled {
        let by = overruled.by.as_deref().unwrap_or_default();
        for (name, rate) in [("suppressed", &overruled.suppressed), ("rescued", &overruled.rescued)] {
            row(by, &overruled.whose, Arm::Mediated.name(), name, [rate.of, rate.users], rate.figure(), ",");
        }
    }
    for p in &audit.personalised {
        let against = format!("against {}", p.without);
        for (name, rate) in [("changed", &p.changed), ("worsened", &p.worsened), ("bettered", &p.bettered)] {
            row("", &against, p.arm, name, [rate.of, rate.users], rate.figure(), ",");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_folded_and_commands_are_not() {
        let long = "word ".repeat(40);
        let lines = fold(long.trim());
        assert!(lines.len() > 2 && lines.iter().all(|line| line.chars().count() <= COLUMNS + 2), "{lines:?}");
        assert!(lines[1..].iter().all(|line| line.starts_with("  word")), "{lines:?}");
        assert_eq!(lines.join(" ").split_whitespace().count(), 40);
        let command = format!("1  logoscope ask --query '{long}'");
        assert_eq!(fold(&command), std::slice::from_ref(&command));
    }
}
