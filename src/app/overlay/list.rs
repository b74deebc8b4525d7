//! Lists with a filter: what each of them offers.
//!
//! Invariant: the selection of a list points at a shown row, if there is one.

use std::collections::BTreeMap;

use super::{Choice, ListKind, Overlay};
use crate::app::board::Board;
use crate::app::command::{Command, Context};
use crate::app::datasets::Place;
use crate::app::fuzzy::{UNBROKEN, fuzzy};
use crate::app::input::Input;
use crate::app::keeper::Change;
use crate::app::state::State;
use crate::data::interaction::UserId;
use crate::data::sample;
use crate::engine::model::SHIPPED;
use crate::engine::prompt::Arm;
use crate::mediator::Policy;
use crate::memory::global::GlobalHit;
use crate::memory::local::LocalHit;
use crate::memory::why_not::{Candidate, CandidateKind};
use crate::session::scenario::Scenario;
use crate::session::tries::differences;

/// A row of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What choosing it does.
    pub choice: Choice,
    /// First column; the filter reads it.
    pub name: String,
    /// Second column, on the right; the filter reads it.
    pub note: String,
    /// Third column, the widest; the filter reads it.
    pub text: String,
    /// Why it cannot be chosen.
    pub disabled: Option<&'static str>,
}

/// A list with a filter.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// What for.
    pub kind: ListKind,
    /// The filter, which has the letters.
    pub filter: Input,
    /// All rows.
    pub rows: Vec<Row>,
    /// Indexes of the rows that match, best first.
    pub shown: Vec<usize>,
    /// Index into `shown`.
    pub selected: usize,
    /// The try that goes when it is asked once more.
    pub doomed: Option<u32>,
    /// The try that is to be compared with the next one named.
    pub compared: Option<u32>,
    /// The board that it is chosen over, which stays on the screen.
    pub behind: Option<Board>,
    /// The number of the read that it is about.
    pub heard: u64,
}

impl Row {
    /// Whether each word of `filter` stands somewhere in the row.
    fn holds_each(&self, filter: &str) -> bool {
        let columns = [&self.name, &self.note, &self.text].map(|column| column.to_lowercase());
        filter.to_lowercase().split_whitespace().all(|word| columns.iter().any(|column| column.contains(word)))
    }
}

impl List {
    /// A list of `rows` with the `current` one selected.
    pub fn new(kind: ListKind, rows: Vec<Row>, current: usize) -> Self {
        let shown = (0..rows.len()).collect();
        let selected = current.min(rows.len().saturating_sub(1));
        Self {
            kind,
            filter: Input::default(),
            rows,
            shown,
            selected,
            doomed: None,
            compared: None,
            behind: None,
            heard: 0,
        }
    }

    /// The same about the answers on the screen, over the board that lies there: they stay while one is chosen.
    fn of_answers(self, state: &State) -> Self {
        let behind = state.overlay.as_ref().and_then(Overlay::board).cloned();
        Self { behind, heard: state.heard, ..self }
    }

    /// Everyone, with how much of them is visible at the question's moment.
    pub fn users(state: &State) -> Option<Self> {
        let (data, question) = (state.data.as_ref()?, state.question.as_ref()?);
        let visible = data.visible(question.at);
        let row = |(ix, user): (usize, &UserId)| {
            let responses = visible.get(user);
            let n: usize = responses.into_iter().flat_map(BTreeMap::values).sum();
            let most = responses.into_iter().flatten().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
            Row {
                choice: Choice::User(ix),
                name: user.to_string(),
                note: format!("{n} visible"),
                text: most.map_or("nothing yet".to_owned(), |(label, times)| format!("{times} of them {label}")),
                disabled: None,
            }
        };
        let rows = data.users.iter().enumerate().map(row).collect();
        let current = data.users.iter().position(|user| *user == question.user).unwrap_or_default();
        Some(Self::new(ListKind::Users, rows, current))
    }

    /// The judged queries.
    pub fn queries(state: &State) -> Option<Self> {
        let data = state.data.as_ref()?;
        let row = |(ix, query): (usize, &crate::data::interaction::JudgedQuery)| Row {
            choice: Choice::Query(ix),
            name: query.user.to_string(),
            note: format!("{} {}", query.at.date(), query.gold.as_deref().unwrap_or("-")),
            text: query.query.clone(),
            disabled: None,
        };
        let rows = data.queries.iter().enumerate().map(row).collect();
        Some(Self::new(ListKind::Queries, rows, state.judged.unwrap_or_default()))
    }

    /// What can be done on the screen, and what cannot now.
    pub fn commands(state: &State) -> Self {
        let here = |entry: &&crate::app::command::Entry| entry.context != Context::Always;
        let offered = state.screen().entries().filter(here).filter(|entry| entry.command != Command::Palette);
        let row = |entry: &'static crate::app::command::Entry| Row {
            choice: Choice::Run(entry.command),
            name: entry.name.to_owned(),
            note: state.keys.shown(entry),
            text: entry.doc.to_owned(),
            disabled: entry.command.unavailable(state),
        };
        Self::new(ListKind::Commands, offered.map(row).collect(), 0)
    }

    /// Sessions that came with the program, a way to any other, scenarios that can be made of the dataset, and the person's
    /// own recordings.
    pub fn sessions(state: &State) -> Self {
        let row = |choice, name: &str, note: &str, text: &str| Row {
            choice,
            name: name.to_owned(),
            note: note.to_owned(),
            text: text.to_owned(),
            disabled: None,
        };
        let shipped = sample::sessions().into_iter().map(|(name, _)| {
            row(Choice::Shipped(name), name, "shipped", "on the sample data; opens without model and data")
        });
        let typed = row(Choice::TypePath, "another file", "", "type its path");
        let barred = state.cannot_make();
        let task = state.manifest().map(|manifest| manifest.task);
        let made = Scenario::ALL.into_iter().map(|scenario| Row {
            disabled: barred.or(task.and_then(|task| scenario.needs_labels(task))),
            ..row(Choice::Made(scenario), scenario.name(), "made now", scenario.about())
        });
        let own = state.recordings.iter().enumerate().map(|(at, found)| {
            let name = found.path.file_stem().unwrap_or_default().to_string_lossy();
            let written = found.at.to_string();
            let note = written.get(..16).unwrap_or(&written).replace('T', " ");
            row(Choice::Recorded(at), &name, &note, &found.about)
        });
        Self::new(ListKind::Sessions, shipped.chain([typed]).chain(made).chain(own).collect(), 0)
    }

    /// The mediator's rules with their formulas.
    pub fn policies(state: &State) -> Self {
        let row = |policy: Policy| Row {
            choice: Choice::Policy(policy),
            name: policy.to_string(),
            note: if policy == state.setting.policy { "now" } else { "" }.to_owned(),
            text: policy.rule().formula().to_owned(),
            disabled: state.barred(policy),
        };
        let current = Policy::ALL.iter().position(|policy| *policy == state.setting.policy).unwrap_or_default();
        Self::new(ListKind::Policies, Policy::ALL.into_iter().map(row).collect(), current)
    }

    /// Models: the shipped one, none, those that were found, and a way to any other.
    pub fn models(state: &State) -> Self {
        let row = |choice, name: &str, note: &str, text: &str| Row {
            choice,
            name: name.to_owned(),
            note: note.to_owned(),
            text: text.to_owned(),
            disabled: None,
        };
        let always = [
            row(Choice::Model, SHIPPED, "shipped", "a small demonstration model for the sample data"),
            row(Choice::Model, "none", "", "memory alone answers"),
            row(Choice::TypeModel, "another model", "", "type a folder, a GGUF file, owner/name or a URL"),
        ];
        let offers = state.offers.iter().enumerate().map(|(at, offer)| {
            let path = std::path::Path::new(&offer.name);
            // A path is told by its end, and in full beside it; a name on a hub as it is.
            let (name, text) = match path.file_name().filter(|_| path.is_absolute()) {
                Some(file) => (file.to_string_lossy().into_owned(), format!("{} · {}", offer.place, offer.name)),
                None => (offer.name.clone(), offer.place.clone()),
            };
            row(Choice::Offer(at), &name, &offer.note, &text)
        });
        Self::new(ListKind::Models, always.into_iter().chain(offers).collect(), 0)
    }

    /// Datasets: the shipped ones, a way to any other, and those opened lately.
    pub fn datasets(state: &State) -> Self {
        let row = |choice, name: String, note: &str, text: &str| Row {
            choice,
            name,
            note: note.to_owned(),
            text: text.to_owned(),
            disabled: None,
        };
        let shipped = sample::DATASETS
            .into_iter()
            .map(|(name, about)| row(Choice::ShippedData(name), name.to_owned(), "shipped", about));
        let typed =
            row(Choice::TypeFolder, "another folder".to_owned(), "", "type its path; `logoscope import` makes one");
        let lately = state.datasets.offers.iter().enumerate().map(|(at, offer)| {
            let place = Place::Folder(offer.name.clone().into());
            row(Choice::OfferedData(at), place.name(), &offer.note, &offer.name)
        });
        Self::new(ListKind::Datasets, shipped.chain([typed]).chain(lately).collect(), 0)
    }

    /// What the person who asks may answer.
    pub fn labels(state: &State) -> Option<Self> {
        let labels = &state.data.as_ref()?.labels;
        let row = |(ix, label): (usize, &String)| Row {
            choice: Choice::Label(ix),
            name: label.clone(),
            note: String::new(),
            text: if state.gold() == Some(label) { "the true answer" } else { "" }.to_owned(),
            disabled: None,
        };
        let current = labels.iter().position(|label| state.gold() == Some(label)).unwrap_or_default();
        Some(Self::new(ListKind::Labels, labels.iter().enumerate().map(row).collect(), current))
    }

    /// What the arms answered, one of which is right or wrong.
    pub fn answers(state: &State, right: bool) -> Option<Self> {
        let data = state.data.as_ref()?;
        let called = state.called();
        let row = |arm: Arm| {
            let answer = &state.answers.arms[arm as usize];
            let text = match called[arm as usize] {
                Some(true) => "called right",
                Some(false) => "called wrong",
                None => "",
            };
            Row {
                choice: Choice::Called { arm, answer: answer.decision, right },
                name: format!("{} {}", arm.name(), data.label(answer.decision)),
                note: format!("{:.2}", answer.probability()),
                text: text.to_owned(),
                disabled: None,
            }
        };
        // Its answer is the one that counts in the end.
        let list = Self::new(ListKind::Answers, Arm::ALL.map(row).into(), Arm::Mediated as usize);
        Some(list.of_answers(state))
    }

    /// What the true answer may be.
    pub fn gold(state: &State) -> Option<Self> {
        let mut list = Self::labels(state)?;
        list.kind = ListKind::Gold;
        for (ix, row) in list.rows.iter_mut().enumerate() {
            row.choice = Choice::Gold(ix);
        }
        Some(list.of_answers(state))
    }

    /// What local memory found, the shown items first.
    pub fn hits(state: &State) -> Option<Self> {
        let (data, reading) = (state.data.as_ref()?, state.reading.as_ref()?);
        let row = |hit: &LocalHit| {
            let interaction = data.interaction(hit.item)?.into_owned();
            Some(Row {
                choice: Choice::Item,
                name: interaction.id,
                note: format!("{:.2} {}", hit.terms.score(), data.label(hit.label)),
                text: interaction.query,
                disabled: None,
            })
        };
        Some(Self::new(ListKind::Hits, reading.read.local.hits.iter().filter_map(row).collect(), 0))
    }

    /// What global memory found.
    pub fn entries(state: &State) -> Option<Self> {
        let (data, reading) = (state.data.as_ref()?, state.reading.as_ref()?);
        let row = |hit: &GlobalHit| {
            let first = hit.ranked(0.0).first().map(|(label, share)| format!("{} {share:.2}", data.label(*label)));
            Row {
                choice: Choice::Entry,
                name: hit.id.clone(),
                note: format!("{:.2} {} users", hit.terms.score(), hit.users),
                text: format!("{} · {}", first.unwrap_or_default(), hit.top_terms.join(" ")),
                disabled: None,
            }
        };
        Some(Self::new(ListKind::Entries, reading.read.global.hits.iter().map(row).collect(), 0))
    }

    /// What a person might miss, of what memory named.
    pub fn why_not(state: &State, candidates: Vec<Candidate>) -> Option<Self> {
        let data = state.data.as_ref()?;
        let row = |candidate: Candidate| {
            let (note, text) = match candidate.kind {
                CandidateKind::Item(item) => {
                    let interaction = data.interaction(item)?;
                    (interaction.at.date(), interaction.query.clone())
                }
                CandidateKind::Entry(Some(community)) => (format!("community {community}"), "an entry".to_owned()),
                CandidateKind::Entry(None) => ("everyone".to_owned(), "an entry".to_owned()),
            };
            Some(Row { choice: Choice::WhyNot, name: candidate.id, note, text, disabled: None })
        };
        let typed = Row {
            choice: Choice::TypeId,
            name: "another id".to_owned(),
            note: String::new(),
            text: "type it: anybody's interaction, an entry of any period".to_owned(),
            disabled: None,
        };
        let rows = candidates.into_iter().filter_map(row).chain([typed]).collect();
        Some(Self::new(ListKind::WhyNot, rows, 0))
    }

    /// The dataset's default and the tries on it, with what each changes.
    pub fn tries(state: &State) -> Self {
        let row = |number: u32, name: &str, note: &str| {
            let setting = state.setting_of(number)?;
            let changed = differences(&setting.weights, &state.defaults_of(setting.policy));
            let told: Vec<String> =
                changed.iter().map(|(weight, value)| format!("{} {}", weight.symbol(), short(*value))).collect();
            let lost = state.unkept.get(&state.dataset_name).into_iter().flat_map(|unkept| &unkept.changes);
            let lost = lost.filter_map(Change::of).any(|other| (other.number, other.name.as_str()) == (number, name));
            let now = if setting == state.setting { "now · " } else { "" };
            let lost = if lost { "not on disk · " } else { "" };
            let told = if told.is_empty() { "all at their defaults".to_owned() } else { told.join(" · ") };
            Some(Row {
                choice: Choice::Try(number),
                name: format!("{number} {name}"),
                note: setting.policy.to_string(),
                text: format!(
                    "{lost}{now}{}{told}",
                    if note.is_empty() { String::new() } else { format!("“{note}” · ") }
                ),
                disabled: state.barred(setting.policy),
            })
        };
        let default = if state.replay.is_some() { "as recorded" } else { "default" };
        let saved = state.tries.iter().filter_map(|saved| row(saved.number, &saved.name, &saved.note));
        let rows: Vec<Row> = row(0, default, "").into_iter().chain(saved).collect();
        let current = rows.iter().position(|row| row.choice == Choice::Try(state.at_try)).unwrap_or_default();
        Self::new(ListKind::Tries, rows, current)
    }

    /// `list`, which has other rows, with the filter of this one. A row that somebody has moved to stays selected, wherever
    /// it is now; the first place stays the first.
    #[must_use]
    pub fn grown(&self, mut list: Self) -> Self {
        list.filter = self.filter.clone();
        list.refilter();
        let before = self.current().filter(|_| self.selected > 0);
        let is_same = |row: &Row| before.is_some_and(|before| (&before.name, &before.text) == (&row.name, &row.text));
        let place = list.shown.iter().position(|ix| list.rows.get(*ix).is_some_and(is_same));
        list.selected = place.unwrap_or(self.selected).min(list.shown.len().saturating_sub(1));
        list
    }

    /// The row under the selection.
    pub fn current(&self) -> Option<&Row> {
        self.rows.get(*self.shown.get(self.selected)?)
    }

    /// Moves the selection by `steps`, around at the ends for single steps.
    pub fn step(&mut self, steps: isize) {
        self.doomed = None;
        let n = self.shown.len() as isize;
        if n == 0 {
            return;
        }
        let to = self.selected as isize + steps;
        self.selected = if steps.abs() == 1 { to.rem_euclid(n) } else { to.clamp(0, n - 1) } as usize;
    }

    /// Brings the shown rows up to date with the filter.
    pub fn refilter(&mut self) {
        self.doomed = None;
        let filter = self.filter.text().trim().to_owned();
        let score = |row: &Row| {
            // A match is worth more in the name than beside it. Scattered letters are found in the name alone: a long text has
            // nearly all of them.
            let beside = [(&row.note, 1_000), (&row.text, 0)];
            let beside = beside.into_iter().filter_map(|(column, more)| Some(fuzzy(&filter, column)? + more));
            let beside = beside.filter(|score| *score >= UNBROKEN).max();
            // Words may also stand in several columns: that is more than letters, and less than all of them in one.
            let words = row.holds_each(&filter).then_some(UNBROKEN);
            fuzzy(&filter, &row.name).map(|score| score + 2_000).max(beside).max(words)
        };
        let mut found: Vec<(i64, usize)> =
            self.rows.iter().enumerate().filter_map(|(ix, row)| Some((score(row)?, ix))).collect();
        if !filter.is_empty() {
            found.sort_by_key(|(score, ix)| (-score, *ix));
        }
        self.shown = found.into_iter().map(|(_, ix)| ix).collect();
        self.selected = 0;
    }
}

/// A weight's value in a few digits.
fn short(value: f64) -> String {
    if value.is_infinite() {
        return "inf".to_owned();
    }
    let (exact, rounded) = (value.to_string(), format!("{value:.3}"));
    if exact.len() <= rounded.len() { exact } else { rounded }
}
