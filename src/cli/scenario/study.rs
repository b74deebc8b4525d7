//! A scenario as a study over a dataset.

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::super::import::interrupted;
use super::super::output::legible;
use super::super::{CliError, Common, given_up, model};
use super::{Form, ScenarioArgs};
use crate::data::dataset::{Dataset, TaskKind};
use crate::engine::engine::Engine;
use crate::engine::model::Located;
use crate::eval::EvalError;
use crate::eval::report::{Section, markdown_of, text_of};
use crate::eval::scenario::arrival::Arrived;
use crate::eval::scenario::dial::{self, Dial};
use crate::eval::scenario::drift::Drift;
use crate::eval::scenario::ladder::{self, Ladder};
use crate::eval::scenario::{Asking, Subject, long_csv};
use crate::eval::split::{Asked, Question, Range, Split, every};
use crate::eval::stats::Plan;
use crate::memory::Memory;
use crate::session::event::Setting;
use crate::session::scenario::arrival::Arrival;
use crate::session::scenario::drift::{STRONG, observed, spliced};
use crate::session::scenario::{Options, Scenario};

/// Queries asked of a dataset without judged ones.
const LATER: f64 = 0.8;

pub(super) fn run(
    common: &Common,
    dataset: &Dataset,
    args: &ScenarioArgs,
    options: &Options,
    setting: Setting,
    place: Option<Located>,
) -> Result<ExitCode, CliError> {
    let engine = model::engine(&common.load_options(), place.as_ref())?;
    let study = Study { dataset, args, options, setting, engine, cancel: &interrupted() };
    let report = match study.report() {
        Err(CliError::Eval(EvalError::Interrupted)) => return Ok(given_up("scenario")),
        report => report?,
    };
    std::io::stdout().lock().write_all(report.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

struct Study<'a> {
    dataset: &'a Dataset,
    args: &'a ScenarioArgs,
    options: &'a Options,
    setting: Setting,
    engine: Option<Box<dyn Engine>>,
    cancel: &'a AtomicBool,
}

impl Study<'_> {
    fn report(&self) -> Result<String, CliError> {
        let only_labels = !matches!(self.args.scenario, Scenario::Ladder);
        if only_labels && self.dataset.manifest.task != TaskKind::Labels {
            let scenario = self.args.scenario;
            return Err(CliError::Usage(format!("{scenario} is of tasks of labels; use ladder for ratings")));
        }
        if self.dataset.manifest.task == TaskKind::Text {
            let told =
                "a study of ladder is of tasks of labels or ratings; --out FILE records it as a session on texts, too";
            return Err(CliError::Usage(told.to_owned()));
        }
        match self.args.scenario {
            Scenario::Ladder => self.ladder(),
            Scenario::Dial => self.dial(),
            Scenario::Drift => self.drift(),
            _ => self.arrival(),
        }
    }

    fn asking<'b>(&'b self, memory: &'b Memory) -> Asking<'b> {
        Asking { memory, engine: self.engine.as_deref(), setting: self.setting, cancel: self.cancel }
    }

    fn subject(&self, schema: &'static str, asking: &Asking, what: &str, questions: &[Question]) -> Subject {
        let range = Range::of_moments(questions.iter().map(|question| question.at));
        let range = range.map_or_else(String::new, |r| format!(", {} to {}", r.from.date(), r.to.date()));
        Subject {
            schema,
            dataset: self.dataset.manifest.name.clone(),
            dataset_hash: self.dataset.content_hash(),
            model: self.engine.as_ref().map(|engine| engine.caps().score.of(&engine.caps().name)),
            queries: format!("{} {what}{range}", questions.len()),
            by: asking.by(),
            setting: self.setting,
            plan: Plan::seeded(self.options.seed),
        }
    }

    /// The queries of a ladder or dial.
    fn asked(&self) -> Result<(Asked<'_>, &'static str), CliError> {
        let judged = self.dataset.queries.iter().any(|query| query.gold.is_some());
        let (split, what) = match self.args.split {
            Some(share) => (Split::Share { share }, "queries (the interactions after the split)"),
            None if judged => (Split::Judged, "judged queries"),
            None => (Split::Share { share: LATER }, "queries (the last fifth of the interactions)"),
        };
        let mut asked = Asked::of(self.dataset, split)?;
        if let Some(n) = self.args.queries {
            asked.sample(n, self.options.seed);
        }
        Ok((asked, what))
    }

    fn ladder(&self) -> Result<String, CliError> {
        let (asked, what) = self.asked()?;
        let memory = Memory::build(self.dataset);
        let asking = self.asking(&memory);
        let subject = self.subject("logoscope.ladder/1", &asking, what, &asked.questions);
        let shape = ladder::Shape {
            most: self.options.most,
            oldest: self.options.oldest,
            gap_days: self.args.gap.unwrap_or_default(),
        };
        let found = Ladder::of(&asking, &asked.questions, shape, subject, &mut progress())?;
        self.printed("Cold-start ladder", &found.sections(), &found)
    }

    fn dial(&self) -> Result<String, CliError> {
        let (asked, what) = self.asked()?;
        let memory = Memory::build(self.dataset);
        let asking = self.asking(&memory);
        let subject = self.subject("logoscope.dial/1", &asking, what, &asked.questions);
        let Options { length, step, label, .. } = *self.options;
        let shape = dial::Shape { length, step, draws: self.args.draws.unwrap_or(5), label };
        let found = Dial::of(&asking, &asked.questions, &shape, subject, &mut progress())?;
        self.printed("Bias dial", &found.sections(), &found)
    }

    fn drift(&self) -> Result<String, CliError> {
        let (made, changes);
        let (dataset, what) = if self.options.made {
            (made, changes) = spliced(self.dataset, &Memory::build(self.dataset), self.options.seed);
            (&made, "interactions, some with their owners swapped")
        } else {
            changes = observed(self.dataset).into_iter().filter(|c| c.evidence.is_some_and(|e| e >= STRONG)).collect();
            (self.dataset, "interactions")
        };
        let memory = Memory::build(dataset);
        let asking = self.asking(&memory);
        let questions = every(dataset);
        let subject = self.subject("logoscope.drift/1", &asking, what, &questions);
        let found = Drift::of(&asking, &questions, &changes, self.options.made, subject, &mut progress())?;
        self.printed("Drift", &found.sections(), &found)
    }

    fn arrival(&self) -> Result<String, CliError> {
        let known = Memory::build(self.dataset);
        let arrival = Arrival::of(&known, self.options.community).map_err(|reason| {
            CliError::Usage(format!("new-community on '{}': {reason}", self.dataset.manifest.name))
        })?;
        let hidden = arrival.hidden(self.dataset);
        let memory = Memory::build(&hidden);
        let mut questions = every(&hidden);
        questions.retain(|question| question.at >= arrival.from && arrival.is_member(question.user));
        let (asking, knowing) = (self.asking(&memory), self.asking(&known));
        let subject = self.subject("logoscope.new-community/1", &asking, "interactions of the newcomers", &questions);
        let found = Arrived::of(&asking, &knowing, &questions, &arrival, subject, &mut progress())?;
        self.printed("New community", &found.sections(), &found)
    }

    fn printed(&self, title: &str, sections: &[Section], figures: &impl Serialize) -> Result<String, CliError> {
        if std::io::stderr().is_terminal() {
            tell_part!("\r{:60}\r", "");
        }
        Ok(match self.args.format.unwrap_or(Form::Text) {
            Form::Text => legible(&text_of(sections)).into_owned(),
            Form::Md => markdown_of(&format!("{title} of {}", self.dataset.manifest.name), sections),
            Form::Csv => long_csv(sections),
            Form::Json => serde_json::to_string(figures).map_err(std::io::Error::from)? + "\n",
        })
    }
}

/// Tells how far the work has come, where somebody watches.
fn progress() -> impl FnMut(usize, usize) {
    let told = std::io::stderr().is_terminal();
    let mut last = 0;
    move |done, total| {
        let percent = 100 * done / total.max(1);
        if told && percent != last {
            last = percent;
            tell_part!("\r{:<60}", format!("asking, {done} of {total} …"));
        }
    }
}
