//! Studies in words and tables. Nothing here computes a figure.

use crate::data::interaction::Timestamp;
use std::fmt::Write as _;

use super::arrival::Arrived;
use super::dial::Dial;
use super::drift::{Drift, Recovery};
use super::ladder::{Ladder, Natural};
use super::{By, Cell, Estimate, Subject};
use crate::engine::prompt::Arm;
use crate::eval::report::Section;
use crate::eval::stats::{FEW, Interval};
use crate::eval::steady;

fn number(x: f64) -> String {
    format!("{x:.3}")
}

fn interval(ci: Option<Interval>) -> String {
    ci.map_or_else(|| "–".to_owned(), |ci| format!("[{:+.3}, {:+.3}]", steady(ci.low, 3), steady(ci.high, 3)))
}

fn sure(estimate: &Estimate) -> String {
    match estimate.interval {
        Some(ci) => format!("{:.3} [{:.3}, {:.3}]", estimate.value, ci.low, ci.high),
        None => number(estimate.value),
    }
}

fn lead(estimate: &Estimate) -> String {
    format!("{:+.3} {}", steady(estimate.value, 3), interval(estimate.interval))
}

fn relative(cell: &Cell) -> String {
    cell.relative_gain.map_or_else(|| "–".to_owned(), |gain| format!("{:+.1} %", steady(100.0 * gain, 1)))
}

fn table(title: impl Into<String>, header: &[&str], rows: Vec<Vec<String>>, notes: Vec<String>) -> Section {
    let header = header.iter().map(|cell| (*cell).to_owned()).collect();
    Section {
        title: title.into(),
        rows: std::iter::once(header).chain(rows).collect(),
        notes,
        chart: Vec::new(),
        curves: Vec::new(),
    }
}

fn about(title: &str, subject: &Subject, more: Vec<String>) -> Section {
    let answered = subject.model.as_ref().map_or_else(|| "memory alone".to_owned(), |model| format!("model {model}"));
    let mut notes = vec![
        format!("{} · policy {} · {answered}", subject.queries, subject.setting.policy),
        format!("intervals: 95 %, {} resamples of people, seed {}", subject.plan.resamples, subject.plan.seed),
    ];
    notes.extend(more);
    let title = format!("{title} · {}", subject.dataset);
    Section { title, rows: Vec::new(), notes, chart: Vec::new(), curves: Vec::new() }
}

/// Columns of a [`Cell`].
const CELL: [&str; 10] = [
    "n",
    "people",
    "none",
    "local",
    "global",
    "mediated",
    "local − global",
    "mediated − local",
    "relative gain",
    "ceiling",
];

fn cell(cell: &Cell) -> Vec<String> {
    let [none, local, global, mediated] = &cell.arms;
    vec![
        cell.n.to_string(),
        cell.people.to_string(),
        number(none.value),
        sure(local),
        sure(global),
        sure(mediated),
        lead(&cell.local_over_global),
        lead(&cell.mediated_over_local),
        relative(cell),
        number(cell.ceiling.value),
    ]
}

fn of_cells(title: String, first: &str, rows: impl Iterator<Item = (String, Cell)>, notes: Vec<String>) -> Section {
    let header: Vec<&str> = std::iter::once(first).chain(CELL).collect();
    let rows = rows.map(|(name, found)| std::iter::once(name).chain(cell(&found)).collect()).collect();
    table(title, &header, rows, notes)
}

fn better(by: By) -> &'static str {
    match by {
        By::Accuracy => "differences are in accuracy: above 0 the first is better",
        By::AbsoluteError => {
            "figures are absolute errors, differences how much less the first errs: above 0 it is better"
        }
    }
}

impl Ladder {
    /// What it says, in order of reading.
    pub fn sections(&self) -> Vec<Section> {
        let by = self.subject.by;
        let side = if self.oldest { "oldest" } else { "newest" };
        let people = self.rungs.first().map_or(0, |rung| rung.cell.people);
        let hand_over = match self.hand_over {
            None if people < FEW => format!("hand-over not told: below {FEW} people there is no interval"),
            Some(m) => {
                format!("hand-over at {m} items: the least rung where the interval of local − global lies above 0")
            }
            None => format!(
                "hand-over not reached: on no rung up to {} does the interval of local − global lie above 0",
                self.most
            ),
        };
        let fixed = self.rungs.first().map_or((0, 0), |rung| (rung.cell.n, rung.cell.people));
        let mut notes = vec![hand_over];
        notes.push(format!(
            "the same {} queries of {} people with at least {} visible items; others leave out all that the person did",
            fixed.0, fixed.1, self.most
        ));
        if self.oldest {
            notes.push(
                "the oldest items are held: a small history is an old one as well, so size and age are mixed"
                    .to_owned(),
            );
        }
        if self.gap_days > 0.0 {
            notes.push(format!(
                "nothing of the person's from the last {} days before a query is visible",
                self.gap_days
            ));
        }
        notes.push("at 0 items the local arm answers with the base rate, as arm none does".to_owned());
        notes.push(format!("ceiling: the better of local and global, query by query; {}", better(by)));
        let rungs = self.rungs.iter().map(|rung| (rung.held.to_string(), rung.cell.clone()));
        let named = |found: &[Natural]| {
            found.iter().map(|natural| (natural.bucket.name(), natural.cell.clone())).collect::<Vec<_>>().into_iter()
        };
        vec![
            about("Cold-start ladder", &self.subject, Vec::new()),
            of_cells(format!("{} with only the {side} m items visible", title(by)), "m", rungs, notes),
            of_cells(
                "Natural buckets: all queries, by how many items were visible".to_owned(),
                "visible",
                named(&self.natural),
                vec!["these confound size of history with kind of person; the ladder does not".to_owned()],
            ),
            of_cells(
                "Gain over local where history is short".to_owned(),
                "visible",
                named(&self.gain),
                vec!["relative gain is (mediated − local)/local, so read it beside both figures".to_owned()],
            ),
        ]
    }
}

fn title(by: By) -> &'static str {
    match by {
        By::Accuracy => "Accuracy",
        By::AbsoluteError => "MAE",
    }
}

impl Dial {
    /// What it says, in order of reading.
    pub fn sections(&self) -> Vec<Section> {
        let (on, off) = self.questions;
        let label =
            self.label.as_ref().map_or_else(|| "each person's commonest label".to_owned(), |l| format!("'{l}'"));
        let told = vec![
            format!(
                "{on} on-habit and {off} off-habit queries of {} people with at least {} items of the label ({label}) and {} \
                 of others; their own share of it is {:.2} on average",
                self.people, self.length, self.length, self.own_share
            ),
            format!(
                "every history has {} items, drawn {} times; slots in time are those of the newest",
                self.length, self.draws
            ),
            "it models skewed memory: the person's taste stays what it was".to_owned(),
        ];
        let rows = self.rungs.iter().flat_map(|rung| {
            Arm::ALL.into_iter().filter(|arm| *arm != Arm::None).map(move |arm| {
                let balance = &rung.arms[arm as usize];
                vec![
                    rung.share.name(),
                    arm.name().to_owned(),
                    number(balance.on_habit),
                    number(balance.off_habit),
                    sure(&balance.balanced),
                    lead(&balance.against_own),
                    number(balance.names_label),
                ]
            })
        });
        let tolerance = Arm::ALL.into_iter().filter(|arm| *arm != Arm::None).map(|arm| {
            let told =
                self.tolerance[arm as usize].map_or_else(|| "not even 0 %".to_owned(), |share| format!("{share} %"));
            vec![arm.name().to_owned(), told]
        });
        vec![
            about("Bias dial", &self.subject, told),
            table(
                "Accuracy with a share of one label in memory",
                &["share", "arm", "on-habit", "off-habit", "balanced", "against own share", "names the label"],
                rows.collect(),
                vec!["balanced: the mean of on-habit and off-habit accuracy".to_owned()],
            ),
            table(
                "Bias tolerance",
                &["arm", "tolerates"],
                tolerance.collect(),
                vec![
                    "the largest share with balanced accuracy no more than 2 points below that at the own share"
                        .to_owned(),
                ],
            ),
        ]
    }
}

fn stage(since: Option<(usize, usize)>) -> String {
    since.map_or_else(|| "before".to_owned(), |(from, to)| format!("{from}–{to}"))
}

impl Drift {
    /// What it says, in order of reading.
    pub fn sections(&self) -> Vec<Section> {
        let told = if self.made {
            format!(
                "{} made changes: people of different communities swap futures; nobody of them was observed",
                self.changes
            )
        } else {
            format!(
                "{} observed changes, log Bayes factor at least {:.1}; they were looked for in these very answers, so part of \
                 any loss is what made them stand out",
                self.changes,
                self.least_evidence.unwrap_or_default()
            )
        };
        let stages = self.stages.iter().map(|found| (stage(found.since), found.cell.clone()));
        let against = self.stages.iter().filter(|found| found.since.is_some()).map(|found| {
            let arms = found.against_before.iter().map(lead);
            std::iter::once(stage(found.since)).chain(arms).collect()
        });
        let arms = Arm::ALL.into_iter().filter(|arm| *arm != Arm::None);
        let recovered = arms.map(|arm| {
            let told = match self.recovered[arm as usize] {
                Recovery::NothingLost => "lost nothing".to_owned(),
                Recovery::At(from, to) => format!("{} interactions", stage(Some((from, to)))),
                Recovery::NotYet => "not within what is asked".to_owned(),
            };
            vec![arm.name().to_owned(), told]
        });
        let first = match self.first.as_slice() {
            [] => "no arm that lost something has recovered".to_owned(),
            first => {
                format!("first to notice: {}", first.iter().map(|arm| arm.name()).collect::<Vec<_>>().join(" and "))
            }
        };
        vec![
            about("Drift", &self.subject, vec![told]),
            of_cells("Accuracy by interactions since the change".to_owned(), "since", stages, Vec::new()),
            table(
                "Accuracy less that of the same people before the change",
                &["since", "none", "local", "global", "mediated"],
                against.collect(),
                Vec::new(),
            ),
            table(
                "Who notices first",
                &["arm", "recovered at"],
                recovered.collect(),
                vec![
                    first,
                    "recovered: the first stage with accuracy no more than 2 points below that before the change"
                        .to_owned(),
                ],
            ),
        ]
    }
}

impl Arrived {
    /// What it says, in order of reading.
    pub fn sections(&self) -> Vec<Section> {
        let told = vec![
            format!(
                "community {} of {} people, unseen before {}; its answers differ from everyone else's by {:.3} bits",
                self.community,
                self.members,
                self.from.date(),
                self.unlike
            ),
            match self.served {
                Some(period) => format!(
                    "served from period {period} on: global no more than 2 points below a memory that knew them"
                ),
                None => "not served within the data: global stays more than 2 points below a memory that knew them, or too few ask to tell"
                    .to_owned(),
            },
        ];
        let rows = self.periods.iter().map(|period| {
            let [_, local, global, mediated] = &period.cell.arms;
            vec![
                period.number.to_string(),
                period.end.map_or("open".to_owned(), Timestamp::date),
                period.cell.n.to_string(),
                period.cell.people.to_string(),
                sure(local),
                sure(global),
                sure(mediated),
                number(period.known),
                lead(&period.against_known),
            ]
        });
        vec![
            about("New community", &self.subject, told),
            table(
                "Accuracy by period since it arrived",
                &[
                    "period",
                    "until",
                    "n",
                    "people",
                    "local",
                    "global",
                    "mediated",
                    "global that knew them",
                    "global − that",
                ],
                rows.collect(),
                vec!["the newcomers' own histories begin with period 1 as well".to_owned()],
            ),
        ]
    }
}

/// The tables as long CSV: `table,row,column,value`, one line a cell.
pub fn long_csv(sections: &[Section]) -> String {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
    };
    let mut out = String::from("table,row,column,value\n");
    for section in sections {
        let Some((header, rows)) = section.rows.split_first() else { continue };
        // Of a table with several rows of one name the second column belongs to the name.
        let names: std::collections::BTreeSet<&String> = rows.iter().map(|row| &row[0]).collect();
        let keys = if names.len() == rows.len() { 1 } else { 2 };
        for row in rows {
            for (column, value) in header.iter().zip(row).skip(keys) {
                let name = row[..keys].join(" ");
                let cells = [section.title.as_str(), &name, column, value].map(quoted);
                let _ = writeln!(out, "{}", cells.join(","));
            }
        }
    }
    out
}
