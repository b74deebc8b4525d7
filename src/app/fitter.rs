//! The fitter: fits the mediator's weights on the tuning part of the dataset, in a thread of its own, and judges what it
//! found there and, for whoever asks to see that, on the queries held out.
//!
//! Invariants: nothing held out is read before the fit is done; a fit that is stopped leaves nothing; every fit ends with
//! one message, unless it was stopped.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use super::message::Message;
use super::state::{Data, Setting};
use super::worker::panic_reason;
use crate::eval::EvalError;
use crate::eval::experiment::gathered;
use crate::eval::fit::weights::{Judged, fit_weights, judge};
use crate::eval::fit::{LEAST_QUERIES, tuning};
use crate::eval::metrics::TaskMeasures;
use crate::eval::split::{Asked, Question, Range, Split};
use crate::eval::sweep::Case;
use crate::memory::Memory;

/// The history of a dataset without judged queries.
const HISTORY: f64 = 0.8;
/// Between two tellings of how far it is.
const NEWS: Duration = Duration::from_millis(100);

/// A fit that is wanted.
#[derive(Clone, Debug)]
pub struct FitRequest {
    /// Names the answer.
    pub ticket: u64,
    /// The dataset.
    pub data: Arc<Data>,
    /// The setting to start from.
    pub setting: Setting,
}

impl PartialEq for FitRequest {
    /// A ticket is given once.
    fn eq(&self, other: &Self) -> bool {
        self.ticket == other.ticket && self.setting == other.setting
    }
}

/// What a fit found.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// The setting it started from.
    pub before: Setting,
    /// The fitted one; the same where nothing was decisively better.
    pub after: Setting,
    /// The time of the tuning part.
    pub range: Range,
    /// Both on the tuning part.
    pub tuning: Judged,
    /// Both on the queries held out.
    pub held_out: Judged,
    /// Whether the task is one of ratings.
    pub ratings: bool,
}

/// How a fit stands.
#[derive(Clone, Debug, PartialEq)]
pub enum FitNews {
    /// It is at this.
    Stage(String),
    /// It is done.
    Done(Box<Fitted>),
    /// It came to nothing, because.
    Failed(String),
}

/// The handle to fits.
#[derive(Clone, Debug)]
pub struct Fitter {
    newest: Arc<AtomicU64>,
    out: Sender<Message>,
}

impl Fitter {
    /// Fits tell their news to `out`.
    pub fn new(out: Sender<Message>) -> Self {
        Self { newest: Arc::default(), out }
    }

    /// Starts a fit; one that is under way stops.
    pub fn fit(&self, request: FitRequest) {
        let ticket = request.ticket;
        self.newest.store(ticket, Ordering::Relaxed);
        let Self { newest, out } = self.clone();
        let work = move || {
            let wanted = || newest.load(Ordering::Relaxed) == ticket;
            let tell = |news| drop(out.send(Message::Fitting { ticket, news }));
            let fitted = catch_unwind(AssertUnwindSafe(|| work(&request, &wanted, &tell)));
            match fitted.map_err(|payload| panic_reason(&*payload)) {
                Ok(Ok(fitted)) => tell(FitNews::Done(Box::new(fitted))),
                Ok(Err(_)) if !wanted() => {}
                Ok(Err(error)) => tell(FitNews::Failed(error.to_string())),
                Err(reason) => tell(FitNews::Failed(reason)),
            }
        };
        if let Err(error) = thread::Builder::new().name("fitter".to_owned()).spawn(work) {
            let news = FitNews::Failed(format!("the fit cannot be started: {error}"));
            let _ = self.out.send(Message::Fitting { ticket, news });
        }
    }

    /// Stops what is under way; `ticket` is above that of every fit so far.
    pub fn stop(&self, ticket: u64) {
        self.newest.store(ticket, Ordering::Relaxed);
    }
}

fn work(request: &FitRequest, wanted: &dyn Fn() -> bool, tell: &dyn Fn(FitNews)) -> Result<Fitted, EvalError> {
    let whole = request.data.whole()?;
    let dataset = whole.as_ref();
    let measures = TaskMeasures::of(&dataset.manifest)?;
    let judged = dataset.queries.iter().any(|query| query.gold.is_some());
    let split = if judged { Split::Judged } else { Split::Share { share: HISTORY } };
    let asked = Asked::of(dataset, split)?;
    let cancel = AtomicBool::new(false);
    let mut told: Option<Instant> = None;
    let mut news = |stage: &str| {
        if !wanted() {
            cancel.store(true, Ordering::Relaxed);
        } else if told.is_none_or(|told| told.elapsed() >= NEWS) {
            told = Some(Instant::now());
            tell(FitNews::Stage(stage.to_owned()));
        }
    };
    news("building memory");
    let memory = Memory::build(dataset);
    let questions = tuning(&dataset.manifest, asked.history);
    let range = Range::of_moments(questions.iter().map(|question| question.at))
        .ok_or(EvalError::TooFewToFit { found: 0, least: LEAST_QUERIES })?;
    let mut gather = |questions: &[Question<'_>], what: &str| {
        let n = questions.len();
        gathered(&memory, questions, &cancel, &mut |done| news(&format!("reading memory, {what}: {done} of {n}")))
    };
    let evidence = gather(&questions, "tuning part")?;
    let (part, later): (Vec<Case>, _) = (cases(&questions, evidence), &asked.questions);
    let after = {
        let mut news = |stage: &str| {
            if !wanted() {
                cancel.store(true, Ordering::Relaxed);
            }
            tell(FitNews::Stage(stage.to_owned()));
        };
        fit_weights(&part, request.setting, &measures, &cancel, &mut news)?
    };
    let settings = [&request.setting, &after];
    let tuning = judge(&part, settings, &measures);
    let held_out = judge(&cases(later, gather(later, "hold-out")?), settings, &measures);
    let ratings = matches!(measures, TaskMeasures::Rating(_));
    Ok(Fitted { before: request.setting, after, range, tuning, held_out, ratings })
}

fn cases<'a>(questions: &[Question<'a>], evidence: Vec<crate::mediator::Evidence>) -> Vec<Case<'a>> {
    let pairs = questions.iter().zip(evidence);
    pairs
        .map(|(question, evidence)| Case {
            user: question.user,
            evidence: Cow::Owned(evidence),
            gold: question.gold,
            scores: None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::data::sample;
    use crate::mediator::{Policy, Weights};

    #[test]
    fn a_fit_of_the_sample_is_no_worse_where_it_was_tuned_and_one_that_is_stopped_says_nothing() {
        let data = Arc::new(Data::of(sample::dataset().unwrap()));
        let policy = Policy::Product;
        // Far from what suits the sample.
        let weights =
            Weights::defaults(policy, &data.dataset.manifest).with(crate::mediator::Weight::PriorStrength, 100.0);
        let (out, inbox) = mpsc::channel();
        let fitter = Fitter::new(out);
        let request = |ticket| FitRequest { ticket, data: Arc::clone(&data), setting: Setting { weights, policy } };
        fitter.fit(request(1));
        fitter.stop(2);
        fitter.fit(request(3));
        let fitted = loop {
            match inbox.recv().unwrap() {
                Message::Fitting { ticket, news: FitNews::Done(fitted) } => {
                    assert_eq!(ticket, 3, "the first one was stopped");
                    break fitted;
                }
                Message::Fitting { news: FitNews::Stage(_), .. } => {}
                other => panic!("{other:?}"),
            }
        };
        assert_ne!(fitted.after, fitted.before);
        assert!(fitted.tuning.after.loss < fitted.tuning.before.loss, "{:?}", fitted.tuning);
        let first = data.dataset.queries.iter().map(|query| query.at).min().unwrap();
        assert!(fitted.range.to < first, "nothing held out was tuned on");
        assert_eq!(fitted.held_out.n, data.dataset.queries.iter().filter(|query| query.gold.is_some()).count());
    }
}
