//! A moment of a recording asked live: the question as it was, of a memory as it was.
//!
//! Invariants: the recording is not touched, and the replay waits at the turn where it was left; what is asked meanwhile
//! is asked of the moment's memory. It stands in no session file, since the one being written is about another memory,
//! unless the moment begins a fork: then in the fork's own, which begins once that memory is there.

use std::sync::Arc;

use super::feedback::Said;
use super::journal::Journal;
use super::profile::Profiling;
use super::rungs::Climbing;
use super::state::{Answers, Data, Gesture, Held, Reading, Setting, State};
use super::undo::History;
use crate::data::interaction::{Interaction, UserId};
use crate::engine::prompt::Question;
use crate::mediator::{Course, Resolution};
use crate::memory::portrait::Portrait;
use crate::session::event::{DatasetId, Event, HeldItem};
use crate::session::replay::Outcome;
use crate::session::{Session, State as Folded};

/// The memory that a session was recorded on, as of an event of it.
#[derive(Clone, Debug, PartialEq)]
pub struct World {
    /// The dataset, and who is taken out of it.
    pub dataset: DatasetId,
    /// What was remembered since.
    pub remembered: Vec<Interaction>,
}

impl World {
    /// The memory that a question is asked of which comes behind the first `position` events of `session`.
    pub fn of(session: &Session, position: usize) -> Self {
        let seen = session.events.get(..position).unwrap_or(&session.events);
        let remembered = seen.iter().filter_map(|event| match event.as_ref() {
            Event::Remembered { interaction } => Some(interaction.clone()),
            _ => None,
        });
        Self { dataset: session.header.dataset.clone(), remembered: remembered.collect() }
    }

    /// The same with one more interaction.
    #[must_use]
    pub fn with(&self, interaction: Interaction) -> Self {
        let mut more = self.clone();
        more.remembered.push(interaction);
        more
    }

    /// People whose interactions are taken out.
    pub fn without(&self) -> &[UserId] {
        &self.dataset.without
    }
}

/// What live work was at before, and goes on with afterwards.
#[derive(Debug, Default)]
pub struct Home {
    /// The question.
    pub question: Option<Question>,
    /// The judged query it came from.
    pub judged: Option<usize>,
    /// Weights and policy; absent only where there is no home.
    pub setting: Option<Setting>,
    /// Earlier settings.
    pub undo: History<Held, Gesture>,
    /// The try.
    pub at_try: u32,
    /// The dataset.
    pub data: Option<Arc<Data>>,
    /// Its periods.
    pub periods: usize,
    /// What memory said to the question.
    pub reading: Option<Reading>,
    /// Why it said nothing.
    pub unread: Option<String>,
    /// Who asked.
    pub portrait: Option<Portrait>,
    /// That no thing is called as the question.
    pub unnamed: Option<String>,
    /// Their prose profile.
    pub profile: Profiling,
    /// What the arms answered.
    pub answers: Answers,
    /// Where the question before left the mediator.
    pub course: Course,
    /// What the questions before came to.
    pub answered: Vec<(UserId, Resolution)>,
    /// What the analyst said of the answers.
    pub said: Vec<Said>,
    /// The rungs of its questions.
    pub rungs: Climbing,
    /// The read that the answers are of.
    pub heard: u64,
    /// Memory had not answered yet, or was last made to hold less than it does.
    pub unheard: bool,
    /// Another model answers since: its session is over, and what was asked last is asked again.
    pub ended: bool,
    /// What of it was to be recorded.
    pub journal: Journal,
}

impl Home {
    /// Takes from `state` what it is at.
    pub fn take(state: &mut State) -> Self {
        let on_rung = state.rungs.set.take().is_some();
        Self {
            unheard: on_rung || state.heard != state.ticket,
            ended: false,
            question: state.question.take(),
            judged: state.judged.take(),
            setting: Some(state.setting),
            undo: std::mem::take(&mut state.undo),
            at_try: std::mem::take(&mut state.at_try),
            data: state.data.clone(),
            periods: state.periods,
            reading: state.reading.take(),
            unread: state.unread.take(),
            portrait: state.portrait.take(),
            unnamed: state.unnamed.take(),
            profile: state.profile.clone(),
            answers: Answers { epoch: state.answers.epoch, ..std::mem::take(&mut state.answers) },
            course: std::mem::take(&mut state.course),
            answered: std::mem::take(&mut state.answered),
            said: std::mem::take(&mut state.said),
            rungs: state.rungs.turn_away(),
            heard: state.heard,
            journal: state.journal.clone(),
        }
    }

    /// Gives it back. Whatever is still on its way answers something else and no longer counts.
    pub fn restore(mut self, state: &mut State) {
        (state.question, state.judged) = (self.question, self.judged);
        state.setting = self.setting.unwrap_or(state.setting);
        (state.undo, state.at_try) = (self.undo, self.at_try);
        (state.data, state.periods) = (self.data, self.periods);
        (state.reading, state.unread, state.portrait) = (self.reading, self.unread, self.portrait);
        (state.unnamed, state.profile) = (self.unnamed, self.profile);
        (state.course, state.answered) = (self.course, self.answered);
        state.answers = Answers { epoch: state.answers.epoch, ..self.answers };
        state.ticket += 1;
        // A word on the question at home is on its answers still.
        self.said.iter_mut().filter(|said| said.ticket == self.heard).for_each(|said| said.ticket = state.ticket);
        (state.heard, state.said) = (state.ticket, self.said);
        state.ask_at = None;
        state.rungs.turn_back(self.rungs);
        state.journal = self.journal;
    }
}

impl State {
    /// The journal of live work, also while a moment is visited.
    pub fn journal_at_home(&mut self) -> &mut Journal {
        match &mut self.visit {
            Some(visit) => &mut visit.home.journal,
            None => &mut self.journal,
        }
    }
}

/// A session that shares a recording's beginning and goes on live.
#[derive(Debug)]
pub struct Fork {
    /// Turns that it shares.
    pub shared: usize,
    /// As of its newest event: the same fold as of any session.
    pub folded: Folded,
    /// What its file will begin with; `None` once it has begun.
    pub begins: Option<Box<Session>>,
}

impl Fork {
    /// Of `session`, which has only shared events so far.
    pub fn of(session: Session) -> Self {
        let mut folded = Folded::start(&session.header);
        session.events.iter().for_each(|event| folded.apply(event));
        Self { shared: folded.outcomes.len(), folded, begins: Some(Box::new(session)) }
    }

    /// How its own turns came out.
    pub fn own(&self) -> &[Outcome] {
        self.folded.outcomes.get(self.shared..).unwrap_or_default()
    }
}

/// A visit to a moment.
#[derive(Debug)]
pub struct Visit {
    /// The screen of the replay as it was left.
    pub screen: State,
    /// The memory that is asked.
    pub world: Arc<World>,
    /// The question of the moment.
    pub question: Question,
    /// Its true answer, where the recording knows it.
    pub gold: Option<String>,
    /// What the person's memory was made to hold, where that was not all of it.
    pub held: Option<Vec<HeldItem>>,
    /// Whether memory as it was then is there.
    pub there: bool,
    /// Where live work goes on afterwards.
    pub home: Home,
    /// The fork that it began, if it began one.
    pub fork: Option<Fork>,
}

impl Visit {
    /// Whether what is asked is for the file of a fork, and that has not begun.
    pub fn waits(&self) -> bool {
        self.fork.as_ref().is_some_and(|fork| fork.begins.is_some())
    }

    /// `cold-start 7/24`: the moment, in a few words.
    pub fn told(&self) -> (String, usize, usize) {
        let replay = self.screen.replay.as_ref();
        replay.map_or_else(Default::default, |replay| (replay.opened.name.clone(), replay.turn + 1, replay.turns()))
    }
}
