//! Check: is a session what this program, on the same data, would have recorded?
//!
//! Four grades: *retrieval* reads memory again for every question; *prompts* renders them again and compares hashes;
//! *mediation* computes every resolution and final distribution from the recorded evidence and setting; *answers* asks the
//! model again, where one is at hand, and holds what is recorded of its words against their seal in any case. Identities
//! and order are compared exactly, numbers within [`TOLERANCE`], a model's within [`answers::NEAR`]. What the rules of an
//! earlier ledger did not look for is not missed. A line changed by hand, or taken out, is a difference, never a reason to give
//! up.

pub mod answers;
mod gaps;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use self::answers::Asking;
use super::error::SessionError;
use super::event::{Answered, Asked, ByLabel, Event, Evidence, Prose, Resolution, Written};
use super::log::Session;
use super::record::{Fault, finally, read};
use crate::data::dataset::Dataset;
use crate::data::interaction::{Interaction, Timestamp, UserId};
use crate::engine::engine::Engine;
use crate::engine::prompt::{Arm, Blocks};
use crate::engine::recorded::prompt_hash;
use crate::mediator::ledger::ledger;
use crate::mediator::policy::Disagreement;
use crate::mediator::{self, Course, mediate};
use crate::memory::{Memory, MemoryRead};

/// Numbers further apart than this differ.
pub const TOLERANCE: f64 = 1e-9;
/// Characters of a differing value that are told.
const TOLD: usize = 80;

/// The first place where a session is not what is computed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Which event, from 1; 0 is the header.
    pub event: usize,
    /// Its line in the file.
    pub line: usize,
    /// Its tag.
    pub tag: &'static str,
    /// Where in it.
    pub field: String,
    /// What stands there.
    pub recorded: String,
    /// What is computed.
    pub computed: String,
    /// Of a model's words: how much likelier it finds what is computed, in nats; `None` where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, line, tag, field, recorded, computed, margin } = self;
        write!(f, "event {event} (line {line}, {tag}), {field}: recorded {recorded}, computed {computed}")?;
        margin.map_or(Ok(()), |margin| write!(f, ", margin {margin:.4} nats"))
    }
}

/// How a grade came out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing differs.
    Equal {
        /// How many things were compared.
        compared: usize,
    },
    /// Nothing differs but words that a margin below [`answers::NEAR`] decided.
    NearTies {
        /// How many things were compared.
        compared: usize,
        /// How many of them are near ties.
        ties: usize,
        /// The first of those.
        first: Difference,
    },
    /// Something does.
    Differs {
        /// The first place.
        difference: Difference,
    },
    /// It was not looked at.
    Unchecked {
        /// Why not.
        reason: String,
    },
}

/// All grades of a session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Evidence, read again.
    pub retrieval: Verdict,
    /// Prompts, rendered again.
    pub prompts: Verdict,
    /// Decisions, computed again.
    pub mediation: Verdict,
    /// The model's words.
    pub answers: Verdict,
}

impl Report {
    /// Grades by name, with what each of them compares.
    pub fn grades(&self) -> [(&'static str, &'static str, &Verdict); 4] {
        [
            ("retrieval", "reads", &self.retrieval),
            ("prompts", "prompts", &self.prompts),
            ("mediation", "decisions", &self.mediation),
            ("answers", "answers", &self.answers),
        ]
    }

    /// Whether some grade differs.
    pub fn differs(&self) -> bool {
        self.grades().iter().any(|(_, _, verdict)| matches!(verdict, Verdict::Differs { .. }))
    }
}

/// Who is asked for the grade *answers*.
#[derive(Clone, Copy)]
pub enum Model<'a> {
    /// The model that the header names.
    AtHand(&'a dyn Engine),
    /// None, because.
    Absent(&'a str),
}

/// Checks `session` against `dataset`, without asking a model.
pub fn check(session: &Session, dataset: &Dataset) -> Result<Report, SessionError> {
    check_with(session, dataset, Model::Absent("the model is not asked again"))
}

/// Checks `session` against `dataset` and `model`.
pub fn check_with(session: &Session, dataset: &Dataset, model: Model) -> Result<Report, SessionError> {
    let unchecked = |reason: &str| Verdict::Unchecked { reason: reason.to_owned() };
    let mediation = mediation(session);
    let seals = seals(session);
    if session.header.is_redacted() {
        let [retrieval, prompts] = [(); 2].map(|()| unchecked(REDACTED));
        return Ok(Report { retrieval, prompts, mediation, answers: seals.unwrap_or(unchecked(REDACTED)) });
    }
    if let Some(difference) = header_difference(session, dataset) {
        let other = "the header does not fit the dataset; pass the one it names with --data";
        let (retrieval, prompts) = (Verdict::Differs { difference }, unchecked(other));
        return Ok(Report { retrieval, prompts, mediation, answers: seals.unwrap_or(unchecked(other)) });
    }
    let labels = &session.header.labels;
    let (model, absent) = match (model, &seals, &session.header.model) {
        (_, Some(_), _) => (None, "what is recorded does not fit its seal"),
        (_, _, None) => (None, "memory alone answered"),
        (Model::Absent(reason), ..) => (None, reason),
        (Model::AtHand(engine), ..) => (Some(Asking::new(engine, labels)), ""),
    };
    let (retrieval, prompts, asked) = reads(session, dataset, model)?;
    let answers = seals.or(asked).unwrap_or_else(|| unchecked(absent));
    Ok(Report { retrieval, prompts, mediation, answers })
}

/// Why nothing can be read or asked again of a redacted session.
const REDACTED: &str = "redacted: its texts and identities are pseudonyms";

/// Collects one grade: counts what is compared, keeps the first difference.
#[derive(Default)]
struct Grade {
    compared: usize,
    difference: Option<Difference>,
}

impl Grade {
    /// Compares field by field; `prefix` is where the values stand in the event.
    fn compare(&mut self, place: &Place, prefix: &str, recorded: &impl Serialize, computed: &impl Serialize) {
        self.compared += 1;
        if self.difference.is_some() {
            return;
        }
        // Values of our own records: maps with string keys and numbers, which JSON can always hold.
        let values =
            serde_json::to_value(recorded).and_then(|recorded| Ok((recorded, serde_json::to_value(computed)?)));
        self.difference = match values {
            Ok((recorded, computed)) => {
                let found = difference(prefix, &recorded, &computed);
                found.map(|(field, recorded, computed)| place.difference(field, recorded, computed))
            }
            Err(error) => Some(place.difference(prefix.to_owned(), "a value".to_owned(), error.to_string())),
        };
    }

    fn fault(&mut self, place: &Place, fault: Fault) {
        let Fault { field, recorded, expected } = fault;
        self.difference.get_or_insert_with(|| place.difference(field, recorded, expected));
    }

    /// Compares the form of a text with that of its words; it is counted with what is read for the question.
    fn form(&mut self, place: &Place, known: &Dataset, asked: &Asked) {
        let form = asked.gold.as_deref().and_then(|gold| known.manifest.form_of(gold));
        self.compare(place, "form", &asked.form, &form);
        self.compared -= 1;
    }

    fn verdict(self) -> Verdict {
        match self.difference {
            Some(difference) => Verdict::Differs { difference },
            None => Verdict::Equal { compared: self.compared },
        }
    }
}

/// Which event is being compared.
struct Place {
    event: usize,
    line: usize,
    tag: &'static str,
}

impl Place {
    const HEADER: Place = Place { event: 0, line: 1, tag: "session" };

    fn of(session: &Session, index: usize) -> Self {
        let line = session.lines.get(index).copied().unwrap_or_default();
        Self { event: index + 1, line, tag: session.events[index].tag() }
    }

    fn difference(&self, field: String, recorded: String, computed: String) -> Difference {
        Difference { event: self.event, line: self.line, tag: self.tag, field, recorded, computed, margin: None }
    }
}

/// The first difference of two values, with where it is. Numbers are equal within the tolerance.
pub(super) fn difference(path: &str, recorded: &Value, computed: &Value) -> Option<(String, String, String)> {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let nothing = || "nothing".to_owned();
    match (recorded, computed) {
        (Value::Object(a), Value::Object(b)) => {
            let of_computed = b.iter().find_map(|(key, computed)| match a.get(key) {
                Some(recorded) => difference(&below(key), recorded, computed),
                None => Some((below(key), nothing(), told(computed))),
            });
            let stranger = || a.iter().find(|(key, _)| !b.contains_key(*key));
            of_computed.or_else(|| stranger().map(|(key, recorded)| (below(key), told(recorded), nothing())))
        }
        (Value::Array(a), Value::Array(b)) => {
            let at = |place: usize| format!("{path}[{place}]");
            let pairs = a.iter().zip(b).enumerate();
            let inside = pairs.into_iter().find_map(|(place, (a, b))| difference(&at(place), a, b));
            let shorter = a.len().min(b.len());
            let longer = || {
                Some((
                    at(shorter),
                    a.get(shorter).map_or_else(nothing, told),
                    b.get(shorter).map_or_else(nothing, told),
                ))
            };
            inside.or_else(|| if a.len() == b.len() { None } else { longer() })
        }
        _ => {
            let equal = match (recorded.as_f64(), computed.as_f64()) {
                (Some(a), Some(b)) => (a - b).abs() <= TOLERANCE,
                _ => recorded == computed,
            };
            (!equal).then(|| (path.to_owned(), told(recorded), told(computed)))
        }
    }
}

/// A value in a message: the start of a long one is enough.
fn told(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether the session was recorded on this dataset.
fn header_difference(session: &Session, dataset: &Dataset) -> Option<Difference> {
    let header = &session.header;
    let mut grade = Grade::default();
    grade.compare(&Place::HEADER, "dataset.name", &header.dataset.name, &dataset.manifest.name);
    grade.compare(&Place::HEADER, "dataset.hash", &header.dataset.hash, &dataset.content_hash());
    grade.compare(&Place::HEADER, "labels", &header.labels, &dataset.manifest.responses());
    grade.difference
}

/// `dataset` without what some people did.
pub fn without(dataset: &Dataset, users: &[UserId]) -> Dataset {
    let kept = dataset.interactions.iter().filter(|interaction| !users.contains(&interaction.user));
    let (manifest, queries) = (dataset.manifest.clone(), dataset.queries.clone());
    Dataset { manifest, interactions: kept.cloned().collect(), queries }
}

/// Adds interactions to `dataset`, keeping its order.
pub fn remember(dataset: &mut Dataset, remembered: impl IntoIterator<Item = Interaction>) {
    dataset.interactions.extend(remembered);
    dataset.interactions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
}

/// How many of `events` one memory can serve, at least the first. Memory at t holds nothing from t or later, so what is
/// remembered may be there from the start unless an earlier question looks back on its moment.
pub(super) fn stretch(events: &[Arc<Event>]) -> usize {
    let mut newest = Timestamp(i64::MIN);
    let too_early = |event: &Arc<Event>| match event.as_ref() {
        Event::Asked(asked) => {
            newest = newest.max(asked.at);
            false
        }
        Event::Remembered { interaction } => interaction.at < newest,
        _ => false,
    };
    events.iter().position(too_early).unwrap_or(events.len())
}

/// Grades retrieval and prompts, and answers where a model is asked.
fn reads(
    session: &Session,
    dataset: &Dataset,
    mut model: Option<Asking>,
) -> Result<(Verdict, Verdict, Option<Verdict>), SessionError> {
    let (mut retrieval, mut prompts) = (Grade::default(), Grade::default());
    let mut known = without(dataset, &session.header.dataset.without);
    let mut question: Option<(Asked, MemoryRead)> = None;
    let mut weights = session.header.setting.weights;
    let mut start = 0;
    while start < session.events.len() {
        let end = start + stretch(&session.events[start..]);
        let range = start..end;
        for index in range.clone() {
            let Event::Remembered { interaction } = session.events[index].as_ref() else { continue };
            if known.manifest.places().of(&interaction.response).is_some() {
                remember(&mut known, [interaction.clone()]);
            } else {
                let (field, recorded) = ("interaction.response".to_owned(), format!("'{}'", interaction.response));
                let expected = "one of the dataset's labels".to_owned();
                retrieval.fault(&Place::of(session, index), Fault { field, recorded, expected });
            }
        }
        let memory = Memory::build(&known);
        if start == 0 {
            retrieval.compare(&Place::HEADER, "embedder", &session.header.embedder, &memory.embedder());
            retrieval.compared = 0;
        }
        for index in range {
            let place = Place::of(session, index);
            match (session.events[index].as_ref(), &question) {
                (Event::Asked(asked), _) => {
                    retrieval.form(&place, &known, asked);
                    question = match read(&memory, asked) {
                        Ok(read) => Some((asked.clone(), read)),
                        Err(SessionError::Unheld { reason }) => {
                            let (field, recorded) = ("held".to_owned(), reason);
                            let expected = "own items before the question, oldest first".to_owned();
                            retrieval.fault(&place, Fault { field, recorded, expected });
                            None
                        }
                        Err(error) => return Err(error),
                    };
                }
                (Event::Evidence(recorded), Some((_, read))) => {
                    retrieval.compare(&place, "", recorded, &Evidence::of(&memory, read));
                }
                (Event::Answered(answered), Some((asked, read))) => {
                    let prose = answered.profile.as_ref().map(|profile| profile.prose.as_str());
                    let blocks = Blocks::of(&memory, &asked.query, read).with_profile(prose);
                    if let Some(profile) = &answered.profile {
                        known_profile(&mut prompts, &place, answered.arm, profile, read.local.visible());
                    }
                    let prompt = match &answered.written {
                        Some(written) => {
                            let instruction = blocks.instruction(&weights);
                            prompts.compare(&place, "written.prompt", &written.prompt, &prompt_hash(&instruction));
                            blocks.reconciled(&written.text)
                        }
                        None => blocks.prompt(answered.arm, &weights),
                    };
                    prompts.compare(&place, "prompt", &answered.prompt, &prompt_hash(&prompt));
                    // Other words than were asked then: that is told, and an answer to them would tell nothing.
                    if let Some(asking) = model.as_mut().filter(|_| answered.prompt == prompt_hash(&prompt)) {
                        asking.trust(weights.model_trust);
                        asking.ask(&place, answered, &prompt)?;
                    }
                }
                (Event::WeightsChanged(changed), _) => weights = changed.weights,
                (Event::Evidence(_) | Event::Answered(_), None) => retrieval.fault(&place, no_question()),
                _ => {}
            }
        }
        start = end;
    }
    Ok((retrieval.verdict(), prompts.verdict(), model.map(Asking::verdict)))
}

/// Whether a profile is one that could have stood there: on an arm that sees local memory, and from what that holds.
fn known_profile(prompts: &mut Grade, place: &Place, arm: Arm, profile: &Prose, visible: usize) {
    let possible = Prose { of: visible, from: profile.from.clamp(1, visible.max(1)), ..profile.clone() };
    prompts.compare(place, "profile", &Some(profile), &arm.sees_local().then_some(possible));
}

fn no_question() -> Fault {
    let (recorded, expected) = ("an answer".to_owned(), "a question before it".to_owned());
    Fault { field: "event".to_owned(), recorded, expected }
}

/// Grades mediation: from the recorded evidence and setting alone, and with them whether all of it is there.
fn mediation(session: &Session) -> Verdict {
    let labels = &session.header.labels;
    let mut grade = Grade::default();
    let mut setting = session.header.setting;
    let mut evidence: Option<mediator::Evidence> = None;
    let mut course = Course::default();
    // Who asks at hand, and what their question came to last.
    let mut asking: Option<(UserId, Option<mediator::Resolution>)> = None;
    for (index, event) in session.events.iter().enumerate() {
        let place = Place::of(session, index);
        let resolution = || {
            let (evidence, (user, _)) = (evidence.as_ref()?, asking.as_ref()?);
            let alone = mediate(evidence, &setting.weights, setting.policy);
            Some((evidence, course.settle(user, alone, setting.weights.hysteresis)))
        };
        let no_evidence = || {
            let (recorded, expected) = ("a decision".to_owned(), "evidence before it".to_owned());
            Fault { field: "event".to_owned(), recorded, expected }
        };
        match event.as_ref() {
            Event::Asked(asked) => {
                evidence = None;
                if let Some((user, Some(last))) = asking.replace((asked.user.clone(), None)) {
                    course = Course::after(&user, &last);
                }
            }
            Event::Evidence(recorded) => match recorded.weighed(labels) {
                Ok(weighed) => evidence = Some(weighed),
                Err(fault) => {
                    evidence = None;
                    grade.fault(&place, fault);
                }
            },
            Event::WeightsChanged(changed) => setting = *changed,
            Event::Mediated { resolution: recorded } => match resolution() {
                Some((evidence, computed)) => {
                    let conflicts = ledger(evidence, &setting.weights, &computed);
                    let again = Resolution::of(labels, &computed, &conflicts).by_rules_of(recorded.ledger);
                    grade.compare(&place, "resolution", recorded, &again);
                    asking.iter_mut().for_each(|(_, last)| *last = Some(computed.clone()));
                }
                None => grade.fault(&place, no_evidence()),
            },
            Event::Answered(recorded) => match resolution() {
                Some((_, computed)) => {
                    answered(&mut grade, &place, session, recorded, &computed, setting.weights.model_trust)
                }
                None => grade.fault(&place, no_evidence()),
            },
            Event::Remembered { .. } | Event::Note { .. } | Event::Feedback(_) => {}
        }
    }
    // What stands there is told of first: a line that is missing often shows in what is left.
    grade.difference = grade.difference.or_else(|| gaps::gap(session));
    grade.verdict()
}

/// What an arm comes to.
#[derive(Serialize)]
struct Final<'a> {
    distribution: &'a ByLabel,
    answer: &'a str,
}

/// Compares an arm's final distribution with memory fused with the recorded log-probabilities.
fn answered(
    grade: &mut Grade,
    place: &Place,
    session: &Session,
    recorded: &Answered,
    resolution: &mediator::Resolution,
    model_trust: f64,
) {
    let labels = &session.header.labels;
    let scored = recorded.log_probabilities.as_ref().filter(|scores| !scores.0.is_empty());
    let scores = scored.map(|scores| scores.values(labels, "log_probabilities"));
    match scores.transpose() {
        Ok(scores) => {
            let (distribution, decision) = finally(resolution, recorded.arm, model_trust, scores.as_deref());
            let answer = &labels[decision];
            let computed = ByLabel::of(labels, &distribution);
            let stated = Final { distribution: &recorded.distribution, answer: &recorded.answer };
            grade.compare(place, "", &stated, &Final { distribution: &computed, answer });
            if let Some(written) = &recorded.written {
                let computed = scores.as_deref().map(|scores| Disagreement::of(resolution, scores));
                grade.compare(place, "written.disagreement", &Some(written.disagreement), &computed);
            }
        }
        Err(fault) => grade.fault(place, fault),
    }
}

/// Grades answers as far as that goes without the model: what it said must be what was sealed. `None` if it is.
fn seals(session: &Session) -> Option<Verdict> {
    let mut grade = Grade::default();
    for (index, event) in session.events.iter().enumerate() {
        let Event::Answered(answered) = event.as_ref() else { continue };
        let sealed = |p| Answered::seal_of(p, &answered.text, answered.tokens);
        let computed = answered.log_probabilities.as_ref().map(sealed);
        let place = Place::of(session, index);
        grade.compare(&place, "seal", &answered.seal, &computed);
        if let Some(written) = &answered.written {
            let computed = Written::seal_of(&written.text, written.tokens);
            grade.compare(&place, "written.seal", &written.seal, &computed);
        }
        if computed.is_none() {
            // Memory alone writes nothing.
            grade.compare(&place, "text", &answered.text, &"");
            grade.compare(&place, "tokens", &answered.tokens, &0);
        }
    }
    grade.difference.map(|difference| Verdict::Differs { difference })
}
