//! Replay: the state of a session after n events, and the whole session mediated again beside the recording.
//!
//! Invariants: [`State`] is a fold of events and nothing else, so live use, replay and any order of seeking agree;
//! [`Replay::remediate`] works from the events alone: no dataset, no model, no clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::{
    Answered, Asked, ByLabel, Event, Evidence, Feedback, Header, Judgement, Prose, Resolution, Setting,
};
use super::log::Session;
pub use super::steps::Remediated;
use super::steps::{Step, Steps};
use crate::engine::prompt::Arm;
use crate::mediator::conflict::ConflictKind;
use crate::mediator::distribution::brier;
use crate::mediator::mediate;
use crate::mediator::signature::{Signature, of_session_under};

/// A question with what followed it so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    asked: Arc<Event>,
    evidence: Option<Arc<Event>>,
    mediated: Option<Arc<Event>>,
    answered: [Option<Arc<Event>>; 4],
    /// What the analyst said of its answers, in order.
    feedback: Vec<Arc<Event>>,
    on_habit: Option<bool>,
}

impl Turn {
    fn begin(asked: &Arc<Event>) -> Self {
        let asked = Arc::clone(asked);
        let (answered, feedback) = (Default::default(), Vec::new());
        Self { asked, evidence: None, mediated: None, answered, feedback, on_habit: None }
    }

    /// Counted once a turn and kept: a fold over thousands of events must stay within a frame.
    fn gather(&mut self, evidence: &Arc<Event>) {
        self.evidence = Some(Arc::clone(evidence));
        let habit = self.evidence().and_then(habit);
        let gold = self.asked().and_then(Asked::right);
        self.on_habit = gold.zip(habit).map(|(gold, habit)| gold == habit);
    }

    /// The question.
    pub fn asked(&self) -> Option<&Asked> {
        match self.asked.as_ref() {
            Event::Asked(asked) => Some(asked),
            _ => None,
        }
    }

    /// What both memories said.
    pub fn evidence(&self) -> Option<&Evidence> {
        match self.evidence.as_deref() {
            Some(Event::Evidence(evidence)) => Some(evidence),
            _ => None,
        }
    }

    /// What the mediator decided last.
    pub fn resolution(&self) -> Option<&Resolution> {
        match self.mediated.as_deref() {
            Some(Event::Mediated { resolution }) => Some(resolution),
            _ => None,
        }
    }

    /// What an arm answered last.
    pub fn answered(&self, arm: Arm) -> Option<&Answered> {
        match self.answered[arm as usize].as_deref() {
            Some(Event::Answered(answered)) => Some(answered),
            _ => None,
        }
    }

    /// The person's prose profile that stood in the prompts of the arms that see local memory, as they answered last.
    pub fn profile(&self) -> Option<&Prose> {
        let seeing = Arm::ALL.into_iter().rev().filter(|arm| arm.sees_local());
        seeing.filter_map(|arm| self.answered(arm)).find_map(|answered| answered.profile.as_ref())
    }

    /// What the analyst said of its answers: the last word on each, in the order of those.
    pub fn verdicts(&self) -> Verdicts {
        let said = self.feedback.iter().filter_map(|event| match event.as_ref() {
            Event::Feedback(feedback) => Some(feedback),
            _ => None,
        });
        Verdicts::of(said)
    }

    /// How the turn stands.
    pub fn outcome(&self) -> Outcome {
        let gold = self.asked().and_then(Asked::right);
        let arms = Arm::ALL.map(|arm| Some(self.answered(arm)?.answer == gold?));
        let resolution = self.resolution();
        let right = |label: &str| gold == Some(label);
        // What was answered in the end; of a turn without answers what the rules decided.
        let answer = |arm| self.answered(arm).map(|answered| answered.answer.as_str());
        let decided = || Some((resolution?.decision.as_str(), preferred(&resolution?.local, self.evidence()?)?));
        let last = answer(Arm::Mediated).zip(answer(Arm::Local)).or_else(decided);
        let (mediated, local) = last.unwrap_or_default();
        let overridden = mediated != local;
        Outcome {
            judged: gold.is_some(),
            on_habit: self.on_habit,
            arms,
            errors: self.errors(gold),
            said: self.said(),
            overridden,
            rescued: overridden && right(mediated),
            suppressed: overridden && right(local),
            conflict: resolution.is_some_and(|r| r.conflicts.iter().any(|c| c.r#type == ConflictKind::Value)),
        }
    }
}

impl Turn {
    /// How sure each arm was, where it answered and the right label is known.
    pub fn sure(&self) -> [Option<Sure>; 4] {
        let gold = self.asked().and_then(Asked::right);
        Arm::ALL.map(|arm| {
            let (Answered { answer, distribution, .. }, gold) = (self.answered(arm)?, gold?);
            let place = |name: &str| distribution.0.iter().position(|(label, _)| label == name);
            let p: Vec<f64> = distribution.0.iter().map(|(_, p)| *p).collect();
            Some(Sure::of(&p, place(answer)?, place(gold)?))
        })
    }

    /// How far each arm's score is from the real one, where the task is of ratings.
    fn errors(&self, gold: Option<&str>) -> [Option<f64>; 4] {
        let rated = self.evidence().is_some_and(|evidence| evidence.global.crowd.is_some());
        let score = |text: &str| text.parse::<f64>().ok().filter(|score| score.is_finite());
        let gold = gold.filter(|_| rated).and_then(score);
        Arm::ALL.map(|arm| Some((score(&self.answered(arm)?.answer)? - gold?).abs()))
    }

    /// Whether the analyst holds each arm's answer for right.
    fn said(&self) -> [Option<bool>; 4] {
        if self.feedback.is_empty() {
            return [None; 4];
        }
        let verdicts = self.verdicts();
        let is_label = |answer: &str| self.evidence().is_some_and(|e| e.global.base.get(answer).is_some());
        Arm::ALL.map(|arm| verdicts.on(&self.answered(arm)?.answer, is_label))
    }
}

/// What an analyst holds of the answers to one question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts(Vec<(String, bool)>);

impl Verdicts {
    /// The last word on each answer.
    pub fn of<'a>(feedback: impl IntoIterator<Item = &'a Feedback>) -> Self {
        let mut verdicts: Vec<(String, bool)> = Vec::new();
        for Feedback { answer, judgement, .. } in feedback {
            verdicts.retain(|(other, _)| other != answer);
            match judgement {
                Judgement::Right => verdicts.push((answer.clone(), true)),
                Judgement::Wrong => verdicts.push((answer.clone(), false)),
                Judgement::Withdrawn => {}
            }
        }
        Self(verdicts)
    }

    /// Each answer with whether it was called right, in order of the last word on it.
    pub fn words(&self) -> &[(String, bool)] {
        &self.0
    }

    /// The answer that was called right last.
    pub fn gold(&self) -> Option<&str> {
        self.0.iter().rev().find(|(_, right)| *right).map(|(answer, _)| answer.as_str())
    }

    /// Whether `answer` is held for right. Of labels one is right, so that a right one makes the others wrong; of texts
    /// several may be, so nothing is said of the others.
    pub fn on(&self, answer: &str, is_label: impl Fn(&str) -> bool) -> Option<bool> {
        match self.gold() {
            Some(gold) if is_label(gold) => Some(gold == answer),
            _ => self.0.iter().find(|(other, _)| other == answer).map(|(_, right)| *right),
        }
    }

    /// The words that hold, in order of the last one on each answer. Of labels one is right: calling another one right, or
    /// giving it as the true answer, takes that back of the one before.
    pub fn held(&self, is_label: impl Fn(&str) -> bool) -> impl Iterator<Item = &(String, bool)> {
        let gold = self.gold().filter(|gold| is_label(gold));
        self.0.iter().filter(move |(answer, right)| !right || gold.is_none_or(|gold| gold == answer))
    }

    /// What is said of labels, by their place.
    pub fn of_labels(&self, labels: &[String]) -> Vec<(usize, bool)> {
        let place = |answer: &String| labels.iter().position(|label| label == answer);
        self.0.iter().filter_map(|(answer, right)| Some((place(answer)?, *right))).collect()
    }
}

/// What would be decided if `p` were all there is: of ratings the median, as the mediator decides.
fn preferred<'a>(p: &'a ByLabel, evidence: &Evidence) -> Option<&'a str> {
    let labels: Vec<String> = p.0.iter().map(|(label, _)| label.clone()).collect();
    let base = evidence.global.base.values(&labels, "global.base").ok()?;
    let numbers: Vec<f64> = p.0.iter().map(|(_, p)| *p).collect();
    let place = evidence.facet(&labels).ok()?.decide(&numbers, &base);
    p.0.get(place).map(|(label, _)| label.as_str())
}

/// The answer a person gives most often; among equals the one of the newest item.
fn habit(evidence: &Evidence) -> Option<&str> {
    let mut counts: BTreeMap<&str, (usize, i64)> = BTreeMap::new();
    for vote in &evidence.local.votes {
        let (count, newest) = counts.entry(vote.label()).or_insert((0, i64::MIN));
        *count += 1;
        *newest = (*newest).max(vote.at.0);
    }
    counts.into_iter().max_by_key(|(_, key)| *key).map(|(label, _)| label)
}

/// How a turn came out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Whether the person's real answer is known.
    pub judged: bool,
    /// Whether that answer is the one they give most often; unknown without history.
    pub on_habit: Option<bool>,
    /// Whether each arm was right, in order of [`Arm::ALL`]; `None` where it did not answer or nothing is known.
    pub arms: [Option<bool>; 4],
    /// How far each arm's score was from the real one; `None` as above, and of tasks without scores.
    pub errors: [Option<f64>; 4],
    /// Whether the analyst called each arm's answer right; `None` where they said nothing of it.
    pub said: [Option<bool>; 4],
    /// The mediator chose against the local side,
    pub overridden: bool,
    /// and was right,
    pub rescued: bool,
    /// or local had been right.
    pub suppressed: bool,
    /// Both sides spoke and preferred different values.
    pub conflict: bool,
}

/// What an arm's final distribution said of a question whose right label is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sure {
    /// Its probability of the answer.
    pub of_answer: f64,
    /// Its [Brier score](brier), 0 to 2.
    pub brier: f64,
}

impl Sure {
    /// Of the distribution `p` and the answer taken from it.
    pub fn of(p: &[f64], answer: usize, gold: usize) -> Self {
        Self { of_answer: p.get(answer).copied().unwrap_or_default(), brier: brier(p, gold) }
    }
}

/// Sums over turns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Questions.
    pub turns: usize,
    /// Those whose real answer is known.
    pub judged: usize,
    /// Per arm: judged answers, and the right ones among them.
    pub arms: [(usize, usize); 4],
    /// Per arm, of ratings: judged answers, and how far they are from the real scores together.
    pub errors: [(usize, f64); 4],
    /// Questions with an answer that the analyst judged.
    pub said: usize,
    /// Per arm: answers that the analyst judged, and those called right among them. Apart from the dataset's judgement.
    pub by_analyst: [(usize, usize); 4],
    /// Times the mediator chose against local.
    pub overrides: usize,
    /// Overrides that were right.
    pub rescues: usize,
    /// Overrides of a local side that was right.
    pub suppressions: usize,
    /// Value conflicts.
    pub conflicts: usize,
}

impl Tally {
    /// Counts `outcomes`.
    pub fn of<'a>(outcomes: impl IntoIterator<Item = &'a Outcome>) -> Self {
        let mut tally = Self::default();
        outcomes.into_iter().for_each(|outcome| tally.add(outcome));
        tally
    }

    /// Counts one more.
    pub fn add(&mut self, outcome: &Outcome) {
        self.turns += 1;
        self.judged += usize::from(outcome.judged);
        for ((answers, right), arm) in self.arms.iter_mut().zip(outcome.arms) {
            *answers += usize::from(arm.is_some());
            *right += usize::from(arm == Some(true));
        }
        for ((answers, sum), error) in self.errors.iter_mut().zip(outcome.errors) {
            error.iter().for_each(|error| (*answers, *sum) = (*answers + 1, *sum + error));
        }
        self.said += usize::from(outcome.said.iter().any(Option::is_some));
        for ((answers, right), said) in self.by_analyst.iter_mut().zip(outcome.said) {
            *answers += usize::from(said.is_some());
            *right += usize::from(said == Some(true));
        }
        self.overrides += usize::from(outcome.overridden);
        self.rescues += usize::from(outcome.rescued);
        self.suppressions += usize::from(outcome.suppressed);
        self.conflicts += usize::from(outcome.conflict);
    }

    /// The share of an arm's judged answers that are right; `None` without any.
    pub fn accuracy(&self, arm: Arm) -> Option<f64> {
        let (answers, right) = self.arms[arm as usize];
        (answers > 0).then(|| right as f64 / answers as f64)
    }

    /// The mean absolute error of an arm's judged scores; `None` without any.
    pub fn mean_error(&self, arm: Arm) -> Option<f64> {
        let (answers, sum) = self.errors[arm as usize];
        (answers > 0).then(|| sum / answers as f64)
    }
}

/// The state of a session after some events.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// How many events it has seen.
    pub position: usize,
    /// How the mediator is set.
    pub setting: Setting,
    /// The question at hand.
    pub turn: Option<Turn>,
    /// How every turn came out, the one at hand last.
    pub outcomes: Vec<Outcome>,
    /// Interactions given to memory in this session.
    pub remembered: usize,
    /// The last note.
    pub note: Option<Arc<Event>>,
}

impl State {
    /// Before the first event, under `setting`.
    pub fn new(setting: Setting) -> Self {
        Self { position: 0, setting, turn: None, outcomes: Vec::new(), remembered: 0, note: None }
    }

    /// Before the first event of a session.
    pub fn start(header: &Header) -> Self {
        Self::new(header.setting)
    }

    /// After one more event. An event that belongs to a question without there being one changes nothing.
    pub fn apply(&mut self, event: &Arc<Event>) {
        self.position += 1;
        let same = || Some(Arc::clone(event));
        match (event.as_ref(), &mut self.turn) {
            (Event::Asked(_), turn) => {
                *turn = Some(Turn::begin(event));
                self.outcomes.push(Outcome::default());
            }
            (Event::Evidence(_), Some(turn)) => turn.gather(event),
            (Event::Mediated { .. }, Some(turn)) => turn.mediated = same(),
            (Event::Answered(answered), Some(turn)) => turn.answered[answered.arm as usize] = same(),
            (Event::Feedback(_), Some(turn)) => turn.feedback.push(Arc::clone(event)),
            (Event::WeightsChanged(setting), _) => self.setting = *setting,
            (Event::Remembered { .. }, _) => self.remembered += 1,
            (Event::Note { .. }, _) => self.note = same(),
            (Event::Evidence(_) | Event::Mediated { .. } | Event::Answered(_) | Event::Feedback(_), None) => {}
        }
        let ours = matches!(
            event.as_ref(),
            Event::Asked(_) | Event::Evidence(_) | Event::Mediated { .. } | Event::Answered(_) | Event::Feedback(_)
        );
        if let (true, Some(turn), Some(last)) = (ours, &self.turn, self.outcomes.last_mut()) {
            *last = turn.outcome();
        }
    }

    /// The sums so far.
    pub fn tally(&self) -> Tally {
        Tally::of(&self.outcomes)
    }
}

/// Events from one checkpoint to the next: what a seek folds at most.
const APART: usize = 64;

/// The state after some events, but for how earlier turns came out: that is a prefix of how all of them did.
#[derive(Clone, Debug)]
struct Checkpoint {
    position: usize,
    setting: Setting,
    turn: Option<Turn>,
    /// Turns begun.
    turns: usize,
    remembered: usize,
    note: Option<Arc<Event>>,
}

impl Checkpoint {
    fn of(state: &State) -> Self {
        let State { position, setting, turn, outcomes, remembered, note } = state;
        let (turn, note) = (turn.clone(), note.clone());
        Self { position: *position, setting: *setting, turn, turns: outcomes.len(), remembered: *remembered, note }
    }

    /// Sets `state` to what it was here; `all` are the outcomes of the whole session.
    fn restore(&self, state: &mut State, all: &[Outcome]) {
        let Self { position, setting, turn, turns, remembered, note } = self;
        (state.position, state.setting, state.remembered) = (*position, *setting, *remembered);
        (state.turn, state.note) = (turn.clone(), note.clone());
        state.outcomes.clear();
        state.outcomes.extend_from_slice(&all[..*turns]);
        // Of the turn at hand only a part has happened yet.
        if let (Some(turn), Some(last)) = (turn, state.outcomes.last_mut()) {
            *last = turn.outcome();
        }
    }
}

/// A session with a playhead. Seeking folds a bounded number of events, however long the session is.
#[derive(Clone, Debug)]
pub struct Replay {
    session: Session,
    state: State,
    steps: Arc<Steps>,
    checkpoints: Vec<Checkpoint>,
    /// How every turn of the whole session came out.
    outcomes: Vec<Outcome>,
}

impl Replay {
    /// A replay of `session`, at its beginning.
    pub fn new(session: Session) -> Self {
        let steps = Arc::new(Steps::of(&session));
        let mut state = State::start(&session.header);
        let mut checkpoints = vec![Checkpoint::of(&state)];
        for event in &session.events {
            state.apply(event);
            if state.position.is_multiple_of(APART) {
                checkpoints.push(Checkpoint::of(&state));
            }
        }
        let outcomes = std::mem::replace(&mut state, State::start(&session.header)).outcomes;
        Self { session, state, steps, checkpoints, outcomes }
    }

    /// The recording.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The state at the playhead.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How every turn of the whole session came out, wherever the playhead stands.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Moves the playhead behind the first `n` events, or to the end if there are fewer.
    pub fn seek(&mut self, n: usize) -> &State {
        let n = n.min(self.session.events.len());
        let before = self.checkpoints.iter().take(n / APART + 1).next_back();
        if let Some(checkpoint) = before.filter(|at| n < self.state.position || self.state.position < at.position) {
            checkpoint.restore(&mut self.state, &self.outcomes);
        }
        for event in &self.session.events[self.state.position..n] {
            self.state.apply(event);
        }
        &self.state
    }

    /// The positions right behind each turn's last event: where stepping from turn to turn stops.
    pub fn turn_ends(&self) -> Vec<usize> {
        let asked =
            self.session.events.iter().enumerate().filter(|(_, event)| matches!(event.as_ref(), Event::Asked(_)));
        asked.map(|(place, _)| place).skip(1).chain([self.session.events.len()]).collect()
    }

    /// The whole session under another setting, from the recorded evidence. Turns whose evidence cannot be read
    /// (changed by hand) are left out.
    pub fn remediate(&self, setting: &Setting) -> Vec<Remediated> {
        self.steps.remediate(setting)
    }

    /// Every turn that can be mediated again.
    pub fn steps(&self) -> &Arc<Steps> {
        &self.steps
    }

    /// What is wrong with the `last` questions of the session, with the setting of each turn given by `setting`. Which
    /// hysteresis would calm them is tried out, so whoever asks at every key asks about few.
    pub fn signatures(&self, last: usize, setting: impl Fn(usize) -> Setting) -> Vec<Signature> {
        let decided = |step: &Step| {
            let Setting { weights, policy } = setting(step.turn);
            (step.user.clone(), mediate(&step.evidence, &weights, policy))
        };
        let watched: Vec<&Step> = self.steps.iter().skip(self.steps.len().saturating_sub(last)).collect();
        let turns: Vec<_> = watched.iter().map(|step| decided(step)).collect();
        of_session_under(&turns, |place| setting(watched[place].turn).weights.hysteresis)
    }

    /// The setting under which every turn was mediated or answered last. One that changed after that belongs to the next.
    pub fn settings(&self) -> Vec<Setting> {
        let mut now = self.session.header.setting;
        let mut settings: Vec<Setting> = Vec::new();
        for event in &self.session.events {
            match event.as_ref() {
                Event::WeightsChanged(setting) => now = *setting,
                Event::Asked(_) => settings.push(now),
                Event::Mediated { .. } | Event::Answered(_) => {
                    settings.last_mut().into_iter().for_each(|setting| *setting = now);
                }
                _ => {}
            }
        }
        settings
    }
}
