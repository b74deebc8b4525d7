//! The surveyor: a thread for what takes longer than a frame and is asked of a whole session: how far its decisions stand
//! from flipping, and what a sweep of a weight makes of it.
//!
//! Invariants: the newest request wins, and an older one stops within a step of its work; a survey that takes long tells
//! what it has so far; a panic becomes a message and ends only the survey it happened in.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::message::Message;
use super::worker::panic_reason;
use crate::eval::distances::Distances;
use crate::eval::metrics::TaskMeasures;
use crate::eval::stats::Plan;
use crate::eval::sweep::{By, Case, Grid, Sweep, sweep};
use crate::mediator::Weight;
use crate::session::event::Setting;
use crate::session::steps::Steps;

/// Between two tellings of what there is so far.
const NEWS: Duration = Duration::from_millis(100);
/// Points of a sweep.
const POINTS: usize = 41;
/// Enough for a band on a screen; `logoscope sweep` takes more.
const PLAN: Plan = Plan { resamples: 400, permutations: 2_000, seed: 1 };

/// What is surveyed.
#[derive(Clone, Debug, PartialEq)]
pub enum Survey {
    /// How far every decision stands from flipping.
    Flips,
    /// What the values of a weight make of the session.
    Sweep {
        /// Which.
        weight: Weight,
        /// The measures of the task.
        measures: TaskMeasures,
        /// What it is judged by.
        by: By,
    },
}

/// A survey of some steps under a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct SurveyRequest {
    /// Names the answer.
    pub ticket: u64,
    /// The questions.
    pub steps: Arc<Steps>,
    /// How the mediator is set.
    pub setting: Setting,
    /// What is wanted.
    pub survey: Survey,
}

/// What a survey found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Distances of the steps so far.
    Flips(Distances),
    /// The whole curve.
    Sweep(Sweep),
    /// Why nothing was found.
    Nothing(String),
}

/// The handle to the surveyor.
#[derive(Debug)]
pub struct Surveyor {
    newest: Arc<AtomicU64>,
    requests: Sender<SurveyRequest>,
}

impl Surveyor {
    /// Starts it.
    pub fn start(out: Sender<Message>) -> std::io::Result<Self> {
        let (requests, inbox) = mpsc::channel();
        let newest = Arc::new(AtomicU64::new(0));
        let watched = Arc::clone(&newest);
        thread::Builder::new().name("surveyor".to_owned()).spawn(move || work(&inbox, &watched, &out))?;
        Ok(Self { newest, requests })
    }

    /// Asks for a survey; what it finds comes in messages. Whatever was asked before stops.
    pub fn survey(&self, request: SurveyRequest) {
        self.newest.store(request.ticket, Ordering::Relaxed);
        // A surveyor that has ended has told so already.
        let _ = self.requests.send(request);
    }

    /// Stops what is under way; `ticket` is above that of every survey so far.
    pub fn cease(&self, ticket: u64) {
        self.newest.store(ticket, Ordering::Relaxed);
    }
}

fn work(inbox: &Receiver<SurveyRequest>, newest: &AtomicU64, out: &Sender<Message>) {
    for request in inbox {
        let wanted = || newest.load(Ordering::Relaxed) == request.ticket;
        if !wanted() {
            continue;
        }
        let ticket = request.ticket;
        let tell = |done: (usize, usize), found: Option<Found>| {
            drop(out.send(Message::Surveyed { ticket, done, found: found.map(Box::new) }));
        };
        let survey = || match &request.survey {
            Survey::Flips => distances(&request, &wanted, &tell),
            Survey::Sweep { weight, measures, by } => curve(&request, (*weight, measures, *by), &wanted, &tell),
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(survey)) {
            tell((1, 1), Some(Found::Nothing(panic_reason(&*payload))));
        }
    }
}

fn distances(request: &SurveyRequest, wanted: &dyn Fn() -> bool, tell: &dyn Fn((usize, usize), Option<Found>)) {
    let (mut found, total) = (Distances::under(&request.setting, request.steps.task()), request.steps.len());
    let mut told = Instant::now();
    for (ix, step) in request.steps.iter().enumerate() {
        if !wanted() {
            return;
        }
        found.add(&step.evidence, &request.setting);
        if told.elapsed() >= NEWS && ix + 1 < total {
            told = Instant::now();
            tell((ix + 1, total), Some(Found::Flips(found.clone())));
        }
    }
    tell((total, total), Some(Found::Flips(found)));
}

fn curve(
    request: &SurveyRequest,
    (weight, measures, by): (Weight, &TaskMeasures, By),
    wanted: &dyn Fn() -> bool,
    tell: &dyn Fn((usize, usize), Option<Found>),
) {
    let cases: Vec<Case> = request.steps.iter().filter_map(Case::of).collect();
    if cases.is_empty() {
        return tell((1, 1), Some(Found::Nothing("no question of this session is judged".to_owned())));
    }
    let cancel = AtomicBool::new(false);
    let mut told = Instant::now();
    let mut progress = |_: &str, done: usize, total: usize| {
        if !wanted() {
            cancel.store(true, Ordering::Relaxed);
        } else if told.elapsed() >= NEWS {
            told = Instant::now();
            tell((done, total + 1), None);
        }
    };
    let grid = vec![Grid::whole(weight, POINTS)];
    match sweep(&cases, grid, request.setting, (measures, by), PLAN, &cancel, &mut progress) {
        Ok(found) => tell((1, 1), Some(Found::Sweep(found))),
        Err(_) if !wanted() => {}
        Err(error) => tell((1, 1), Some(Found::Nothing(error.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::interaction::UserId;
    use crate::mediator::{Evidence, Policy, Weights};
    use crate::session::steps::Step;

    fn steps(n: usize) -> Arc<Steps> {
        let evidence = Evidence::disputed();
        let arms = [const { Some(None) }; 4];
        let step = |turn| Step {
            turn,
            user: UserId::new(format!("u{turn}")),
            evidence: evidence.clone(),
            gold: Some(0),
            on_habit: None,
            judged: true,
            arms: arms.clone(),
            said: Vec::new(),
        };
        Arc::new(Steps::new((0..n).map(step).collect()))
    }

    fn request(ticket: u64, n: usize, survey: Survey) -> SurveyRequest {
        let setting = Setting { weights: Weights::default(), policy: Policy::Product };
        SurveyRequest { ticket, steps: steps(n), setting, survey }
    }

    /// The whole answer to a survey.
    fn last(inbox: &Receiver<Message>, wanted: u64) -> Found {
        loop {
            match inbox.recv().unwrap() {
                Message::Surveyed { ticket, done: (done, total), found: Some(found) } if done == total => {
                    assert_eq!(ticket, wanted, "an older survey has stopped");
                    return *found;
                }
                Message::Surveyed { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_newest_survey_is_the_one_that_is_answered_whole() {
        let (out, inbox) = mpsc::channel();
        let surveyor = Surveyor::start(out).unwrap();
        let measures = TaskMeasures::Labels(crate::eval::metrics::LabelMeasures { labels: 2 });
        let by = By(crate::eval::metrics::Metric::Accuracy);
        // Long enough to be under way when the next one comes.
        surveyor.survey(request(1, 100_000, Survey::Flips));
        surveyor.survey(request(2, 7, Survey::Flips));
        let Found::Flips(found) = last(&inbox, 2) else { panic!("distances are wanted") };
        assert_eq!((found.n, found.nearest.flips), (7, 7));
        surveyor.survey(request(3, 7, Survey::Sweep { weight: Weight::LocalTrust, measures, by }));
        let Found::Sweep(found) = last(&inbox, 3) else { panic!("a curve is wanted") };
        assert_eq!((found.n, found.people), (7, 7));
        assert!(found.points.len() >= POINTS);
        surveyor.survey(request(4, 100_000, Survey::Flips));
        surveyor.cease(5);
        surveyor.survey(request(6, 0, Survey::Flips));
        let nothing = request(0, 0, Survey::Flips);
        assert_eq!(last(&inbox, 6), Found::Flips(Distances::under(&nothing.setting, nothing.steps.task())));
    }
}
